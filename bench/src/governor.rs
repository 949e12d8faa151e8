//! A backlog drained beside a client that reads: what the drain does to the reads, unthrottled and governed.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cpu;
use crate::curve::Curve;
use crate::distribution::Distribution;
use crate::manifest::{Manifest, ManifestFile};
use crate::order::{self, Poison};
use crate::reading::{self, ReadingClient};
use crate::runtime::Runtime;
use crate::scale::Scale;
use crate::side::{Drain, Told, measure};
use crate::stage::{DATABASE, Stage, Topic, component};
use crate::table::{Row, Table};

const RECORDS: usize = 600_000;
const PARTITIONS: u64 = 6;
/// How long reads are measured while nothing is drained.
const IDLE: Duration = Duration::from_secs(15);
const ROUNDS_MAX: usize = 3;
/// Target latencies in milliseconds, and the one whose drain is compared with the unthrottled one.
const TARGETS: [u32; 4] = [10, 25, 50, 100];
const COMPARED: u32 = 50;

const WHAT: &str = "draining a backlog with `catch-up = { target-latency = \"50ms\" }`, against without";
const CURVE: &str = "200 point reads a second by another client on the database's core, while `forebay run` drains a backlog from another one; cores that were busy";

/// A core for `forebay run` and the broker, and one for the database and whoever reads: as if they were two machines.
struct Sides {
    runtime: String,
    database: String,
}

/// What one setting came to over all rounds.
struct Setting {
    label: String,
    target_ms: Option<u32>,
    seconds: Vec<f64>,
    rates: Vec<f64>,
    /// Cores that were busy: the runtime's, the database's, the broker's.
    busy: [Vec<f64>; 3],
    reads: Vec<f64>,
}

pub(crate) async fn run(stage: &Stage, scale: Scale, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let rounds = rounds.min(ROUNDS_MAX);
    let topic = Topic { name: "backlog", partitions: PARTITIONS, records: scale.count(RECORDS), poison: Poison::None };
    eprintln!("bench: filling `{}` with {} records", topic.name, topic.records);
    stage.fill(&topic).await?;
    stage.postgres().execute(DATABASE, reading::TABLE).await;
    let cores = cpu::two_cores()?;
    let [first, second] = cores.as_slice() else { anyhow::bail!("this process may run on one core only") };
    let sides = Sides { runtime: first.to_string(), database: second.to_string() };
    sides.part(stage)?;
    let client = ReadingClient::start(&stage.url(), &sides.database);
    let idle = idle(stage, &topic, scale.time(IDLE), (&client, &sides)).await?;
    let mut row = Row::new("governor", WHAT, None);
    let mut settings: Vec<Setting> = [None].into_iter().chain(TARGETS.map(Some)).map(Setting::new).collect();
    for round in 1..=rounds {
        let mut unthrottled = None;
        for setting in &mut settings {
            eprintln!("bench: governor, {}, round {round} of {rounds}", setting.label);
            let drain = setting.drain(stage, &topic, (&client, &sides)).await?;
            match setting.target_ms {
                None => unthrottled = Some(drain.measured),
                Some(COMPARED) => row.add_beside(drain.measured, unthrottled),
                Some(_) => {}
            }
        }
    }
    table.add(row);
    table.add_curve(curve(&idle, &settings));
    sides.together(stage)
}

/// Reads while the runtime has nothing to do: its group is at the end of the topic.
async fn idle(
    stage: &Stage,
    topic: &Topic,
    time: Duration,
    (client, sides): (&ReadingClient, &Sides),
) -> anyhow::Result<Distribution> {
    let manifest = manifest(stage, topic, None)?;
    stage.empty("public.orders").await;
    stage.drain(&manifest, topic.records).await?;
    let runtime = Runtime::start(&manifest);
    cpu::pin(runtime.pid(), &sides.runtime)?;
    runtime.until_owns(usize::try_from(topic.partitions)?).await?;
    eprintln!("bench: governor, nothing to drain");
    stage.empty("public.orders").await;
    let from = Instant::now();
    tokio::time::sleep(time).await;
    let reads = client.between(from, Instant::now())?;
    runtime.stop().await?;
    Ok(Distribution::new(reads))
}

