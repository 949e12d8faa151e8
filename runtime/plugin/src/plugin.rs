//! A loaded plugin: what new instances are made from, and what is counted over all of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebay_core::manifest::settings::Instances;
use parking_lot::Mutex;

use crate::instance::{Instance, Template};
use crate::metrics::MetricsSnapshot;

/// How long a peak of memory counts: it is seen for one window at least and for two at most.
const PEAK_WINDOW: Duration = Duration::from_secs(60);

/// What a record is taken to cost before any was seen, in nanoseconds.
const COST: u64 = 20_000;

/// A component that was checked, compiled and initialised, ready to run.
pub struct Plugin {
    pub(crate) template: Template,
    pub(crate) instances: Instances,
    digest: String,
    world: &'static str,
    peak: Mutex<Peak>,
    metrics: Mutex<MetricsSnapshot>,
    /// What a record costs on a worker, in nanoseconds, as it was lately.
    cost: AtomicU64,
}

/// The largest instance of this window of time and of the one before.
#[derive(Debug)]
struct Peak {
    window_start: Instant,
    current: usize,
    previous: usize,
}

impl Plugin {
    pub(crate) fn new(template: Template, instances: Instances, digest: String, world: &'static str) -> Self {
        let peak = Peak { window_start: Instant::now(), current: 0, previous: 0 };
        Self {
            template,
            instances,
            digest,
            world,
            peak: Mutex::new(peak),
            metrics: Mutex::default(),
            cost: AtomicU64::new(COST),
        }
    }

    /// Returns what a record costs on a worker, as it was lately.
    pub(crate) fn cost(&self) -> Duration {
        Duration::from_nanos(self.cost.load(Ordering::Relaxed))
    }

    /// So many records took so long.
    pub(crate) fn learn(&self, took: Duration, records: usize) {
        if records > 0 {
            let nanos = u64::try_from(took.as_nanos() / records as u128).unwrap_or(u64::MAX);
            let before = self.cost.load(Ordering::Relaxed);
            self.cost.store(before / 4 * 3 + nanos / 4, Ordering::Relaxed);
        }
    }

    /// Returns its name in the manifest.
    pub fn name(&self) -> &str {
        &self.template.name
    }

    /// Returns the component's digest: `sha256:` and 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the world it was built for, with its version.
    pub fn world(&self) -> &str {
        self.world
    }

    /// Returns the bytes of the largest instance of the last minute or two.
    pub fn peak_memory_bytes(&self) -> usize {
        let mut peak = self.peak.lock();
        peak.turn(Instant::now());
        peak.current.max(peak.previous)
    }

    /// Returns what the handler counted and observed since it was loaded.
    pub fn metrics_snapshot(&self) -> MetricsSnapshot {
        self.metrics.lock().clone()
    }

    /// Takes over what `instance` counted since the last time; once per batch.
    pub(crate) fn settle(&self, instance: &mut Instance) {
        let state = instance.state_mut();
        let used = state.memory.used();
        {
            let mut peak = self.peak.lock();
            peak.turn(Instant::now());
            peak.current = peak.current.max(used);
        }
        self.metrics.lock().absorb(&mut state.metrics);
    }
}

impl Peak {
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.window_start);
        if age < PEAK_WINDOW {
            return;
        }
        self.previous = if age < PEAK_WINDOW * 2 { self.current } else { 0 };
        self.current = 0;
        self.window_start = now;
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("name", &self.name())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_a_peak_after_two_windows() {
        let start = Instant::now();
        let mut peak = Peak { window_start: start, current: 7, previous: 0 };
        peak.turn(start + PEAK_WINDOW / 2);
        assert_eq!((peak.current, peak.previous), (7, 0));
        peak.turn(start + PEAK_WINDOW);
        assert_eq!((peak.current, peak.previous), (0, 7));
        peak.turn(start + PEAK_WINDOW * 2);
        assert_eq!((peak.current, peak.previous), (0, 0));
    }
}
