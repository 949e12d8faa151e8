//! Every second of model time, wherever it is cut.

use proptest::prelude::*;

use super::*;

/// Processes that share a rate: what each is sending, and what was seen when.
struct World {
    limiters: Vec<Limiter>,
    under_way: Vec<Vec<(Duration, u64)>>,
    seen: Vec<(Duration, u64)>,
}

impl World {
    fn new(processes: usize) -> Self {
        let limiters = vec![Limiter::new(); processes];
        Self { limiters, under_way: vec![Vec::new(); processes], seen: Vec::new() }
    }

    /// A process begins as many batches as it may; each is seen after a time.
    fn turn(&mut self, process: usize, now: Duration, latency: Duration) {
        let (limiter, under_way) = (&mut self.limiters[process], &mut self.under_way[process]);
        under_way.sort_by_key(|(end, _)| *end);
        while let Some((end, records)) = under_way.first().copied().filter(|(end, _)| *end <= now) {
            under_way.remove(0);
            limiter.end(records, records, end);
            self.seen.push((end, records));
        }
        let records = limiter.batch_max().map_or(1, NonZeroUsize::get) as u64;
        while under_way.len() < 8 && limiter.begin(records, now).is_ok() {
            under_way.push((now + latency, records));
        }
    }

    fn most_in_a_second(&mut self) -> u64 {
        self.seen.sort_unstable();
        let mut most = 0;
        for (index, (from, _)) in self.seen.iter().enumerate() {
            let second = self.seen[index..].iter().take_while(|(at, _)| *at < *from + WINDOW);
            most = most.max(second.map(|(_, records)| records).sum());
        }
        most
    }

    fn total(&self) -> u64 {
        self.seen.iter().map(|(_, records)| records).sum()
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Latencies that jump, partitions that move between two processes.
    #[test]
    fn no_second_sees_more(
        max in 20_u64..5_000,
        latencies in prop::collection::vec(1_u64..900, 1..20),
        moves in prop::collection::vec(0_u64..7, 1..8),
    ) {
        let mut world = World::new(2);
        let mut owned = [0, 0];
        world.limiters.iter_mut().for_each(|limiter| limiter.set(Some(max), 0, 6, Duration::ZERO));
        for at in 0..20_000_u64 {
            let now = ms(at);
            let first = moves[usize::try_from(at / 3_000).unwrap() % moves.len()].min(6);
            let next = [first, 6 - first];
            for (process, other) in [(0, 1), (1, 0)] {
                // Who loses partitions knows it first; who gets them has acquired them once what the other had under way ended.
                let is_free = at % 3_000 >= 900 || world.under_way[other].is_empty();
                if next[process] < owned[process] || (next[process] > owned[process] && is_free) {
                    owned[process] = next[process];
                    world.limiters[process].set(Some(max), next[process], 6, now);
                }
            }
            let latency = ms(latencies[usize::try_from(at / 100).unwrap() % latencies.len()]);
            world.turn(0, now, latency);
            world.turn(1, now, latency);
        }
        let most = world.most_in_a_second();
        prop_assert!(most * 100 <= max * 105 + 200, "{} in a second, the rate is {}", most, max);
    }
}

#[test]
fn the_average_is_the_rate_while_transactions_are_short() {
    for max in [7, 100, 1_000, 100_000] {
        let mut world = World::new(1);
        world.limiters[0].set(Some(max), 1, 1, Duration::ZERO);
        for at in 0..10_000 {
            world.turn(0, ms(at), ms(10));
        }
        let total = world.total();
        assert!(total >= max * 97 / 10 && total <= max * 10 + max / 20, "{total} of {}", max * 10);
    }
}

#[test]
fn a_quiet_hour_saves_nothing_up() {
    let mut limiter = Limiter::new();
    limiter.set(Some(300), 1, 1, Duration::ZERO);
    let hour = Duration::from_secs(3600);
    assert_eq!(limiter.begin(10, hour), Ok(()));
    // Of a twentieth of a second's 15 there are 5 left, and the other 5 come in a sixtieth.
    let Err(Full::Until(at)) = limiter.begin(10, hour) else { panic!("a burst") };
    assert_eq!(at.as_millis(), hour.as_millis() + 16);
}

#[test]
fn a_share_of_a_small_rate_is_exact_and_of_nothing_nothing_goes() {
    let mut limiter = Limiter::new();
    limiter.set(Some(1), 1, 4, Duration::ZERO);
    let begun = (0..100_u64).filter(|second| limiter.begin(1, Duration::from_secs(*second)).is_ok()).count();
    assert_eq!(begun, 1, "the first is under way");
    limiter.end(1, 1, Duration::from_secs(100));
    let mut begun = 0;
    for second in 101..=200 {
        if limiter.begin(1, Duration::from_secs(second)).is_ok() {
            begun += 1;
            limiter.end(1, 1, Duration::from_secs(second));
        }
    }
    assert_eq!(begun, 25);
    limiter.set(Some(1), 0, 4, Duration::from_secs(200));
    assert_eq!(limiter.begin(1, Duration::from_secs(300)), Err(Full::UntilAnEnd));
}

#[test]
fn more_holds_a_second_later_and_less_at_once() {
    let mut limiter = Limiter::new();
    limiter.set(Some(60), 0, 6, Duration::ZERO);
    limiter.set(Some(60), 6, 6, ms(5));
    assert_eq!((limiter.begin(1, ms(5)), limiter.rate()), (Err(Full::Until(ms(1_005))), Some(60.0)));
    limiter.set(Some(60), 6, 6, ms(500));
    assert_eq!(limiter.begin(1, ms(1_004)), Err(Full::Until(ms(1_005))), "the same again puts nothing off");
    assert!(limiter.begin(1, ms(1_005)).is_err(), "it begins with nothing");
    assert_eq!(limiter.begin(1, ms(1_022)), Ok(()));
    limiter.set(Some(60), 0, 6, ms(1_023));
    assert_eq!(limiter.begin(1, ms(9_000)), Err(Full::UntilAnEnd));
}

#[test]
fn what_failed_did_not_happen() {
    let mut limiter = Limiter::new();
    limiter.set(Some(30), 1, 1, Duration::ZERO);
    for turn in 1..=120 {
        let now = ms(turn * 34);
        assert_eq!(limiter.begin(1, now), Ok(()), "{turn}");
        limiter.end(1, 0, now);
    }
}
