//! A database in model time: rows share its speed, so that each batch takes as long as all that is under way. Hours pass
//! with steps, noise, outages, and with ten processes that know nothing of each other.

use super::*;

const TARGET: Duration = Duration::from_millis(50);

/// A way to limit what is under way.
trait Limit {
    fn begin(&mut self, records: u64) -> bool;
    fn batch_max(&self) -> u64;
    fn end(&mut self, sample: Sample);
    fn give_up(&mut self, records: u64);
}

impl Limit for Governor {
    fn begin(&mut self, records: u64) -> bool {
        Self::begin(self, records)
    }
    fn batch_max(&self) -> u64 {
        Self::batch_max(self).get() as u64
    }
    fn end(&mut self, sample: Sample) {
        Self::end(self, sample);
    }
    fn give_up(&mut self, records: u64) {
        Self::give_up(self, records);
    }
}

/// What was not chosen: Brakmo and Peterson's TCP Vegas (1994), for a limit in records. It keeps between two and four batches
/// queued over what the least delay ever seen would allow.
struct Vegas {
    limit: f64,
    under_way: u64,
    least: f64,
}

impl Limit for Vegas {
    fn begin(&mut self, records: u64) -> bool {
        let goes = self.under_way == 0 || precise(self.under_way + records) <= self.limit;
        self.under_way += if goes { records } else { 0 };
        goes
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 8 and 50,000")]
    fn batch_max(&self) -> u64 {
        (self.limit / BATCHES) as u64
    }
    fn end(&mut self, sample: Sample) {
        self.give_up(sample.records);
        // Of a record, since batches are of different sizes.
        let took = (sample.ended - sample.begun).as_secs_f64();
        self.least = self.least.min(took);
        let queued = self.limit * (1.0 - self.least / took.max(f64::MIN_POSITIVE));
        let whole = precise(sample.records) / self.limit;
        self.limit += if queued < 2.0 * STEP {
            STEP
        } else if queued > 4.0 * STEP {
            -STEP
        } else {
            0.0
        } * whole;
        self.limit = self.limit.clamp(LEAST, MOST);
    }
    fn give_up(&mut self, records: u64) {
        self.under_way -= records;
    }
}

struct Process<L> {
    limit: L,
    /// When a batch was sent, its rows, and what of them is not done.
    batches: Vec<(Duration, u64, f64)>,
    done: u64,
    was_limited: bool,
}

struct Model<L> {
    processes: Vec<Process<L>>,
    now: Duration,
    seed: u64,
    /// How long batches took, in the order of their ends.
    took: Vec<(Duration, Duration)>,
}

impl<L: Limit> Model<L> {
    fn new() -> Self {
        Self { processes: Vec::new(), now: Duration::ZERO, seed: 7, took: Vec::new() }
    }

    fn join(&mut self, limit: L) {
        self.processes.push(Process { limit, batches: Vec::new(), done: 0, was_limited: false });
    }

    /// Lets time pass under a database that does so many rows in a second, give or take its noise.
    fn run(&mut self, span: Duration, speed: f64, noise: f64) {
        const STEP: Duration = Duration::from_millis(1);
        let end = self.now + span;
        while self.now < end {
            self.now += STEP;
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let chance = (self.seed >> 33) as f64 / f64::from(u32::MAX >> 1);
            let rows = speed / 1000.0 * (1.0 + noise * (2.0 * chance - 1.0));
            let busy: usize = self.processes.iter().map(|process| process.batches.len()).sum();
            for process in &mut self.processes {
                process.turn(self.now, rows / busy.max(1) as f64, &mut self.took);
            }
        }
    }

    /// The sink is away: what is under way is lost, and nothing is sent.
    fn outage(&mut self, span: Duration) {
        for process in &mut self.processes {
            for (_, records, _) in process.batches.drain(..) {
                process.limit.give_up(records);
            }
        }
        self.now += span;
    }

    /// The rows in a second since `before`.
    fn pace(&self, before: &[u64], since: Duration) -> Vec<f64> {
        let span = (self.now - since).as_secs_f64();
        let done = self.processes.iter().zip(before.iter().chain(std::iter::repeat(&0)));
        done.map(|(process, before)| (process.done - before) as f64 / span).collect()
    }

    fn done(&self) -> Vec<u64> {
        self.processes.iter().map(|process| process.done).collect()
    }

