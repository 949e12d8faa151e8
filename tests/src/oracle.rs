//! The oracle: compares what the broker acknowledged with what became of it, and positions with one another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio_postgres::Client;

use crate::kafka::Kafka;
use crate::reader;
use crate::record::Record;

/// How long one question to the broker may take.
const REQUEST: Duration = Duration::from_secs(20);

/// A partition of a topic.
pub type Place = (String, i32);

/// What went in and what came out, as ids.
#[derive(Debug, Clone)]
pub struct Fates<T> {
    /// The records the broker acknowledged.
    pub acknowledged: BTreeSet<T>,
    /// Those found applied, as often as they are found.
    pub applied: Vec<T>,
    /// Those found in the dead-letter topic, repeats under one `forebay.id` counted once.
    pub dead_lettered: Vec<T>,
    /// Those the handler was to skip.
    pub skipped: BTreeSet<T>,
}

/// A dead letter and what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// `__dlq.errors.topic`, `.partition`, `.offset`: where the record came from.
    pub origin: (String, i32, i64),
    /// `forebay.id`.
    pub id: String,
    /// `forebay.failure.class`.
    pub class: String,
    /// `forebay.failure.code`.
    pub code: String,
    /// The letter.
    pub record: Record,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The position.
    pub next_offset: i64,
    /// Counts the owners.
    pub owner_epoch: i64,
    /// The binding that writes it.
    pub binding: Option<String>,
}

/// What a group has committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// The metadata beside it.
    pub metadata: String,
}

impl<T: Ord + Clone + Debug> Fates<T> {
    /// Panics unless every acknowledged record has exactly one fate, once.
    pub fn assert_exact(&self) {
        let report = self.report();
        assert!(report.is_empty(), "{} records were acknowledged;{report}", self.acknowledged.len());
    }

    /// Says what is wrong; empty where nothing is.
    pub fn report(&self) -> String {
        let applied: BTreeSet<&T> = self.applied.iter().collect();
        let dead: BTreeSet<&T> = self.dead_lettered.iter().collect();
        let skipped: BTreeSet<&T> = self.skipped.iter().collect();
        let all: BTreeSet<&T> = self.acknowledged.iter().collect();
        let has_fate = |id: &&T| applied.contains(id) || dead.contains(id) || skipped.contains(id);
        let mut report = String::new();
        let mut say = |what: &str, ids: Vec<&T>| {
            if !ids.is_empty() {
                write!(report, "\n  {} {what}: {:?}", ids.len(), &ids[..ids.len().min(10)]).expect("text grows");
            }
        };
        say("lost", all.iter().copied().filter(|id| !has_fate(id)).collect());
        say("applied more than once", repeated(&self.applied));
        say("dead-lettered more than once", repeated(&self.dead_lettered));
        say("both applied and dead-lettered", applied.intersection(&dead).copied().collect());
        say("to be skipped, yet applied", applied.intersection(&skipped).copied().collect());
        say("to be skipped, yet dead-lettered", dead.intersection(&skipped).copied().collect());
        say(
            "never acknowledged, yet applied or dead-lettered",
            applied.union(&dead).copied().filter(|id| !all.contains(id)).collect(),
        );
        report
    }
}

fn repeated<T: Ord>(ids: &[T]) -> Vec<&T> {
    let mut seen = BTreeSet::new();
    ids.iter().filter(|id| !seen.insert(*id)).collect()
}

