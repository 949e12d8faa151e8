//! Driver locations: the highest rate at which the table stays fresh, where the CPU time goes, and what a stop costs.

use std::time::{Duration, Instant};

use forebay_tests::location;

use crate::curve::Curve;
use crate::distribution::Distribution;
use crate::offering::{Look, Offered, Offering, Spent};
use crate::scale::Scale;
use crate::stage::{DATABASE, Stage};
use crate::table::Table;

/// Records a second, the highest first.
const RATES: [u64; 7] = [150_000, 100_000, 75_000, 50_000, 30_000, 20_000, 10_000];
/// The runtime is stopped at the highest rate that holds, and is not above this one: it needs room to catch up.
const STOPPED_AT_MOST: u64 = 50_000;
const MALFORMED: u64 = 47;
/// Before anything is measured: the first instances, the first connections.
const WARM: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(60);
/// How long the runtime is stopped.
const OUTAGE: Duration = Duration::from_secs(30);
/// How long it may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(300);
/// How often lag is looked at, and how often it is shown.
const LOOK: Duration = Duration::from_millis(500);
const SHOWN: Duration = Duration::from_secs(5);
/// A row is fresh within this many seconds of its record's timestamp.
const FRESH: f64 = 2.0;

const WHAT: &str =
    "driver locations, 12 partitions, 35 % of the records in three of them, 47 malformed; CPU seconds per million";
const STOP: &str =
    "`forebay run` stopped while the producer goes on, and started again: until lag is what it was before";
const LAG: &str = "the same run from its beginning: records behind";

/// What a rate came to.
pub(crate) struct Window {
    offered: f64,
    pub(crate) done: f64,
    staleness: Distribution,
    lag_max: u64,
    is_growing: bool,
    pub(crate) spent: Spent,
}

/// What a stop came to.
struct Outage {
    stopped: Duration,
    /// Records behind when the runtime started again.
    backlog: u64,
    /// Until lag was at rest; none where it never was.
    recovery: Option<Duration>,
    /// Records a second meanwhile.
    rate: f64,
}

pub(crate) async fn run(stage: &Stage, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    stage.note_commit_times().await;
    stage.postgres().execute(DATABASE, location::TABLE).await;
    let columns = [
        ("offered/s", 0),
        ("done/s", 0),
        ("p50 s", 3),
        ("p99 s", 3),
        ("lag max", 0),
        ("forebay", 2),
        ("broker", 2),
        ("database", 2),
        ("producer", 2),
    ];
    let mut curve = Curve::new("drivers", WHAT, "rate", &columns);
    let mut stopped = None;
    for rate in RATES {
        let among = rate * scale.time(WINDOW).as_secs();
        eprintln!("bench: drivers, {rate} records a second");
        let mut offering =
            Offering::begin(stage, Offered { rate, malformed: MALFORMED, among, evenly_over: None }).await?;
        let window = Window::measure(&mut offering, scale.time(WARM), scale.time(WINDOW)).await?;
        let holds = window.holds(rate);
        curve.add(format!("{rate}/s{}", if holds { ", holds" } else { "" }), &window.figures());
        if holds && rate <= STOPPED_AT_MOST && stopped.is_none() {
            eprintln!("bench: drivers, {rate} records a second, stopped and started again");
            let outage = Outage::measure(&mut offering, window.lag_max, scale).await?;
            stopped = Some((outage, lag_curve(offering.looks(), scale), rate));
        }
        if holds {
            offering.finish().await?;
        }
    }
    table.add_curve(curve);
    if let Some((outage, lags, rate)) = stopped {
        table.add_curve(outage.curve(rate));
        table.add_curve(lags);
    }
    Ok(())
}

impl Window {
    /// Lets some time pass, and looks for so long; a probe's row may come late by half of it.
    pub(crate) async fn measure(offering: &mut Offering<'_>, warm: Duration, time: Duration) -> anyhow::Result<Self> {
        offering.look_for(warm, LOOK).await?;
        let (before, looked) = (offering.spent()?, offering.looks().len());
        let (first, last) = offering.look_for(time, LOOK).await?;
        let spent = offering.spent()?;
        let staleness = offering.staleness(first.produced.sent, last.produced.sent, time / 2).await?;
        let lags: Vec<u64> = offering.looks().iter().skip(looked).map(|look| look.lag()).collect();
        let seconds = (last.at - first.at).as_secs_f64();
        let (done, sent) = (last.done - first.done, last.produced.sent - first.produced.sent);
        Ok(Self {
            offered: count(sent) / seconds,
            done: count(done) / seconds,
            staleness: Distribution::new(staleness),
            lag_max: lags.iter().copied().max().unwrap_or_default(),
            is_growing: is_growing(&lags, offering.offered().rate),
            spent: spent.since(before).per_million(count(done), count(sent)),
        })
    }

