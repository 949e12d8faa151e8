//! How long to wait before the next try: exponential, bounded, with full jitter above the half
//! (the "equal jitter" of Marc Brooker's article on exponential backoff and jitter).

use std::time::Duration;

/// Waits that double from `min` to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// For servers that are away: the first try again comes soon, and a healed server is noticed within seconds.
    pub const INFRASTRUCTURE: Self = Self { min: Duration::from_millis(100), max: Duration::from_secs(5) };

    /// Returns the wait after the `tries`-th failure (from 1). `jitter` is any number; equal ones give equal waits.
    pub fn after(&self, tries: u32, jitter: u64) -> Duration {
        let doublings = tries.saturating_sub(1).min(31);
        let wait = self.min.saturating_mul(1 << doublings).min(self.max);
        let half = wait / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(mix(jitter) % spread)
    }
}

/// The finaliser of SplitMix64: spreads neighbouring seeds over all values.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_between_half_the_step_and_the_maximum(tries in 1_u32..200, jitter: u64) {
            let backoff = Backoff { min: Duration::from_millis(200), max: Duration::from_secs(30) };
            let wait = backoff.after(tries, jitter);
            prop_assert!(wait <= backoff.max);
            prop_assert!(wait >= backoff.min / 2);
        }
    }

    #[test]
    fn doubles_until_the_maximum() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(1) };
        assert!(backoff.after(2, 7) >= Duration::from_millis(100));
        assert!(backoff.after(9, 7) >= Duration::from_millis(500));
    }
}
