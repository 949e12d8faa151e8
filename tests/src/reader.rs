//! Reading a whole topic, as a reader of committed records sees it.

use std::time::{Duration, Instant};
use std::{ptr, slice};

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_resp_err_t};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task;
use tokio::time::sleep;

use crate::kafka::Kafka;
use crate::oracle;
use crate::record::{Header, Record};

/// How long reading a topic may take.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long one poll waits; a new partition's end is reported after about that long.
const POLL: Duration = Duration::from_millis(100);
/// How long the markers of an ended transaction may take.
const MARKERS: Duration = Duration::from_secs(3);

/// Returns all committed records of a topic, partition by partition in the order of their offsets. Behind an open
/// transaction nothing is read.
pub async fn read_all(kafka: &Kafka, topic: &str) -> Vec<Record> {
    wait_markers(kafka, topic).await;
    let consumer = consumer(kafka);
    let partitions = kafka.partitions(topic).unwrap_or_else(|| panic!("there is no topic `{topic}`"));
    let topic = topic.to_owned();
    task::spawn_blocking(move || read(&consumer, &topic, partitions)).await.expect("the reading thread ends")
}

/// Returns the committed records of a topic as groups of their own partition.
pub async fn read_by_partition(kafka: &Kafka, topic: &str) -> Vec<Vec<Record>> {
    let partitions = kafka.partitions(topic).unwrap_or_else(|| panic!("there is no topic `{topic}`"));
    let mut groups = vec![Vec::new(); usize::try_from(partitions).expect("a count is not negative")];
    for record in read_all(kafka, topic).await {
        groups[usize::try_from(record.partition).expect("partitions count from 0")].push(record);
    }
    groups
}

/// The broker answers a commit or an abort before it has written the markers: waits for them, but not for transactions that
/// stay open.
async fn wait_markers(kafka: &Kafka, topic: &str) {
    let start = Instant::now();
    while oracle::stable_ends(kafka, topic) != oracle::log_ends(kafka, topic) && start.elapsed() < MARKERS {
        sleep(POLL).await;
    }
}

fn consumer(kafka: &Kafka) -> BaseConsumer {
    let mut config = kafka.client_config();
    config.set("group.id", "forebay-tests-reader").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.set("fetch.wait.max.ms", "50").set("fetch.queue.backoff.ms", "20");
    config.set("auto.offset.reset", "error");
    config.create().expect("the consumer's settings are right")
}

fn read(consumer: &BaseConsumer, topic: &str, partitions: i32) -> Vec<Record> {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("assign partitions");
    let start = Instant::now();
    let mut open: Vec<i32> = (0..partitions).collect();
    let mut records = Vec::new();
    while !open.is_empty() {
        assert!(start.elapsed() < DEADLINE, "`{topic}` was not read within {DEADLINE:?}; partitions left: {open:?}");
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => records.push(owned(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => open.retain(|own| *own != partition),
            // The client goes on by itself after every other error, or the deadline passes.
            Some(Err(_)) => {}
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn owned(message: &BorrowedMessage<'_>) -> Record {
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers(message),
    }
}

/// Reads the headers as bytes: the wrapper panics on a name that is not UTF-8.
fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let mut list: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message lives as long as its borrow, and the list belongs to it.
    let code = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut list) };
    if code != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Vec::new();
    }
    (0..).map_while(|index| header(list, index)).collect()
}

fn header(list: *const rd_kafka_headers_t, index: usize) -> Option<Header> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the list lives; past its end the call says so and writes nothing.
    let code = unsafe { rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut size) };
    if code != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return None;
    }
    // SAFETY: names end with NUL; a value that is not null has `size` bytes. Both are copied before the message ends.
    unsafe {
        let name = std::ffi::CStr::from_ptr(name).to_bytes().to_vec();
        let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
        Some((name, value))
    }
}
