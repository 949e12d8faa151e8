//! What handlers count and observe through `forebay:handler/metrics`: bounded, in memory, never failing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The most names one plugin may use.
const NAMES_MAX: usize = 100;
/// The longest name.
const NAME_BYTES_MAX: usize = 100;
/// The upper bounds of a histogram's buckets.
const BOUNDS: [f64; 12] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// A plugin's own metrics since it was loaded. A record that is run twice counts twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricsSnapshot {
    /// Counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Observations by name.
    pub histograms: BTreeMap<String, Histogram>,
    /// How many calls were ignored: a name that is no `[a-z][a-z0-9_]*`, too many names, a value that is no number.
    pub ignored: u64,
}

/// Observed values, counted by size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// How many values are at most the bound of the same position in [`Histogram::bounds`]; larger ones are in `count` only.
    pub buckets: [u64; BOUNDS.len()],
}

impl Histogram {
    /// Returns the buckets' upper bounds, ascending.
    pub fn bounds() -> &'static [f64] {
        &BOUNDS
    }

    fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(value <= bound);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
    }
}

impl MetricsSnapshot {
    /// Adds `delta` to the counter `name`.
    pub(crate) fn count(&mut self, name: &str, delta: u64) {
        let room = self.has_room();
        match counted(&mut self.counters, name, room) {
            Some(counter) => *counter = counter.saturating_add(delta),
            None => self.ignored += 1,
        }
    }

    /// Adds one observed value to the histogram `name`.
    pub(crate) fn observe(&mut self, name: &str, value: f64) {
        let room = self.has_room() && value.is_finite();
        match counted(&mut self.histograms, name, room) {
            Some(histogram) if value.is_finite() => histogram.observe(value),
            _ => self.ignored += 1,
        }
    }

    /// Counts a call whose name could not be read.
    pub(crate) fn ignore(&mut self) {
        self.ignored += 1;
    }

    /// Moves everything counted in `other` here.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        if *other == Self::default() {
            return;
        }
        for (name, delta) in std::mem::take(&mut other.counters) {
            self.count(&name, delta);
        }
        for (name, more) in std::mem::take(&mut other.histograms) {
            let room = self.has_room();
            match counted(&mut self.histograms, &name, room) {
                Some(histogram) => histogram.merge(&more),
                None => self.ignored += more.count,
            }
        }
        self.ignored += std::mem::take(&mut other.ignored);
    }

    fn has_room(&self) -> bool {
        self.counters.len() + self.histograms.len() < NAMES_MAX
    }
}

fn counted<'a, T: Default>(metrics: &'a mut BTreeMap<String, T>, name: &str, has_room: bool) -> Option<&'a mut T> {
    // Looked up twice where it is there, so that a name is copied only once in its life.
    if metrics.contains_key(name) {
        return metrics.get_mut(name);
    }
    if !has_room || !is_name(name) {
        return None;
    }
    match metrics.entry(name.to_owned()) {
        Entry::Occupied(entry) => Some(entry.into_mut()),
        Entry::Vacant(entry) => Some(entry.insert(T::default())),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_hundred_names_and_counts_what_it_ignores() {
        let mut metrics = MetricsSnapshot::default();
        for number in 0..150 {
            metrics.count(&format!("name_{number}"), 2);
        }
        metrics.count("name_1", 3);
        metrics.count("Not a name", 1);
        metrics.observe("name_x", 1.0);
        assert_eq!(metrics.counters.len(), NAMES_MAX);
        assert_eq!(metrics.counters["name_1"], 5);
        assert_eq!(metrics.ignored, 52);
    }

    #[test]
    fn absorbs_what_one_instance_counted() {
        let mut total = MetricsSnapshot::default();
        let mut part = MetricsSnapshot::default();
        part.observe("seconds", 0.4);
        part.observe("seconds", f64::NAN);
        part.count("orders", 7);
        total.absorb(&mut part.clone());
        total.absorb(&mut part);
        assert_eq!(part, MetricsSnapshot::default());
        assert_eq!(total.counters["orders"], 14);
        assert_eq!(total.histograms["seconds"].count, 2);
        assert_eq!(total.histograms["seconds"].buckets[3], 2);
        assert_eq!(total.ignored, 2);
    }
}
