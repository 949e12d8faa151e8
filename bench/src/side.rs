//! One side of a comparison: a process that drains a topic, and what is read of it meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use forebay_tests::http;
use forebay_tests::metrics::Metrics;
use forebay_tests::process::Process;
use rdkafka::ClientConfig;

use crate::cpu;

/// How often a side is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A side that takes longer than this is stuck.
const DEADLINE: Duration = Duration::from_secs(300);

/// What a side in this binary is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    #[arg(long)]
    bootstrap: String,
    #[arg(long)]
    pub(crate) topic: String,
    #[arg(long)]
    group: String,
    /// How many records there are
    #[arg(long)]
    records: usize,
    /// Where the count goes
    #[arg(long)]
    progress: PathBuf,
    #[arg(long, default_value = "")]
    pub(crate) url: String,
}

impl Given {
    /// Returns settings as good as Forebay's own: the defaults would stall a full queue for a second.
    pub(crate) fn consumer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("group.id", &self.group);
        config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        config.set("fetch.queue.backoff.ms", "50").set("fetch.wait.max.ms", "100").set("check.crcs", "true");
        config
    }
}

/// The count of a side in this binary, told through a file.
pub(crate) struct Progress {
    file: PathBuf,
    records: usize,
    count: usize,
    told: Instant,
}

impl Progress {
    pub(crate) fn new(given: &Given) -> Self {
        Self { file: given.progress.clone(), records: given.records, count: 0, told: Instant::now() }
    }

    pub(crate) fn add(&mut self, count: usize) {
        self.count += count;
        // The clock costs more than the count.
        if self.count % 1024 < count && (self.told.elapsed() > LOOK || self.is_done()) || self.is_done() {
            self.told = Instant::now();
            fs::write(&self.file, self.count.to_string()).ok();
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.count >= self.records
    }
}

/// How a side tells how far it is.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// By its metrics, on this port.
    Metrics(u16),
    /// By a file.
    File(PathBuf),
}

/// What one round of one side took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Records per second.
    pub(crate) rate: f64,
    /// CPU seconds per million records.
    pub(crate) cpu: f64,
    /// The most memory that was resident, in MiB.
    pub(crate) memory: f64,
}

/// What a side took, and when it was at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) measured: Measured,
    /// When its first records were done.
    pub(crate) from: Instant,
    /// When its last one was.
    pub(crate) to: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    count: f64,
    cpu: f64,
}

/// Runs a command until it has done `records`.
pub(crate) async fn measure(command: Command, folder: &Path, told: &Told, records: usize) -> anyhow::Result<Drain> {
    let process = Process::start("side", command, &folder.join("side.log"), libc::SIGKILL);
    let start = Instant::now();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let all = records as f64;
    let mut samples: Vec<Sample> = Vec::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let is_over = process.exit().is_some();
        anyhow::ensure!(start.elapsed() < DEADLINE, "a side is stuck:\n{}", process.log_tail(20));
        let Some(count) = told.count().await else {
            anyhow::ensure!(!is_over, "a side ended early:\n{}", process.log_tail(20));
            continue;
        };
        // A side in this binary may have ended right after its last record: its CPU time is then the one before.
        let cpu = cpu::seconds(process.pid()).or_else(|| samples.last().map(|sample| sample.cpu)).unwrap_or_default();
        samples.push(Sample { at: Instant::now(), count, cpu });
        if count >= all {
            break;
        }
        anyhow::ensure!(!is_over, "a side ended early:\n{}", process.log_tail(20));
    }
    let memory = peak_mib(process.pid()).unwrap_or_default();
    process.kill();
    let first = samples.iter().find(|sample| sample.count >= all * 0.1).copied().context("no sample")?;
    let last = samples.iter().find(|sample| sample.count >= all * 0.95).copied().context("no sample")?;
    let (done, took) = (last.count - first.count, last.at.duration_since(first.at).as_secs_f64());
    anyhow::ensure!(done > 0.0 && took > 0.0, "{records} records are too few to measure");
    let measured = Measured { rate: done / took, cpu: (last.cpu - first.cpu) / done * 1e6, memory };
    let begun = samples.iter().find(|sample| sample.count > 0.0).context("no sample")?;
    Ok(Drain { measured, from: begun.at, to: samples.last().context("no sample")?.at })
}

impl Told {
    async fn count(&self) -> Option<f64> {
        match self {
            Self::Metrics(port) => {
                let response = http::get(*port, "/metrics").await.ok()?;
                Some(Metrics::parse(&response.body).sum("forebay_records_total", &[]))
            }
            Self::File(path) => fs::read_to_string(path).ok()?.parse().ok(),
        }
    }
}

fn peak_mib(pid: i32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
