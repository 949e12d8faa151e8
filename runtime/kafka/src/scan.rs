//! Reading what a topic holds now, from given offsets to its end: outside of every group, without committing anything.
//!
//! The client wants a group's name and asks after its coordinator, but joins nothing, because partitions are assigned by
//! hand. A partition is done at its end as of the start: transaction markers, aborted transactions and what compaction
//! left out are no records, so the client's word that there is nothing more ends it as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use forebay_core::budget::Permit;
use forebay_core::manifest::settings::Kafka;
use forebay_core::record::{At, RawHeader, Record};
use tokio::sync::mpsc;

use crate::config;
use crate::error::Error;
use crate::raw::{Assignment, Client, Event, EventKind, Item, Message, Queue, Role};
use crate::verdict::{Code, Mend, Verdict, verdict};

const POLL_MS: i32 = 100;
/// How long no partition may have brought anything before the scan is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A quarter of this is fetched ahead.
const BUFFERED: usize = 32 << 20;
const CHUNK_RECORDS: usize = 500;
const CHUNK_BYTES: usize = 1 << 20;
/// How many chunks wait for their reader.
const CHUNKS: usize = 2;

/// A part of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset after the last.
    pub until: i64,
}

/// How far a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is to be read.
    pub stretch: Stretch,
    /// The next offset; `until` once all is read.
    pub next: i64,
}

/// A topic being read, on a thread of its own. Dropping it ends that. However slowly it is taken, no more than a few
/// megabytes wait, or the largest record.
#[derive(Debug)]
pub struct Scan {
    chunks: mpsc::Receiver<Result<Vec<Record>, Error>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lanes: Vec<Lane>,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Lane {
    stretch: Stretch,
    next: AtomicI64,
}

impl Scan {
    /// Starts to read these stretches of a topic, all at the same time; no partition may be in two of them. `group` is
    /// what the client calls itself: one that this user may ask after.
    ///
    /// # Errors
    /// If a setting is invalid, or there are no resources for a thread.
    pub fn start(kafka: &Kafka, group: &str, topic: &str, stretches: &[Stretch]) -> Result<Self, Error> {
        let mut properties = config::consumer(kafka, group, BUFFERED);
        // What retention deleted meanwhile is not there; there is no position to lose.
        properties.push(("auto.offset.reset".to_owned(), "earliest".to_owned()));
        let client = Arc::new(Client::new(Role::Consumer, &properties).map_err(Error::configuration)?);
        let queue = Queue::of_consumer(&client).ok_or_else(|| Error::fatal("no memory for a queue"))?;
        let lanes = stretches.iter().map(|stretch| Lane { stretch: *stretch, next: AtomicI64::new(stretch.from) });
        let shared = Arc::new(Shared { lanes: lanes.collect(), is_over: AtomicBool::new(false) });
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let what = format!("read {topic}");
        let reader = Reader {
            queue,
            topic: topic.into(),
            shared: Arc::clone(&shared),
            sender,
            chunk: Vec::new(),
            bytes: 0,
            trouble: None,
            last_sign: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("kafka-scan".to_owned()).spawn(move || reader.run());
        thread.map_err(|error| Error::fatal(format!("{what}: {error}")))?;
        Ok(Self { chunks, shared })
    }

    /// Returns the next records, `None` once all are read. Those of a partition come in the order of their offsets.
    ///
    /// # Errors
    /// If a partition can not be read, or no broker answers for half a minute; nothing follows then.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, Error> {
        self.chunks.recv().await.transpose()
    }

