//! Driver locations offered at a steady rate to a running `forebay run`: the processes, and how far each of them is.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use forebay_tests::location::{self, PARTITIONS};
use forebay_tests::oracle;
use forebay_tests::process::Process;
use tokio_postgres::Client;

use crate::cpu;
use crate::manifest::{Manifest, ManifestFile};
use crate::produce::Produced;
use crate::runtime::Runtime;
use crate::stage::{DATABASE, Stage};

/// How long what is left may take when nothing more is offered.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often it is asked whether that is done.
const LOOK: Duration = Duration::from_millis(50);

const POSITIONS: &str = "select coalesce(sum(next_offset), 0)::int8 from forebay.ledger where consumer_group = $1";

/// What is offered: records a second, and the malformed ones among the first so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    pub(crate) rate: u64,
    pub(crate) malformed: u64,
    pub(crate) among: u64,
    /// So many partitions with as much traffic each; otherwise three of twelve have more.
    pub(crate) evenly_over: Option<u64>,
}

/// How far producer and consumer are at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Since the producer started.
    pub(crate) at: Duration,
    pub(crate) produced: Produced,
    /// Below the positions of all partitions.
    pub(crate) done: u64,
    /// Whether `forebay run` was stopped.
    pub(crate) is_stopped: bool,
}

/// CPU seconds so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) forebay: f64,
    pub(crate) broker: f64,
    pub(crate) database: f64,
    pub(crate) producer: f64,
}

/// The processes; all end when it is dropped.
pub(crate) struct Offering<'a> {
    stage: &'a Stage,
    offered: Offered,
    client: Client,
    group: String,
    dead_letters: String,
    manifest: ManifestFile,
    /// None while it is stopped.
    runtime: Option<Runtime>,
    producer: Process,
    progress: PathBuf,
    start: Instant,
    looks: Vec<Look>,
}

impl<'a> Offering<'a> {
    /// Starts the runtime on topics of its own, and then the producer.
    pub(crate) async fn begin(stage: &'a Stage, offered: Offered) -> anyhow::Result<Self> {
        let group = stage.group("drivers");
        let (topic, dead_letters) = (format!("{group}.locations"), format!("{group}.dead"));
        let partitions = offered.evenly_over.unwrap_or(PARTITIONS);
        stage.kafka().create_topic(&topic, i32::try_from(partitions)?, &[]).await;
        stage.kafka().create_topic(&dead_letters, 1, &[]).await;
        stage.empty("public.drivers").await;
        let manifest = stage.write(&Manifest {
            topic: &topic,
            group: &group,
            component: location::COMPONENT,
            plugin: location::PLUGIN,
            sink: "",
            binding: "",
            dead_letter: &format!("{{ topic = \"{dead_letters}\" }}"),
            targets: location::TARGET,
        })?;
        let runtime = Runtime::start(&manifest);
        runtime.until_owns(usize::try_from(partitions)?).await?;
        let client = stage.postgres().connect(DATABASE).await;
        let progress = stage.folder().join(format!("{group}.progress"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["side-produce", "--bootstrap", &stage.kafka().bootstrap(), "--topic", &topic]).arg("--progress");
        command.arg(&progress).args(["--rate", &offered.rate.to_string()]);
        command.args(offered.evenly_over.map(|partitions| format!("--evenly-over={partitions}")));
        command.args(["--malformed", &offered.malformed.to_string(), "--among", &offered.among.to_string()]);
        let log = stage.folder().join(format!("{group}.producer.log"));
        let producer = Process::start("the producer", command, &log, libc::SIGKILL);
        let (runtime, start, looks) = (Some(runtime), Instant::now(), Vec::new());
        Ok(Self { stage, offered, client, group, dead_letters, manifest, runtime, producer, progress, start, looks })
    }

    /// Returns what is offered.
    pub(crate) fn offered(&self) -> Offered {
        self.offered
    }

    /// Looks how far both sides are, and remembers it.
    pub(crate) async fn look(&mut self) -> anyhow::Result<Look> {
        let is_over = self.producer.exit().is_some();
        anyhow::ensure!(!is_over, "the producer ended early:\n{}", self.producer.log_tail(20));
        let done = self.done().await?;
        let told = Produced::read(&self.progress);
        let produced = told.or(self.looks.last().map(|look| look.produced)).unwrap_or_default();
        let look = Look { at: self.start.elapsed(), produced, done, is_stopped: self.runtime.is_none() };
        self.looks.push(look);
        Ok(look)
    }

    /// Looks every so often for so long, and returns the first and the last of these looks.
    pub(crate) async fn look_for(&mut self, time: Duration, every: Duration) -> anyhow::Result<(Look, Look)> {
        let first = self.look().await?;
        let mut last = first;
        while last.at < first.at + time {
            tokio::time::sleep(every.min(first.at + time - last.at)).await;
            last = self.look().await?;
        }
        Ok((first, last))
    }

    /// Returns all looks so far.
    pub(crate) fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Returns the CPU seconds of every process so far.
    pub(crate) fn spent(&self) -> anyhow::Result<Spent> {
        let runtime = self.runtime.as_ref().context("`forebay run` is stopped")?;
        let broker = cpu::child("kafka.Kafka").context("find the broker's process")?;
        Ok(Spent {
            forebay: cpu::seconds(runtime.pid()).context("`forebay run` ended early")?,
            broker: cpu::seconds(broker).context("the broker ended early")?,
            database: cpu::seconds_with_children(self.stage.postgres().pid()).context("the database ended early")?,
            producer: cpu::seconds(self.producer.pid()).context("the producer ended early")?,
        })
    }

    /// Returns the seconds from the timestamp to the commit of each probe from one record to before another; a probe whose row
    /// is not there within `patience` takes for ever.
    pub(crate) async fn staleness(&self, from: u64, to: u64, patience: Duration) -> anyhow::Result<Vec<f64>> {
        let wanted = usize::try_from(location::probes_before(to) - location::probes_before(from))?;
        let (start, bounds) = (Instant::now(), (i64::try_from(from)?, i64::try_from(to)?));
        loop {
            let rows = self.client.query(location::STALENESS, &[&bounds.0, &bounds.1]).await?;
            if rows.len() >= wanted || start.elapsed() >= patience {
                let mut seconds = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<f64>, _>>()?;
                seconds.resize(wanted.max(rows.len()), f64::INFINITY);
                return Ok(seconds);
            }
            tokio::time::sleep(LOOK * 10).await;
        }
    }

    /// Stops `forebay run`; the producer goes on.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.runtime.take().context("`forebay run` is stopped")?.stop().await
    }

