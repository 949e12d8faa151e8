//! A rate that holds for every second, not on the average.
//!
//! Two bounds, and both must have room. A token bucket whose depth is a twentieth of a second keeps the average and paces:
//! a process that was held up for a moment catches up, and one that was idle for an hour has saved nothing up. A sliding window over the last second counts what is under way
//! as well, and what has ended by when it *ended*: a transaction is seen when it commits, however long that took. So no second,
//! wherever it is cut, sees more than [`SLACK`] above the rate: at the last begin among the records of any second all others
//! of it are in the window.

use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// The second of "records per second".
const WINDOW: Duration = Duration::from_secs(1);

/// How much more than the rate the window holds, in hundredths: what is under way must not slow the average down.
pub const SLACK: u64 = 3;

/// Records are counted in millionths, so that a share of a small rate is exact.
const ONE: u64 = 1_000_000;

/// How fast a binding may go. By default as fast as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// The most records in any second.
    pub max: Option<NonZeroU64>,
    /// Whose records `max` counts.
    pub scope: Scope,
    /// How long a transaction of the sink may take before less is sent to it at once.
    pub target_latency: Option<Duration>,
}

/// Whose records a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those of all processes of the group: each takes the share of the partitions that it owns.
    #[default]
    Group,
    /// Each process's own.
    Process,
}

/// What one process may do of a binding's rate.
#[derive(Debug, Clone)]
pub struct Limiter {
    /// Millionths of records in a second; none: without a bound.
    rate: Option<u64>,
    /// A larger rate, and from when on it holds.
    raise: Option<(Duration, u64)>,
    tokens: u64,
    filled: Duration,
    under_way: u64,
    /// What has ended in the last second, and when.
    ended: VecDeque<(Duration, u64)>,
    in_window: u64,
}

/// Why a batch does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Until this time.
    Until(Duration),
    /// Until something ends that is under way, or the rate changes.
    UntilAnEnd,
}

impl Limiter {
    /// Returns a limiter without a bound.
    pub fn new() -> Self {
        let (tokens, filled) = (0, Duration::ZERO);
        Self { rate: None, raise: None, tokens, filled, under_way: 0, ended: VecDeque::new(), in_window: 0 }
    }

    /// Sets the rate to `owned` of `total` parts of `max`. Less holds at once. More holds a second later, and begins with an empty
    /// bucket: what others did with it in the last second is not known here.
    pub fn set(&mut self, max: Option<u64>, owned: u64, total: u64, now: Duration) {
        self.fill(now);
        let share = |max: u64| {
            let micros = u128::from(max) * u128::from(ONE) * u128::from(owned.min(total)) / u128::from(total.max(1));
            u64::try_from(micros).unwrap_or(u64::MAX)
        };
        let next = max.map(share);
        match (self.rate, next) {
            (Some(now_is), Some(next)) if next > now_is => {
                if self.raise.is_none_or(|(_, raised)| raised != next) {
                    self.raise = Some((now + WINDOW, next));
                }
            }
            _ => (self.rate, self.raise) = (next, None),
        }
        self.tokens = self.tokens.min(self.depth());
    }

    /// Returns the records in a second, where there is a bound.
    pub fn rate(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        self.raise.map(|(_, rate)| rate).or(self.rate).map(|rate| rate as f64 / ONE as f64)
    }

    /// Returns how many records a batch may have, so that many of them make a second, and what is left at the end of one is less
    /// than the slack.
    pub fn batch_max(&self) -> Option<NonZeroUsize> {
        let rate = self.raise.map(|(_, rate)| rate).or(self.rate)?;
        let records = usize::try_from(rate / ONE / 40).unwrap_or(usize::MAX);
        Some(NonZeroUsize::new(records).unwrap_or(NonZeroUsize::MIN))
    }

    /// Begins a batch of `records`, if there is room for it.
    ///
    /// # Errors
    /// Says when to ask again.
    pub fn begin(&mut self, records: u64, now: Duration) -> Result<(), Full> {
        self.fill(now);
        let Some(rate) = self.rate else {
            self.under_way += records;
            return Ok(());
        };
        if rate == 0 {
            return Err(self.raise.map_or(Full::UntilAnEnd, |(at, _)| Full::Until(at)));
        }
        let cost = records.saturating_mul(ONE);
        // A batch that was cut when the rate was higher goes when the bucket is full, and leaves nothing in it.
        let needed = cost.min(self.depth());
        if self.tokens < needed {
            let wait = u128::from(needed - self.tokens) * WINDOW.as_nanos() / u128::from(rate) + 1;
            return Err(Full::Until(now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))));
        }
        self.forget(now);
        let busy = self.under_way + self.in_window;
        let bound = rate / 100 * (100 + SLACK);
        if busy > 0 && (busy + records).saturating_mul(ONE) > bound {
            let oldest = self.ended.front().map(|(at, _)| *at + WINDOW);
            return Err(oldest.map_or(Full::UntilAnEnd, Full::Until));
        }
        self.tokens -= needed;
        self.under_way += records;
        Ok(())
    }

    /// A batch of `begun` records has ended; `done` of them may have come to be seen.
    pub fn end(&mut self, begun: u64, done: u64, now: Duration) {
        self.under_way -= begun.min(self.under_way);
        if done > 0 && self.rate.is_some() {
            self.ended.push_back((now, done));
            self.in_window += done;
        }
        self.forget(now);
    }

    fn depth(&self) -> u64 {
        self.rate.map_or(0, |rate| (rate / 20).max(ONE))
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).min(WINDOW).as_nanos();
        let more = u128::from(self.rate.unwrap_or(0)) * passed / WINDOW.as_nanos();
        self.tokens = self.tokens.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)).min(self.depth());
        self.filled = self.filled.max(now);
        if let Some((_, rate)) = self.raise.take_if(|(at, _)| *at <= now) {
            (self.rate, self.tokens) = (Some(rate), 0);
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some((_, records)) = self.ended.pop_front_if(|(at, _)| *at + WINDOW <= now) {
            self.in_window -= records;
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