    /// The median and the 99th of a hundred, in seconds.
    pub(crate) fn staleness(&self) -> (f64, f64) {
        (self.staleness.percentile(50), self.staleness.percentile(99))
    }

    /// Whether everything was offered, rows were fresh, and lag was no more at the end than at the beginning.
    fn holds(&self, rate: u64) -> bool {
        self.offered > count(rate) * 0.98 && self.staleness.percentile(99) < FRESH && !self.is_growing
    }

    fn figures(&self) -> [f64; 9] {
        let Self { offered, done, staleness: _, lag_max, is_growing: _, spent } = self;
        let Spent { forebay, broker, database, producer } = *spent;
        let (p50, p99) = self.staleness();
        [*offered, *done, p50, p99, count(*lag_max), forebay, broker, database, producer]
    }
}

impl Outage {
    /// Stops the runtime, starts it again, and waits until the lag is at most `rest`.
    async fn measure(offering: &mut Offering<'_>, rest: u64, scale: Scale) -> anyhow::Result<Self> {
        offering.stop().await?;
        let (first, last) = offering.look_for(scale.time(OUTAGE), LOOK).await?;
        let start = Instant::now();
        offering.start_again();
        let mut look = last;
        while look.lag() > rest && start.elapsed() < scale.time(CATCH_UP) {
            tokio::time::sleep(LOOK / 5).await;
            look = offering.look().await?;
        }
        let recovery = (look.lag() <= rest).then(|| start.elapsed());
        let rate = count(look.done - last.done) / start.elapsed().as_secs_f64();
        // What comes after it is shown, too.
        offering.look_for(scale.time(SHOWN), LOOK).await?;
        Ok(Self { stopped: last.at - first.at, backlog: last.lag(), recovery, rate })
    }

    fn curve(&self, rate: u64) -> Curve {
        let columns = [("stopped s", 1), ("behind", 0), ("at rest s", 1), ("done/s", 0)];
        let mut curve = Curve::new("drivers-stop", STOP, "rate", &columns);
        let Self { stopped, backlog, recovery, rate: done } = self;
        let recovery = recovery.map_or(f64::INFINITY, |recovery| recovery.as_secs_f64());
        curve.add(format!("{rate}/s"), &[stopped.as_secs_f64(), count(*backlog), recovery, *done]);
        curve
    }
}

impl Spent {
    fn since(self, before: Self) -> Self {
        Self {
            forebay: self.forebay - before.forebay,
            broker: self.broker - before.broker,
            database: self.database - before.database,
            producer: self.producer - before.producer,
        }
    }

    /// For each million records: of those done, and what the producer spends of those sent.
    fn per_million(self, done: f64, sent: f64) -> Self {
        Self {
            forebay: self.forebay / done * 1e6,
            broker: self.broker / done * 1e6,
            database: self.database / done * 1e6,
            producer: self.producer / sent * 1e6,
        }
    }
}

/// Whether the last third of the looks is further behind than the first one, by more than what a second brings.
fn is_growing(lags: &[u64], rate: u64) -> bool {
    let third = lags.len() / 3;
    let mean = |lags: &mut dyn Iterator<Item = &u64>| count(lags.sum()) / count(third as u64);
    let (first, last) = (mean(&mut lags.iter().take(third)), mean(&mut lags.iter().rev().take(third)));
    last > first + count(rate)
}

fn lag_curve(looks: &[Look], scale: Scale) -> Curve {
    let mut curve = Curve::new("drivers-lag", LAG, "after", &[("behind", 0), ("produced", 0), ("done", 0)]);
    let mut due = Duration::ZERO;
    for look in looks {
        if look.at >= due {
            due = look.at + scale.time(SHOWN);
            let state = if look.is_stopped { ", stopped" } else { "" };
            let figures = [look.lag(), look.produced.acknowledged, look.done].map(count);
            curve.add(format!("{:.1} s{state}", look.at.as_secs_f64()), &figures);
        }
    }
    curve
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count(count: u64) -> f64 {
    count as f64
}
