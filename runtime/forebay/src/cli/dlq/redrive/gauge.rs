//! How many letters, and how fast. What an earlier run has redriven counts for neither.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Lets letters pass.
pub(super) struct Gauge {
    /// How many more may pass.
    left: Option<u64>,
    pace: Option<Interval>,
}

impl Gauge {
    pub(super) fn new(limit: Option<u64>, rate: Option<NonZeroU32>) -> Self {
        let pace = rate.map(|rate| {
            let mut pace = interval(Duration::from_secs(1) / rate.get());
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        Self { left: limit, pace }
    }

    /// Whether as many have passed as were wanted.
    pub(super) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Waits until the next may pass.
    pub(super) async fn pass(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}