    /// The time that half of the batches since then stayed under.
    fn median(&self, since: Duration) -> Duration {
        let mut took: Vec<Duration> = self.took.iter().filter(|(at, _)| *at >= since).map(|(_, took)| *took).collect();
        took.sort_unstable();
        took[took.len() / 2]
    }
}

impl<L: Limit> Process<L> {
    fn turn(&mut self, now: Duration, rows: f64, took: &mut Vec<(Duration, Duration)>) {
        let was_limited = self.was_limited;
        for (_, _, left) in &mut self.batches {
            *left -= rows;
        }
        let (ended, batches) = self.batches.drain(..).partition(|(_, _, left)| *left <= 0.0);
        self.batches = batches;
        let ended: Vec<(Duration, u64, f64)> = ended;
        for (begun, records, _) in ended {
            self.limit.end(Sample { records, begun, ended: now, was_limited });
            self.done += records;
            took.push((now, now - begun));
        }
        // Six lanes, each with a batch; a backlog that does not end.
        let records = self.limit.batch_max().clamp(1, 5_000);
        self.was_limited = false;
        while self.batches.len() < 6 {
            if !self.limit.begin(records) {
                self.was_limited = true;
                break;
            }
            self.batches.push((now, records, records as f64));
        }
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Jain's index of fairness: 1 where all are equal, 1/n where one has all.
fn fairness(paces: &[f64]) -> f64 {
    let (sum, squares) = paces.iter().fold((0.0, 0.0), |(sum, squares), pace| (sum + pace, squares + pace * pace));
    sum * sum / (squares * paces.len() as f64)
}

#[test]
fn alone_it_stays_at_the_target_through_steps_and_noise_and_comes_back() {
    let mut model = Model::new();
    model.join(Governor::new(TARGET));
    for round in 0..60 {
        // A free database, one of which others take four fifths, and a free one again.
        for speed in [100_000.0, 20_000.0, 60_000.0] {
            model.run(seconds(2), speed, 0.5);
            let (since, before) = (model.now, model.done());
            model.run(seconds(40), speed, 0.5);
            let (pace, median) = (model.pace(&before, since)[0], model.median(since));
            assert!(pace > 0.85 * speed, "{pace} of {speed} in round {round}");
            assert!(median < TARGET * 11 / 10, "{median:?} in round {round}");
            model.took.clear();
        }
    }
}

#[test]
fn an_outage_teaches_it_nothing() {
    let mut model = Model::new();
    model.join(Governor::new(TARGET));
    model.run(seconds(60), 50_000.0, 0.2);
    let before = model.processes[0].limit.limit();
    model.outage(seconds(600));
    assert_eq!(model.processes[0].limit.limit().to_bits(), before.to_bits());
    let (since, done) = (model.now, model.done());
    model.run(seconds(2), 50_000.0, 0.2);
    assert!(model.pace(&done, since)[0] > 40_000.0, "at once");
}

#[test]
fn what_never_fills_it_never_grows_it() {
    let mut governor = Governor::new(TARGET);
    for at in 0..100_000_u64 {
        assert!(governor.begin(1));
        let begun = Duration::from_millis(at);
        governor.end(Sample { records: 1, begun, ended: begun + Duration::from_millis(1), was_limited: false });
    }
    assert_eq!(governor.limit().to_bits(), START.to_bits(), "a backlog after a quiet night meets no open gate");
}

#[test]
fn ten_processes_come_to_equal_shares_and_the_database_stays_at_its_knee() {
    let mut model = Model::new();
    for _ in 0..5 {
        model.join(Governor::new(TARGET));
    }
    model.run(seconds(300), 80_000.0, 0.3);
    for _ in 0..5 {
        model.join(Governor::new(TARGET));
    }
    model.run(seconds(300), 80_000.0, 0.3);
    let (since, before) = (model.now, model.done());
    model.run(seconds(3_600), 80_000.0, 0.3);
    let paces = model.pace(&before, since);
    let (all, index, median) = (paces.iter().sum::<f64>(), fairness(&paces), model.median(since));
    assert!(index > 0.95, "{paces:?}");
    assert!(all > 0.85 * 80_000.0 && median < TARGET * 12 / 10, "{all} {median:?}");
    model.processes.truncate(2);
    model.run(seconds(30), 80_000.0, 0.3);
    let (since, before) = (model.now, model.done());
    model.run(seconds(30), 80_000.0, 0.3);
    let all: f64 = model.pace(&before, since).iter().sum();
    assert!(all > 0.85 * 80_000.0, "{all}: what others leave is taken");
}

/// How long half of the batches stay under, when so many processes have a backlog.
fn median_of<L: Limit>(processes: usize, limit: impl Fn() -> L) -> Duration {
    let mut model = Model::new();
    (0..processes).for_each(|_| model.join(limit()));
    model.run(seconds(300), 80_000.0, 0.3);
    let since = model.now;
    model.run(seconds(300), 80_000.0, 0.3);
    model.median(since)
}

#[test]
fn more_processes_wait_no_longer_as_they_would_with_a_queue_of_each_ones_own() {
    let vegas = || Vegas { limit: START, under_way: 0, least: f64::INFINITY };
    let (one, ten) = (median_of(1, vegas), median_of(10, vegas));
    assert!(ten > 2 * one, "{one:?} {ten:?}");
    let (one, ten) = (median_of(1, || Governor::new(TARGET)), median_of(10, || Governor::new(TARGET)));
    assert!(ten < one * 12 / 10, "{one:?} {ten:?}");
}
