//! A backlog under `rate = { max = … }`: how many rows the database sees in any one second.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context as _;

use crate::curve::Curve;
use crate::manifest::Manifest;
use crate::order::{self, Poison};
use crate::scale::Scale;
use crate::side::Measured;
use crate::stage::{DATABASE, Stage, Topic, component};
use crate::table::{Row, Table};

const RECORDS: usize = 400_000;
/// Records a second, as the manifest says.
const MAX: u32 = 20_000;
/// The most that a second may have, as a share of that.
const MAX_SHARE: f64 = 1.05;
const ROUNDS_MAX: usize = 3;

/// Orders that say when they were written.
const STAMPED: &str = "create table public.stamped (like public.orders including all, \
    at timestamptz not null default clock_timestamp())";

/// When rows were written, in microseconds.
const TIMES: &str = "select (extract(epoch from at) * 1000000)::int8 from public.stamped order by at";
const SECOND: i64 = 1_000_000;

const WHAT: &str = "draining a backlog with `rate = { max = \"20000/s\" }`, against without";
const CURVE: &str = "rows by the database's clock: the most in any one second, and on average";

/// What one setting came to: of all rounds the most in a second, of the last one the average.
struct Setting {
    label: String,
    binding: String,
    most: f64,
    average: f64,
}

pub(crate) async fn run(stage: &Stage, scale: Scale, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let rounds = rounds.min(ROUNDS_MAX);
    let topic = Topic { name: "rated", partitions: 6, records: scale.count(RECORDS), poison: Poison::None };
    eprintln!("bench: filling `{}` with {} records", topic.name, topic.records);
    stage.fill(&topic).await?;
    stage.postgres().execute(DATABASE, STAMPED).await;
    let mut limited = Setting::new(&format!("{MAX}/s"), &format!("rate = {{ max = \"{MAX}/s\" }}\n"));
    let mut unthrottled = Setting::new("unthrottled", "");
    let mut row = Row::new("rate", WHAT, None);
    for round in 1..=rounds {
        eprintln!("bench: rate, round {round} of {rounds}");
        let first = limited.drain(stage, &topic).await?;
        row.add(first, unthrottled.drain(stage, &topic).await?);
    }
    table.add(row);
    let columns = [("most in 1 s", 0), ("average/s", 0), ("most of max", 3), ("at most", 2)];
    let mut curve = Curve::new("rate", CURVE, "max", &columns);
    curve.add(limited.label, &[limited.most, limited.average, limited.most / f64::from(MAX), MAX_SHARE]);
    curve.add(unthrottled.label, &[unthrottled.most, unthrottled.average, f64::NAN, f64::NAN]);
    table.add_curve(curve);
    Ok(())
}

impl Setting {
    fn new(label: &str, binding: &str) -> Self {
        Self { label: label.to_owned(), binding: binding.to_owned(), most: 0.0, average: f64::NAN }
    }

    async fn drain(&mut self, stage: &Stage, topic: &Topic) -> anyhow::Result<Measured> {
        let manifest = stage.write(&Manifest {
            topic: topic.name,
            group: &stage.group("rate"),
            component: &component("order"),
            plugin: "",
            sink: "",
            binding: &self.binding,
            dead_letter: "{ topic = \"dead\" }",
            targets: &order::target("public.stamped"),
        })?;
        stage.empty("public.stamped").await;
        let drain = stage.drain(&manifest, topic.records).await?;
        stage.has_rows("public.stamped", topic.records).await?;
        let rows = stage.postgres().query(DATABASE, TIMES, &[]).await;
        let times = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
        self.most = self.most.max(most(&times));
        self.average = average(&times).context("rows over some time")?;
        Ok(drain.measured)
    }
}

/// Returns how many times there are in the window of one second that has most, wherever it begins.
fn most(times: &[i64]) -> f64 {
    let mut window = VecDeque::new();
    let mut most = 0;
    for time in times {
        window.push_back(*time);
        while window.front().is_some_and(|first| time - first >= SECOND) {
            window.pop_front();
        }
        most = most.max(window.len());
    }
    count(most)
}

/// Returns how many times there are a second; none where all are the same.
fn average(times: &[i64]) -> Option<f64> {
    let span = Duration::from_micros(u64::try_from(times.last()? - times.first()?).ok()?);
    (!span.is_zero()).then(|| count(times.len()) / span.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count(count: usize) -> f64 {
    count as f64
}
