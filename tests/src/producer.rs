//! Producing records, and remembering which of them the broker acknowledged and where.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_headers_t, rd_kafka_resp_err_t};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, DeliveryResult, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::kafka::Kafka;
use crate::record::Header;
use crate::wait;

/// How long the broker may take to acknowledge everything, or to end a transaction.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where an acknowledged record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ack {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// An idempotent producer, plain or transactional.
pub struct Producer {
    client: ThreadedProducer<Deliveries>,
    sent: AtomicUsize,
}

/// What the broker said, by ticket.
#[derive(Default)]
struct Deliveries {
    results: Mutex<Vec<Option<Result<Ack, String>>>>,
    count: AtomicUsize,
}

impl Producer {
    /// Returns a producer for `kafka`.
    pub fn new(kafka: &Kafka) -> Self {
        Self::with(kafka, &[])
    }

    /// Returns a producer whose records belong to transactions of that id.
    pub fn transactional(kafka: &Kafka, id: &str) -> Self {
        let producer = Self::with(kafka, &[("transactional.id", id), ("transaction.timeout.ms", "120000")]);
        producer.client.init_transactions(DEADLINE).expect("the broker knows the transactional id");
        producer
    }

    /// Returns a producer with further settings of the client's.
    pub fn with(kafka: &Kafka, properties: &[(&str, &str)]) -> Self {
        let mut config = kafka.client_config();
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("compression.type", "lz4");
        config.set("queue.buffering.max.messages", "400000").set("queue.buffering.max.kbytes", "524288");
        config.set("message.timeout.ms", "120000").set("message.max.bytes", "8388608");
        for (key, value) in properties {
            config.set(*key, *value);
        }
        let client = config.create_with_context(Deliveries::default()).expect("the producer's settings are right");
        Self { client, sent: AtomicUsize::new(0) }
    }

    /// Hands a record over and returns its ticket: 0 for the first, 1 for the second. Waits only while the client's queue is full.
    pub fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> usize {
        self.send_at(None, topic, partition, (key, value), headers)
    }

    /// Like [`send`](Self::send), with a timestamp of the record's own: milliseconds since the Unix epoch.
    pub fn send_at(
        &self,
        timestamp_ms: Option<i64>,
        topic: &str,
        partition: i32,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        headers: &[Header],
    ) -> usize {
        let ticket = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut record = BaseRecord::with_opaque_to(topic, ticket).partition(partition);
        record.timestamp = timestamp_ms;
        record.key = key;
        record.payload = value;
        if !headers.is_empty() {
            record.headers = Some(raw(headers));
        }
        loop {
            match self.client.send(record) {
                Ok(()) => return ticket,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => record = back,
                Err((error, _)) => panic!("produce to `{topic}` [{partition}]: {error}"),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Hands one record over, waits for the broker, and returns where it lies.
    pub async fn send_one(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Ack {
        let ticket = self.send(topic, partition, key, value, headers);
        self.flush().await[ticket]
    }

    /// Waits until all is acknowledged, and returns where each record lies, by ticket.
    pub async fn flush(&self) -> Vec<Ack> {
        let results = self.settle().await.into_iter().enumerate();
        results.map(|(ticket, result)| result.unwrap_or_else(|error| panic!("record {ticket}: {error}"))).collect()
    }

    /// Waits until every record is acknowledged or given up, and returns which, by ticket: for runs that kill the broker.
    pub async fn settle(&self) -> Vec<Result<Ack, String>> {
        let sent = self.sent.load(Ordering::Relaxed);
        let deliveries = self.client.context();
        let count = || deliveries.count.load(Ordering::Acquire);
        let dump = || format!("{} of {sent} records have an answer", count());
        wait::until_or_dump(DEADLINE, "the broker to acknowledge", async || count() >= sent, dump).await;
        let results = deliveries.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.iter().take(sent).map(|result| result.clone().expect("every ticket has an answer")).collect()
    }

    /// Begins a transaction.
    pub fn begin(&self) {
        self.client.begin_transaction().expect("begin a transaction");
    }

    /// Commits the transaction; the records' acknowledgements are in before, its markers come a moment after.
    pub fn commit(&self) {
        self.client.commit_transaction(DEADLINE).expect("commit a transaction");
    }

    /// Aborts the transaction: its records stay in the log and no reader of committed ones sees them.
    pub fn abort(&self) {
        // What was not sent yet would never reach the log.
        self.client.flush(DEADLINE).expect("send what is aborted");
        self.client.abort_transaction(DEADLINE).expect("abort a transaction");
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        let result = match result {
            Ok(message) => Ok(Ack { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.to_string()),
        };
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if results.len() <= ticket {
            results.resize(ticket + 1, None);
        }
        results[ticket] = Some(result);
        self.count.fetch_add(1, Ordering::Release);
    }
}

/// Builds headers of any bytes: the wrapper takes names as `str` only.
fn raw(headers: &[Header]) -> OwnedHeaders {
    let owned = OwnedHeaders::new_with_capacity(headers.len());
    let list: *const BorrowedHeaders = owned.as_borrowed();
    let list = list.cast_mut().cast::<rd_kafka_headers_t>();
    let length = |bytes: &[u8]| isize::try_from(bytes.len()).expect("a slice is no longer than that");
    for (name, value) in headers {
        let (bytes, size) = value.as_ref().map_or((std::ptr::null(), 0), |value| (value.as_ptr(), length(value)));
        // SAFETY: the wrapper's borrowed headers *are* the client's list (it casts the pointer itself); we alone own it;
        // name and value are copied, by the lengths given.
        let code = unsafe { rd_kafka_header_add(list, name.as_ptr().cast(), length(name), bytes.cast(), size) };
        assert_eq!(code, rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "add header {name:?}");
    }
    owned
}
