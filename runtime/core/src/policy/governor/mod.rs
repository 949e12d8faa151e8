//! The catch-up governor: how many records are under way to a sink at once follows how long the sink takes for them.
//!
//! Additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion
//! Avoidance in Computer Networks", 1989): of the linear controls it is the one by which processes that know nothing of each
//! other come to equal shares. The delay is compared with a target that a person sets, and so it stays where it is however
//! many processes there are. Vegas and gradient limits compare it with the least delay ever seen and let each process keep a
//! queue of its own: in the model of the tests ten of them wait nine times as long as one.
//!
//! While a transaction takes less than half of the target the limit doubles each time that it went through once, as in TCP's slow
//! start: what others have left is taken within a second.
//!
//! At most one decrease in the time of one transaction, as in TCP: what began before the last change tells of the time before.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The least that is under way, in records: the sink is still asked how it is.
pub const LEAST: f64 = 16.0;

/// The most, in records.
pub const MOST: f64 = 100_000.0;

/// Where it starts.
const START: f64 = 512.0;

/// What is added in the time in which a full limit goes through once.
const STEP: f64 = 64.0;

/// The least share that is left by one decrease.
const CUT: f64 = 0.5;

/// How many batches share the limit, so that one is computed and sent while another is in the sink.
const BATCHES: f64 = 2.0;

/// The limit of one binding in one process.
#[derive(Debug, Clone)]
pub struct Governor {
    target: Duration,
    limit: f64,
    under_way: u64,
    /// When it was decreased last.
    decreased: Duration,
}

/// A batch that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its records.
    pub records: u64,
    /// When it was sent.
    pub begun: Duration,
    /// When it was answered.
    pub ended: Duration,
    /// Whether the limit kept others from being sent meanwhile.
    pub was_limited: bool,
}

impl Governor {
    /// Returns a governor that has seen nothing yet.
    pub fn new(target: Duration) -> Self {
        Self { target, limit: START, under_way: 0, decreased: Duration::ZERO }
    }

    /// Returns the records that may be under way at once.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Returns the records that are under way.
    pub fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Returns the most records of one batch.
    pub fn batch_max(&self) -> NonZeroUsize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 8 and 50,000")]
        let records = (self.limit / BATCHES) as usize;
        NonZeroUsize::new(records).unwrap_or(NonZeroUsize::MIN)
    }

    /// Changes the target.
    pub fn aim(&mut self, target: Duration) {
        self.target = target;
    }

    /// Begins a batch, if there is room for it; one alone always may.
    pub fn begin(&mut self, records: u64) -> bool {
        let goes = self.under_way == 0 || precise(self.under_way + records) <= self.limit;
        if goes {
            self.under_way += records;
        }
        goes
    }

    /// A batch has ended without a word about the sink's speed.
    pub fn give_up(&mut self, records: u64) {
        self.under_way -= records.min(self.under_way);
    }

    /// A batch has ended.
    pub fn end(&mut self, sample: Sample) {
        self.give_up(sample.records);
        let took = sample.ended.saturating_sub(sample.begun);
        if took > self.target {
            if sample.begun >= self.decreased {
                let share = self.target.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE);
                self.limit = (self.limit * share.max(CUT)).max(LEAST);
                self.decreased = sample.ended;
            }
        } else if sample.was_limited {
            let whole = precise(sample.records) / self.limit.max(1.0);
            // Far from the target the sink has room for everyone; near it, equal steps make equal shares.
            let step = if took * 2 < self.target { self.limit } else { STEP };
            self.limit = (self.limit + step * whole.min(1.0)).min(MOST);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "records under way are far below 2^53")]
fn precise(records: u64) -> f64 {
    records as f64
}

#[cfg(test)]
mod tests;