/// Returns the first column of a query, as text: the ids found in a table.
pub async fn ids(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("run `{sql}`: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Returns the dead letters of a topic, one for each `forebay.id`: a crash may repeat one.
pub async fn dead_letters(kafka: &Kafka, topic: &str) -> Vec<DeadLetter> {
    let mut seen = BTreeSet::new();
    let letters = reader::read_all(kafka, topic).await.into_iter().map(DeadLetter::read);
    letters.filter(|letter| seen.insert(letter.id.clone())).collect()
}

impl DeadLetter {
    /// Reads what the headers say; panics where one of the promised ones is missing.
    pub fn read(record: Record) -> Self {
        let text = |name: &str| {
            let value = record.header(name).unwrap_or_else(|| panic!("no header `{name}` in {record:?}"));
            value.to_owned()
        };
        let number = |name: &str| -> i64 {
            text(name).parse().unwrap_or_else(|_| panic!("`{name}` is no number in {record:?}"))
        };
        let partition = i32::try_from(number("__dlq.errors.partition")).expect("a partition's number");
        Self {
            origin: (text("__dlq.errors.topic"), partition, number("__dlq.errors.offset")),
            id: text("forebay.id"),
            class: text("forebay.failure.class"),
            code: text("forebay.failure.code"),
            record,
        }
    }
}

/// Returns a group's rows of the ledger.
pub async fn ledger(client: &Client, group: &str) -> BTreeMap<Place, LedgerRow> {
    let sql =
        "select topic, partition, next_offset, owner_epoch, binding from forebay.ledger where consumer_group = $1";
    let rows = client.query(sql, &[&group]).await.unwrap_or_else(|error| panic!("read the ledger: {error:?}"));
    let row = |row: &tokio_postgres::Row| {
        let ledger = LedgerRow { next_offset: row.get(2), owner_epoch: row.get(3), binding: row.get(4) };
        ((row.get(0), row.get(1)), ledger)
    };
    rows.iter().map(row).collect()
}

/// Returns what a group has committed for each partition of a topic; partitions without an offset are left out.
pub fn committed(kafka: &Kafka, group: &str, topic: &str) -> BTreeMap<Place, Committed> {
    let mut config = kafka.client_config();
    let consumer: BaseConsumer = config.set("group.id", group).create().expect("the consumer's settings are right");
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions(kafka, topic) - 1);
    let offsets = consumer.committed_offsets(list, REQUEST).expect("ask for committed offsets");
    let elements = offsets.elements();
    let found = elements.iter().filter_map(|element| {
        let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
        let committed = Committed { offset, metadata: element.metadata().to_owned() };
        Some(((topic.to_owned(), element.partition()), committed))
    });
    found.collect()
}

/// Returns the end of the log of each partition of a topic, open transactions included.
pub fn log_ends(kafka: &Kafka, topic: &str) -> BTreeMap<Place, i64> {
    ends(kafka, topic, "read_uncommitted")
}

/// Returns how far a reader of committed records may read each partition of a topic.
pub fn stable_ends(kafka: &Kafka, topic: &str) -> BTreeMap<Place, i64> {
    ends(kafka, topic, "read_committed")
}

fn ends(kafka: &Kafka, topic: &str, isolation: &str) -> BTreeMap<Place, i64> {
    let mut config = kafka.client_config();
    config.set("isolation.level", isolation);
    let consumer: BaseConsumer = config.create().expect("the consumer's settings are right");
    let ends = (0..partitions(kafka, topic)).map(|partition| {
        let (_, end) = consumer.fetch_watermarks(topic, partition, REQUEST).expect("ask for the log's end");
        ((topic.to_owned(), partition), end)
    });
    ends.collect()
}

/// Panics unless the ledger's positions, the group's offsets and the ends of the log are the same for every partition.
pub async fn assert_at_rest(kafka: &Kafka, client: &Client, group: &str, topics: &[&str]) {
    let ledger: BTreeMap<Place, i64> =
        ledger(client, group).await.into_iter().map(|(place, row)| (place, row.next_offset)).collect();
    let ends: BTreeMap<Place, i64> = topics.iter().flat_map(|topic| log_ends(kafka, topic)).collect();
    let committed = topics.iter().flat_map(|topic| committed(kafka, group, topic));
    let committed: BTreeMap<Place, i64> = committed.map(|(place, committed)| (place, committed.offset)).collect();
    assert_eq!(ledger, ends, "the ledger's positions (left) are the ends of the log (right)");
    assert_eq!(committed, ends, "the group's offsets (left) are the ends of the log (right)");
}

fn partitions(kafka: &Kafka, topic: &str) -> i32 {
    kafka.partitions(topic).unwrap_or_else(|| panic!("there is no topic `{topic}`"))
}

#[cfg(test)]
mod tests {
    use super::Fates;

    #[test]
    fn names_what_is_lost_repeated_contradictory_or_made_up() {
        let fates = Fates {
            acknowledged: (1..=6).collect(),
            applied: vec![1, 2, 2, 3, 9],
            dead_lettered: vec![3, 4],
            skipped: [5].into(),
        };
        let report = fates.report();
        let lines: Vec<&str> = report.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let expected = [
            "1 lost: [6]",
            "1 applied more than once: [2]",
            "1 both applied and dead-lettered: [3]",
            "1 never acknowledged, yet applied or dead-lettered: [9]",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn has_nothing_to_say_where_every_record_has_one_fate() {
        let fates =
            Fates { acknowledged: (1..=3).collect(), applied: vec![1], dead_lettered: vec![2], skipped: [3].into() };
        fates.assert_exact();
    }
}