impl Setting {
    fn new(target_ms: Option<u32>) -> Self {
        let label = target_ms.map_or("unthrottled".to_owned(), |target| format!("{target}ms"));
        Self { label, target_ms, seconds: Vec::new(), rates: Vec::new(), busy: Default::default(), reads: Vec::new() }
    }

    async fn drain(
        &mut self,
        stage: &Stage,
        topic: &Topic,
        (client, sides): (&ReadingClient, &Sides),
    ) -> anyhow::Result<Drain> {
        let manifest = manifest(stage, topic, self.target_ms)?;
        stage.empty("public.orders").await;
        let before = servers(stage)?;
        let runtime = Runtime::command(&manifest);
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &sides.runtime]).arg(runtime.get_program()).args(runtime.get_args());
        let drain = measure(command, stage.folder(), &Told::Metrics(manifest.admin), topic.records).await?;
        let after = servers(stage)?;
        stage.has_rows("public.orders", topic.records).await?;
        let seconds = drain.to.duration_since(drain.from).as_secs_f64();
        self.seconds.push(seconds);
        let runtime = drain.measured.cpu * drain.measured.rate / 1e6;
        let busy = [runtime, (after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds];
        self.busy.iter_mut().zip(busy).for_each(|(all, one)| all.push(one));
        self.rates.push(drain.measured.rate);
        self.reads.extend(client.between(drain.from, drain.to)?);
        Ok(drain)
    }
}

impl Sides {
    fn part(&self, stage: &Stage) -> anyhow::Result<()> {
        cpu::pin(broker()?, &self.runtime)?;
        cpu::pin(stage.postgres().pid(), &self.database)
    }

    fn together(&self, stage: &Stage) -> anyhow::Result<()> {
        let both = format!("{},{}", self.runtime, self.database);
        cpu::pin(broker()?, &both)?;
        cpu::pin(stage.postgres().pid(), &both)
    }
}

fn broker() -> anyhow::Result<i32> {
    cpu::child("kafka.Kafka").context("find the broker's process")
}

/// CPU seconds so far of the database and the broker.
fn servers(stage: &Stage) -> anyhow::Result<[f64; 2]> {
    let broker = cpu::seconds(broker()?).context("the broker's CPU time")?;
    Ok([cpu::seconds_with_children(stage.postgres().pid()).context("the database's CPU time")?, broker])
}

fn manifest(stage: &Stage, topic: &Topic, target_ms: Option<u32>) -> anyhow::Result<ManifestFile> {
    let catch_up = |target| format!("rate = {{ catch-up = {{ target-latency = \"{target}ms\" }} }}\n");
    stage.write(&Manifest {
        topic: topic.name,
        group: &stage.group("governor"),
        component: &component("order"),
        plugin: "",
        sink: "",
        binding: &target_ms.map_or(String::new(), catch_up),
        dead_letter: "{ topic = \"dead\" }",
        targets: &order::target("public.orders"),
    })
}

fn curve(idle: &Distribution, settings: &[Setting]) -> Curve {
    let columns = [
        ("drain s", 1),
        ("of none", 2),
        ("records/s", 0),
        ("forebay", 2),
        ("database", 2),
        ("broker", 2),
        ("reads", 0),
        ("p50 ms", 2),
        ("p99 ms", 2),
        ("max ms", 1),
    ];
    let mut curve = Curve::new("governor", CURVE, "target latency", &columns);
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let line = |drained: [f64; 6], reads: &Distribution| {
        [&drained[..], &[reads.len() as f64], &reading::figures(reads)].concat()
    };
    curve.add("nothing to drain", &line([f64::NAN; 6], idle));
    let median = |values: &[f64]| Distribution::new(values.iter().copied()).percentile(50);
    let unthrottled = settings.first().map_or(f64::NAN, |setting| median(&setting.seconds));
    for setting in settings {
        let seconds = median(&setting.seconds);
        let reads = Distribution::new(setting.reads.iter().copied());
        let [runtime, database, broker] = setting.busy.each_ref().map(|busy| median(busy));
        curve.add(
            &*setting.label,
            &line([seconds, seconds / unthrottled, median(&setting.rates), runtime, database, broker], &reads),
        );
    }
    curve
}
