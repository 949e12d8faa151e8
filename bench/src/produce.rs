//! The producer of driver locations: a process that offers so many records a second until it is asked to stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use forebay_tests::location::{Location, evenly, is_probe};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::signal::unix::{SignalKind, signal};

/// Records are sent as they become due, this often.
const TICK: Duration = Duration::from_millis(5);
/// How often it is told how far it is.
const TELL: Duration = Duration::from_millis(50);

/// What the producer is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Offer {
    #[arg(long)]
    bootstrap: String,
    #[arg(long)]
    topic: String,
    /// Records a second
    #[arg(long)]
    rate: u64,
    /// How many records are malformed
    #[arg(long)]
    malformed: u64,
    /// Among how many, from the first one on
    #[arg(long)]
    among: u64,
    /// How many partitions have as much traffic each
    #[arg(long)]
    evenly_over: Option<u64>,
    /// Where the counts go
    #[arg(long)]
    progress: PathBuf,
}

/// How far a producer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Produced {
    /// Records handed to the client.
    pub(crate) sent: u64,
    /// Records that the broker has.
    pub(crate) acknowledged: u64,
}

/// Counts what the broker says.
#[derive(Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    refused: AtomicU64,
}

pub(crate) fn run(offer: &Offer) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(produce(offer))
}

async fn produce(offer: &Offer) -> anyhow::Result<()> {
    let producer = offer.producer()?;
    let mut stop = signal(SignalKind::terminate())?;
    let (start, mut told, mut sent) = (Instant::now(), Instant::now(), 0);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.recv() => break,
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "far below 2^53"
        )]
        let due = (start.elapsed().as_secs_f64() * offer.rate as f64) as u64;
        while sent < due && offer.send(&producer, sent)? {
            sent += 1;
        }
        if told.elapsed() > TELL {
            told = Instant::now();
            Produced { sent, ..producer.context().produced() }.tell(&offer.progress)?;
        }
    }
    producer.flush(Duration::from_secs(60)).context("send what is left")?;
    Produced { sent, ..producer.context().produced() }.tell(&offer.progress)?;
    let refused = producer.context().refused.load(Ordering::Relaxed);
    anyhow::ensure!(refused == 0, "the broker refused {refused} records");
    Ok(())
}

impl Offer {
    fn producer(&self) -> anyhow::Result<ThreadedProducer<Deliveries>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("compression.type", "lz4").set("batch.size", "500000");
        config.set("queue.buffering.max.messages", "500000");
        config.create_with_context(Deliveries::default()).context("start the producer")
    }

    /// Sends a record, stamped with the moment; returns false where the client's queue is full.
    fn send(&self, producer: &ThreadedProducer<Deliveries>, number: u64) -> anyhow::Result<bool> {
        let at_ms = jiff::Timestamp::now().as_millisecond();
        let Location { partition, key, value } = Location::new(number, at_ms, self.is_malformed(number));
        let partition = self.evenly_over.map_or(partition, |partitions| evenly(number, partitions));
        let record = BaseRecord::to(&self.topic).partition(partition).key(&key).payload(&value).timestamp(at_ms);
        match producer.send(record) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
            Err((error, _)) => Err(error).context("send a record"),
        }
    }

    /// Whether a record is malformed: they are spread evenly, and none of them is a probe.
    fn is_malformed(&self, number: u64) -> bool {
        let stride = self.among / self.malformed.max(1);
        let is_due = |number: u64| stride > 0 && number < stride * self.malformed && number % stride == stride / 2;
        is_due(number) && !is_probe(number) || number > 0 && is_due(number - 1) && is_probe(number - 1)
    }
}

impl Produced {
    /// Returns what a producer told last; none where it has not begun.
    pub(crate) fn read(progress: &Path) -> Option<Self> {
        let text = fs::read_to_string(progress).ok()?;
        let (sent, acknowledged) = text.trim_end().split_once(' ')?;
        Some(Self { sent: sent.parse().ok()?, acknowledged: acknowledged.parse().ok()? })
    }

    fn tell(self, progress: &Path) -> anyhow::Result<()> {
        let Self { sent, acknowledged } = self;
        // Whoever reads finds the counts before or these, and never none.
        let next = progress.with_extension("next");
        let written = fs::write(&next, format!("{sent} {acknowledged}\n")).and_then(|()| fs::rename(&next, progress));
        written.context("tell how far the producer is")
    }
}

impl Deliveries {
    fn produced(&self) -> Produced {
        Produced { sent: 0, acknowledged: self.acknowledged.load(Ordering::Relaxed) }
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.acknowledged } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
