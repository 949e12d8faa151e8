//! How many lines a plugin's handler brings into the log: so many in a batch, so many at once, so many a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::warn;

/// The most lines that one batch brings into the log.
pub(crate) const BATCH_LINES_MAX: u32 = 100;
/// The most lines at once, over all batches of a plugin.
const BURST_LINES: u32 = 2_000;
/// How long a plugin waits for its next line after that.
const LINE_EVERY: Duration = Duration::from_millis(5);
/// How often it is said that lines were dropped.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// A plugin's lines over all its instances.
#[derive(Debug)]
pub(crate) struct Lines {
    plugin: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u32,
    /// Up to when `left` was counted up.
    counted_at: Instant,
    /// Dropped, and not yet said.
    dropped: u64,
    said_at: Option<Instant>,
}

impl Lines {
    /// Returns a plugin's lines, all of them left.
    pub(crate) fn new(plugin: Arc<str>, now: Instant) -> Self {
        let state = State { left: BURST_LINES, counted_at: now, dropped: 0, said_at: None };
        Self { plugin, state: Mutex::new(state) }
    }

    /// Takes what one batch may have.
    pub(crate) fn take(&self, now: Instant) -> u32 {
        let mut state = self.state.lock();
        state.refill(now);
        let taken = state.left.min(BATCH_LINES_MAX);
        state.left -= taken;
        taken
    }

    /// Takes back what a batch has not used, and says now and then what was dropped.
    pub(crate) fn settle(&self, left: u32, dropped: u32, now: Instant) {
        let mut state = self.state.lock();
        state.left = state.left.saturating_add(left).min(BURST_LINES);
        state.dropped += u64::from(dropped);
        let is_due = state.said_at.is_none_or(|said_at| now.saturating_duration_since(said_at) >= SAID_EVERY);
        if state.dropped > 0 && is_due {
            warn!(plugin = %self.plugin, lines = state.dropped, "lines of a handler's log dropped: too many");
            state.dropped = 0;
            state.said_at = Some(now);
        }
    }
}

impl State {
    fn refill(&mut self, now: Instant) {
        let lines = now.saturating_duration_since(self.counted_at).as_nanos() / LINE_EVERY.as_nanos();
        let lines = u32::try_from(lines).unwrap_or(BURST_LINES).min(BURST_LINES);
        if lines == BURST_LINES {
            self.counted_at = now;
        } else {
            self.counted_at += LINE_EVERY * lines;
        }
        self.left = self.left.saturating_add(lines).min(BURST_LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_lines_by_batch_and_over_time() {
        let start = Instant::now();
        let lines = Lines::new("orders".into(), start);
        let batches = (0..30).map(|_| lines.take(start)).filter(|taken| *taken == BATCH_LINES_MAX).count();
        assert_eq!(batches, 20);
        assert_eq!(lines.take(start), 0);
        assert_eq!(lines.take(start + LINE_EVERY * 3 + LINE_EVERY / 2), 3);
        assert_eq!(lines.take(start + LINE_EVERY * 4), 1, "halves are not lost");
        assert_eq!(lines.take(start + Duration::from_secs(1000)), BATCH_LINES_MAX);
        lines.settle(BATCH_LINES_MAX, 0, start);
        assert_eq!(lines.state.lock().left, BURST_LINES);
    }

    #[test]
    fn says_what_was_dropped_once_a_second() {
        let start = Instant::now();
        let lines = Lines::new("orders".into(), start);
        lines.settle(0, 7, start);
        lines.settle(0, 5, start);
        assert_eq!(lines.state.lock().dropped, 5);
        lines.settle(0, 1, start + SAID_EVERY);
        assert_eq!(lines.state.lock().dropped, 0);
    }
}