    /// Returns how far each partition is read.
    pub fn progress(&self) -> impl Iterator<Item = Progress> {
        let next = |lane: &Lane| lane.next.load(Ordering::Relaxed).clamp(lane.stretch.from, lane.stretch.until);
        self.shared.lanes.iter().map(move |lane| Progress { stretch: lane.stretch, next: next(lane) })
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

/// The thread's own.
struct Reader {
    queue: Queue,
    topic: Arc<str>,
    shared: Arc<Shared>,
    sender: mpsc::Sender<Result<Vec<Record>, Error>>,
    chunk: Vec<Record>,
    bytes: usize,
    /// What the client complained of last.
    trouble: Option<Error>,
    last_sign: Instant,
}

/// Why reading ends before its end.
enum Stop {
    /// Nobody listens any more.
    Unwanted,
    Failed(Error),
}

impl Reader {
    fn run(mut self) {
        if let Err(Stop::Failed(error)) = self.read() {
            // What was read before goes first; nobody may be left to hear of either.
            let _unwanted = self.flush().map(|()| self.sender.blocking_send(Err(error)));
        }
    }

    fn read(&mut self) -> Result<(), Stop> {
        let open = self.shared.lanes.iter().filter(|lane| lane.is_open());
        let items = open.map(|lane| Item::new(&self.topic, lane.stretch.partition, lane.stretch.from));
        let items: Vec<Item> = items.collect();
        let assigned = self.queue.client().assign(Assignment::Replace(&items));
        assigned.map_err(|(code, text)| Stop::Failed(self.failed(code, &text)))?;
        while self.shared.lanes.iter().any(Lane::is_open) {
            match self.queue.poll(POLL_MS) {
                Some(event) => self.take(&event)?,
                None => self.flush()?,
            }
            if self.chunk.len() >= CHUNK_RECORDS || self.bytes >= CHUNK_BYTES {
                self.flush()?;
            }
            if self.shared.is_over.load(Ordering::Relaxed) {
                return Err(Stop::Unwanted);
            }
            if self.last_sign.elapsed() > SILENCE_MAX {
                return Err(Stop::Failed(self.silence()));
            }
        }
        self.flush()
    }

    fn take(&mut self, event: &Event) -> Result<(), Stop> {
        match event.kind() {
            EventKind::Fetch => {
                while let Some(message) = event.message() {
                    self.record(message);
                }
                Ok(())
            }
            EventKind::Error => self.error(event),
            EventKind::Rebalance | EventKind::Commit | EventKind::Delivery | EventKind::Other => Ok(()),
        }
    }

    fn record(&mut self, message: Message<'_>) {
        self.last_sign = Instant::now();
        let (partition, offset) = (message.partition(), message.offset());
        let Some(lane) = self.lane(partition).filter(|lane| lane.is_open()) else { return };
        let Stretch { from, until, .. } = lane.stretch;
        lane.next.store(offset.saturating_add(1), Ordering::Relaxed);
        if offset + 1 >= until {
            self.end(partition);
        }
        if !(from..until).contains(&offset) {
            return;
        }
        let (timestamp_ms, leader_epoch) = (message.timestamp_ms(), message.leader_epoch());
        let at = At { topic: Arc::clone(&self.topic), partition, offset, timestamp_ms, leader_epoch };
        let mut headers: Vec<RawHeader<'_>> = Vec::new();
        message.headers(&mut headers);
        let record = Record::copy(at, message.key(), message.value(), &headers, |_| Permit::free());
        self.bytes += record.payload_bytes();
        self.chunk.push(record);
    }

    /// Takes an error: of the client, of one partition, or the end of one.
    fn error(&mut self, event: &Event) -> Result<(), Stop> {
        let code = Code(event.code());
        let item = event.partition().filter(|item| *item.topic == *self.topic);
        let Some(item) = item.filter(|item| self.lane(item.partition).is_some()) else {
            // The client's own words for this count its brokers.
            let text = if code == Code::ALL_BROKERS_DOWN { "no broker answers".to_owned() } else { event.text() };
            let error = self.failed(code.0, &text);
            tracing::debug!(%error, "a kafka connection has trouble");
            self.trouble = Some(error);
            return if event.is_fatal() { Err(Stop::Failed(self.silence())) } else { Ok(()) };
        };
        if code == Code::PARTITION_EOF {
            self.last_sign = Instant::now();
            self.end(item.partition);
            return Ok(());
        }
        let what = format!("read {} [{}]", self.topic, item.partition);
        let error = Error::of(&what, code.0, &event.text());
        match verdict(code) {
            Verdict::Unreadable | Verdict::Message | Verdict::Configuration(Mend::TopicRight) => {
                Err(Stop::Failed(error))
            }
            Verdict::Fine | Verdict::Unavailable | Verdict::Configuration(_) | Verdict::Fenced | Verdict::Fatal => {
                self.trouble = Some(error);
                Ok(())
            }
        }
    }

    /// Notes that a partition is read, and fetches no more of it.
    fn end(&self, partition: i32) {
        let Some(lane) = self.lane(partition) else { return };
        lane.next.store(lane.stretch.until, Ordering::Relaxed);
        let item = [Item::new(&self.topic, partition, 0)];
        if let Err((code, text)) = self.queue.client().assign(Assignment::Remove(&item)) {
            // More of it is fetched, and left lying.
            tracing::debug!(code, text, "a partition that is read stays assigned");
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let sent = self.sender.blocking_send(Ok(std::mem::take(&mut self.chunk)));
        // The reader's own slowness is no silence.
        self.last_sign = Instant::now();
        sent.map_err(|_| Stop::Unwanted)
    }

    fn lane(&self, partition: i32) -> Option<&Lane> {
        self.shared.lanes.iter().find(|lane| lane.stretch.partition == partition)
    }

    fn failed(&self, code: i32, text: &str) -> Error {
        Error::of(&format!("read {}", self.topic), code, text)
    }

    fn silence(&mut self) -> Error {
        let silent = || Error::unavailable(format!("read {}: no broker sent anything for {SILENCE_MAX:?}", self.topic));
        self.trouble.take().unwrap_or_else(silent)
    }
}

impl Lane {
    fn is_open(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.stretch.until
    }
}
