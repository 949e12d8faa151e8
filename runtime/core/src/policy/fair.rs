//! Who computes next: each binding gets the same share of the workers' time, and what one does not use is the others'.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996) with equal weights: whoever has used the least is next, and who was
//! idle does not come back with a claim on the time it did not want. What runs is not interrupted, so a binding whose pieces
//! take long may not hold every worker while others have lately had work.

use std::collections::BTreeMap;
use std::time::Duration;

/// A piece of work is cut so that it takes about this long.
pub const PIECE: Duration = Duration::from_millis(4);

/// From here on a piece keeps others waiting.
const SLOW: Duration = Duration::from_millis(25);

/// For so long after its last piece a binding may come back at any moment.
const LATELY: Duration = Duration::from_secs(10);

/// The books of all who compute.
#[derive(Debug, Clone)]
pub struct Fair<K> {
    users: BTreeMap<K, User>,
    /// The time used by whoever was chosen last.
    clock: Duration,
}

#[derive(Debug, Clone, Default)]
struct User {
    used: Duration,
    /// The workers that it holds.
    busy: usize,
    is_slow: bool,
    seen: Duration,
}

impl<K: Ord + Clone> Fair<K> {
    /// Returns empty books.
    pub fn new() -> Self {
        Self { users: BTreeMap::new(), clock: Duration::ZERO }
    }

    /// Chooses who of those that wait gets one of so many workers; nobody, where the rest is kept for others.
    pub fn choose<'k>(&mut self, waiting: impl Iterator<Item = &'k K>, workers: usize, now: Duration) -> Option<K>
    where
        K: 'k,
    {
        self.users.retain(|_, user| user.busy > 0 || now < user.seen + LATELY);
        let used = |key: &K| self.users.get(key).map_or(self.clock, |user| user.used.max(self.clock));
        let next = waiting.filter(|key| self.may_take(key, workers)).min_by_key(|key| used(key))?.clone();
        let used = used(&next);
        self.clock = used;
        let user = self.users.entry(next.clone()).or_default();
        (user.used, user.seen) = (used, now);
        user.busy += 1;
        Some(next)
    }

    /// A piece has ended, after so long on its worker.
    pub fn end(&mut self, key: &K, took: Duration, now: Duration) {
        if let Some(user) = self.users.get_mut(key) {
            user.used += took;
            user.busy = user.busy.saturating_sub(1);
            (user.is_slow, user.seen) = (took > SLOW, now);
        }
    }

    fn may_take(&self, key: &K, workers: usize) -> bool {
        let Some(user) = self.users.get(key) else { return true };
        let is_last = user.busy > 0 && user.busy + 1 >= workers;
        !(is_last && user.is_slow && self.users.keys().any(|other| other != key))
    }
}

impl<K: Ord + Clone> Default for Fair<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Runs so many milliseconds of model time: workers take pieces of those who always have work.
    fn run(fair: &mut Fair<&'static str>, takes: &[(&'static str, u64)], workers: usize, span: u64) -> Vec<u64> {
        let mut running: Vec<(u64, &'static str)> = Vec::new();
        let mut done = vec![0; takes.len()];
        for at in 0..span {
            for (_, key) in running.extract_if(.., |(end, _)| *end <= at) {
                let index = takes.iter().position(|(name, _)| *name == key).unwrap();
                fair.end(&key, ms(takes[index].1), ms(at));
                done[index] += takes[index].1;
            }
            while running.len() < workers {
                let Some(key) = fair.choose(takes.iter().map(|(name, _)| name), workers, ms(at)) else { break };
                let took = takes.iter().find(|(name, _)| *name == key).unwrap().1;
                running.push((at + took, key));
            }
        }
        done
    }

    #[test]
    fn time_is_shared_however_long_pieces_are() {
        for workers in [1, 2, 4] {
            let done = run(&mut Fair::new(), &[("long", 20), ("short", 1)], workers, 10_000);
            let ratio = done[0] as f64 / done[1] as f64;
            assert!((0.9..1.15).contains(&ratio), "{done:?} with {workers}");
        }
    }

    #[test]
    fn one_alone_has_all_workers_and_a_slow_one_leaves_one_to_others() {
        let done = run(&mut Fair::new(), &[("spins", 500)], 2, 10_000);
        assert!(done[0] >= 19_000, "{done:?}");
        let mut fair = Fair::new();
        let _another_was_here = fair.choose(["quick"].iter(), 2, ms(0));
        fair.end(&"quick", ms(1), ms(1));
        let keys = ["spins"];
        assert_eq!(fair.choose(keys.iter(), 2, ms(2)), Some("spins"));
        fair.end(&"spins", ms(500), ms(502));
        assert_eq!(fair.choose(keys.iter(), 2, ms(502)), Some("spins"));
        assert_eq!(fair.choose(keys.iter(), 2, ms(503)), None, "the other one may come back");
        assert_eq!(fair.choose(["quick"].iter(), 2, ms(504)), Some("quick"));
        fair.end(&"quick", ms(1), ms(505));
        assert_eq!(fair.choose(keys.iter(), 2, ms(60_000)), Some("spins"), "nobody else is left");
    }

    #[test]
    fn who_was_idle_has_no_claim_on_the_past() {
        let mut fair = Fair::new();
        run(&mut fair, &[("busy", 4)], 1, 8_000);
        let done = run(&mut fair, &[("busy", 4), ("new", 4)], 1, 1_000);
        assert!(done[0] > 400, "{done:?}");
    }
}
