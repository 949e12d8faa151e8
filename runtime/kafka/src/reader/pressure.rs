//! When a partition is paused and when it goes on: back-pressure as a pure decision.
//!
//! Two marks with a gap between them, because pausing throws away what the client has fetched ahead:
//! - a partition whose feed holds `high` bytes pauses, and goes on at `low`;
//! - while the budget is full, every partition pauses that still has records somewhere in the runtime. One without any
//!   may always fetch a chunk. So a full budget cannot starve a partition for ever: either its own records are still on
//!   their way to their terminal state, or it gets new ones. And the budget is exceeded by one chunk per partition at
//!   the most, because the chunk's records count as the partition's own until they are terminal.

use std::time::Duration;

/// A chunk is handed on at this many records.
pub(super) const CHUNK_RECORDS: usize = 256;
/// A chunk is handed on at this many bytes.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// Clones of the topic's name that outlive their records may make it look as if this many were alive.
const FEW: usize = 16;
/// How long a partition below its log's end may stay silent before it is started again.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How one partition stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Bytes in the feed and the open chunk.
    pub(super) waiting: usize,
    /// Records of this partition that are not terminal yet.
    pub(super) alive: usize,
    pub(super) is_paused: bool,
    /// Whether a record or the log's end has come since it was assigned. Pausing earlier can lose its start offset.
    pub(super) is_flowing: bool,
    /// Whether reading it has failed and waits for a new position.
    pub(super) is_stopped: bool,
}

/// What holds for all partitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) high: usize,
    pub(super) low: usize,
    /// Whether the budget is full.
    pub(super) is_full: bool,
    /// Whether no more records are wanted.
    pub(super) is_stopping: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Change {
    Pause,
    Resume,
}

impl Limits {
    /// Returns the marks for `partitions` that share a budget of `limit` bytes: half of it may wait in feeds.
    pub(super) fn new(limit: usize, partitions: usize, is_full: bool, is_stopping: bool) -> Self {
        let high = (limit / (2 * partitions.max(1))).clamp(CHUNK_BYTES, 16 * 1024 * 1024);
        Self { high, low: high / 2, is_full, is_stopping }
    }
}

/// Returns whether a full budget has become empty enough, or an open one full.
pub(super) fn is_budget_full(was_full: bool, used: usize, limit: usize) -> bool {
    if was_full { used >= limit / 8 * 7 } else { used >= limit }
}

/// Decides for one partition.
pub(super) fn decide(load: Load, limits: Limits) -> Option<Change> {
    let is_held = limits.is_stopping || load.is_stopped;
    let is_starving = load.alive <= FEW && load.waiting == 0;
    let is_crowded = limits.is_full && !is_starving;
    if load.is_paused {
        let may_go = !is_held && !is_crowded && load.waiting <= limits.low;
        may_go.then_some(Change::Resume)
    } else {
        let must_wait = is_held || is_crowded || load.waiting >= limits.high;
        (must_wait && load.is_flowing).then_some(Change::Pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { high: 100, low: 50, is_full: false, is_stopping: false };
    const LOAD: Load = Load { waiting: 0, alive: 0, is_paused: false, is_flowing: true, is_stopped: false };

    #[test]
    fn pauses_at_the_high_mark_and_goes_on_at_the_low_one() {
        assert_eq!(decide(Load { waiting: 99, alive: 99, ..LOAD }, LIMITS), None);
        assert_eq!(decide(Load { waiting: 100, alive: 99, ..LOAD }, LIMITS), Some(Change::Pause));
        assert_eq!(decide(Load { waiting: 51, is_paused: true, ..LOAD }, LIMITS), None);
        assert_eq!(decide(Load { waiting: 50, is_paused: true, ..LOAD }, LIMITS), Some(Change::Resume));
    }

    #[test]
    fn never_pauses_before_the_first_record() {
        assert_eq!(decide(Load { waiting: 500, is_flowing: false, ..LOAD }, LIMITS), None);
    }

    #[test]
    fn a_full_budget_holds_everybody_but_those_who_have_nothing() {
        let full = Limits { is_full: true, ..LIMITS };
        assert_eq!(decide(Load { alive: 300, ..LOAD }, full), Some(Change::Pause));
        assert_eq!(decide(Load { alive: 300, is_paused: true, ..LOAD }, full), None);
        assert_eq!(decide(Load { alive: 2, is_paused: true, ..LOAD }, full), Some(Change::Resume));
        assert_eq!(decide(LOAD, full), None);
    }

    #[test]
    fn a_stopped_partition_stays_paused() {
        assert_eq!(decide(Load { is_paused: true, is_stopped: true, ..LOAD }, LIMITS), None);
    }

    #[test]
    fn the_budget_opens_again_with_a_gap() {
        assert!(is_budget_full(false, 80, 80));
        assert!(is_budget_full(true, 70, 80));
        assert!(!is_budget_full(true, 69, 80));
    }
}
