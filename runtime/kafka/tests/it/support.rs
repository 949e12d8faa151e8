//! A cluster, a producer and a group's owner for tests.

use std::time::Duration;

use bytes::Bytes;
use forebay_core::budget::Budget;
use forebay_core::manifest::settings::Secret;
use forebay_core::record::Record;
use forebay_kafka::mock::Broker;
use forebay_kafka::{Assigned, Feed, Fetched, Group, GroupEvent, GroupSettings, Outgoing, Partition, Producer};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn cluster(topic: &str, partitions: i32) -> Broker {
    let broker = Broker::start(1).unwrap();
    broker.create_topic(topic, partitions).unwrap();
    broker
}

pub(crate) fn outgoing(topic: &str, partition: i32, value: &str) -> Outgoing {
    let value = Some(Bytes::copy_from_slice(value.as_bytes()));
    Outgoing {
        topic: topic.into(),
        partition: Some(partition),
        key: None,
        value,
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Writes `count` values `0`, `1`, … into a partition.
pub(crate) async fn fill(broker: &Broker, topic: &str, partition: i32, count: usize) {
    let producer = Producer::start(&broker.settings()).unwrap();
    let messages = (0..count).map(|number| outgoing(topic, partition, &number.to_string())).collect();
    let landed = timeout(PATIENCE, producer.send_all(messages)).await.unwrap();
    for (number, landed) in landed.into_iter().enumerate() {
        assert_eq!(landed, Ok((partition, number as i64)));
    }
}

pub(crate) struct Member {
    pub(crate) group: Group,
    pub(crate) events: mpsc::Receiver<GroupEvent>,
}

impl Member {
    pub(crate) fn join(broker: &Broker, topic: &str) -> Self {
        Self::join_with(broker, topic, Budget::new(128 << 20))
    }

    pub(crate) fn join_with(broker: &Broker, topic: &str, budget: Budget) -> Self {
        let (sender, events) = mpsc::channel(16);
        let mut kafka = broker.settings();
        // The in-process cluster waits for a session's length whenever a group changes.
        kafka.properties.insert("session.timeout.ms".to_owned(), Secret::new("3000"));
        kafka.properties.insert("heartbeat.interval.ms".to_owned(), Secret::new("200"));
        let settings =
            GroupSettings { kafka, group: "g".to_owned(), topics: vec![topic.to_owned()], buffered_bytes: 4 << 20 };
        Self { group: Group::start(settings, budget, sender).unwrap(), events }
    }

    pub(crate) async fn event(&mut self) -> GroupEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a group that lives")
    }

    /// Waits until `count` partitions have been assigned since this was called.
    pub(crate) async fn assigned(&mut self, count: usize) -> Vec<Assigned> {
        let mut all = Vec::new();
        while all.len() < count {
            if let GroupEvent::Assigned(assigned) = self.event().await {
                all.extend(assigned);
            }
        }
        all.sort_by(|one, other| one.partition.cmp(&other.partition));
        all
    }

    pub(crate) async fn revoked(&mut self) -> (Vec<(Partition, u64)>, bool) {
        loop {
            if let GroupEvent::Revoked { partitions, lost } = self.event().await {
                return (partitions, lost);
            }
        }
    }
}

pub(crate) async fn next(feed: &mut Feed) -> Fetched {
    timeout(PATIENCE, feed.next()).await.expect("something in time").expect("a feed that goes on")
}

/// Reads until the log's end; returns the records and where it is.
pub(crate) async fn until_end(feed: &mut Feed) -> (Vec<Record>, i64) {
    let mut all = Vec::new();
    loop {
        match next(feed).await {
            Fetched::Records { records, .. } => all.extend(records),
            Fetched::End { offset, .. } => return (all, offset),
            Fetched::Seeked { .. } => {}
            stopped @ Fetched::Stopped { .. } => panic!("{stopped:?}"),
        }
    }
}

pub(crate) fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}