    /// Starts it again.
    pub(crate) fn start_again(&mut self) {
        self.runtime = Some(Runtime::start(&self.manifest));
    }

    /// Ends the producer, waits until every record is terminal, and fails unless each became what it should.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        self.producer.signal(libc::SIGTERM);
        let status = self.producer.wait_exit(DEADLINE).await;
        anyhow::ensure!(status.success(), "the producer failed:\n{}", self.producer.log_tail(20));
        let Produced { sent, acknowledged } = Produced::read(&self.progress).context("what the producer told last")?;
        anyhow::ensure!(sent == acknowledged, "the broker has {acknowledged} of {sent} records");
        let start = Instant::now();
        while self.done().await? < sent || self.letters() < self.offered.malformed {
            let (done, letters) = (self.done().await?, self.letters());
            anyhow::ensure!(start.elapsed() < DEADLINE, "{done} of {sent} records are done, {letters} dead letters");
            tokio::time::sleep(LOOK).await;
        }
        let (letters, wanted) = (self.letters(), self.offered.malformed);
        anyhow::ensure!(letters == wanted, "{letters} dead letters of {wanted} malformed records");
        let is_missing = |seconds: &f64| seconds.is_infinite();
        let missing = self.staleness(0, sent, Duration::ZERO).await?.into_iter().filter(is_missing).count();
        anyhow::ensure!(missing == 0, "{missing} drivers have no row");
        self.runtime.as_ref().context("`forebay run` is stopped")?.stop().await
    }

    async fn done(&self) -> anyhow::Result<u64> {
        let row = self.client.query_one(POSITIONS, &[&self.group]).await.context("read the positions")?;
        Ok(u64::try_from(row.try_get::<_, i64>(0)?)?)
    }

    fn letters(&self) -> u64 {
        let ends = oracle::log_ends(self.stage.kafka(), &self.dead_letters);
        ends.values().filter_map(|end| u64::try_from(*end).ok()).sum()
    }
}

impl Look {
    /// Returns how many records the consumer is behind.
    pub(crate) fn lag(self) -> u64 {
        self.produced.acknowledged.saturating_sub(self.done)
    }
}
