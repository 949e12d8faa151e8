//! Questions to the cluster, and making a topic. The client's calls wait, so they run on tokio's blocking threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::manifest::settings::Kafka;

use crate::config;
use crate::error::Error;
use crate::event::{Commit, Committed, Partition};
use crate::raw::{Client, Item, NO_OFFSET, Queue, Role, topic_id};
use crate::verdict::Code;
use crate::watermarks::{Watermark, bounds};

const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MS: i32 = 10_000;
/// Every real cluster names its controller as soon as it is reached.
const CONTROLLER_TIMEOUT_MS: i32 = 5000;
const NO_QUEUE: &str = "no memory for a queue";
const MISSING: &str = "the cluster did not answer for this partition";

/// What is known about a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    /// How many partitions it has.
    pub partitions: i32,
    /// Its id; old brokers have none.
    pub id: Option<String>,
    /// `max.message.bytes`, where this user may read it.
    pub max_message_bytes: Option<u64>,
    /// `cleanup.policy`, where this user may read it.
    pub cleanup_policy: Option<String>,
    /// `retention.ms`, where this user may read it; -1 keeps records for ever.
    pub retention_ms: Option<i64>,
}

/// A client that asks. Clones share it. Every call must be made inside a tokio runtime and answers within a bounded time.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Arc<Client>,
    kafka: Arc<Kafka>,
}

impl Admin {
    /// Makes a client; no connection is waited for.
    ///
    /// # Errors
    /// If a setting is invalid.
    pub fn start(kafka: &Kafka) -> Result<Self, Error> {
        let client = Client::new(Role::Consumer, &config::questions(kafka, None)).map_err(Error::configuration)?;
        Ok(Self { client: Arc::new(client), kafka: Arc::new(kafka.clone()) })
    }

    /// Returns an admin that asks through the client of something else.
    pub(crate) fn of(client: Arc<Client>, kafka: Arc<Kafka>) -> Self {
        Self { client, kafka }
    }

    /// Returns the facts about a topic, `None` if it does not exist.
    ///
    /// # Errors
    /// If the cluster does not answer, or not to this user.
    pub async fn describe(&self, topic: &str) -> Result<Option<TopicFacts>, Error> {
        let name = topic.to_owned();
        let asked = self.ask(move |client| {
            let partitions = client.partition_count(&name, TIMEOUT_MS)?;
            let known = client.has_controller(CONTROLLER_TIMEOUT_MS)?;
            let id = if known { topic_id(client, &name, TIMEOUT_MS)? } else { None };
            // Not everybody may read a topic's settings.
            let settings = if known { client.topic_settings(&name, TIMEOUT_MS).ok() } else { None };
            Ok((partitions, id, settings))
        });
        let (partitions, id, settings) = match asked.await? {
            Ok(described) => described,
            Err((code, _)) if Code(code) == Code::UNKNOWN_TOPIC => return Ok(None),
            Err((code, text)) => return Err(Error::of(&format!("describe topic `{topic}`"), code, &text)),
        };
        let settings: HashMap<String, String> = settings.unwrap_or_default().into_iter().collect();
        Ok(Some(TopicFacts {
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            id,
            max_message_bytes: settings.get("max.message.bytes").and_then(|value| value.parse().ok()),
            cleanup_policy: settings.get("cleanup.policy").cloned(),
            retention_ms: settings.get("retention.ms").and_then(|value| value.parse().ok()),
        }))
    }

    /// Returns a topic's id, `None` if the topic or its id does not exist.
    ///
    /// # Errors
    /// If the cluster does not answer, or not to this user.
    pub async fn topic_id(&self, topic: &str) -> Result<Option<String>, Error> {
        let name = topic.to_owned();
        let asked = self.ask(move |client| match client.has_controller(CONTROLLER_TIMEOUT_MS)? {
            true => topic_id(client, &name, TIMEOUT_MS),
            false => Ok(None),
        });
        match asked.await? {
            Ok(id) => Ok(id),
            Err((code, _)) if Code(code) == Code::UNKNOWN_TOPIC => Ok(None),
            Err((code, text)) => Err(Error::of(&format!("ask for the id of topic `{topic}`"), code, &text)),
        }
    }

    /// Makes a topic with the cluster's own number of replicas. One that is there already is left as it is.
    ///
    /// # Errors
    /// If the cluster does not answer or refuses.
    pub async fn create_topic(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<(), Error> {
        let name = topic.to_owned();
        let own = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let own: Vec<(String, String)> = own.collect();
        let made = self.ask(move |client| {
            let settings: Vec<(&str, &str)> = own.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            client.create_topic(&name, partitions, &settings, TIMEOUT_MS)
        });
        match made.await? {
            Err((code, _)) if Code(code) == Code::TOPIC_EXISTS => Ok(()),
            made => made.map_err(|(code, text)| Error::of(&format!("create topic `{topic}`"), code, &text)),
        }
    }

    /// Returns the cluster's id.
    ///
    /// # Errors
    /// If the cluster does not answer; clusters older than 0.10.1 have none.
    pub async fn cluster_id(&self) -> Result<String, Error> {
        let id = self.ask(|client| client.cluster_id(TIMEOUT_MS)).await?;
        let unknown = || Error::unavailable(format!("ask for the cluster's id: no broker answered within {TIMEOUT:?}"));
        id.ok_or_else(unknown)
    }

    /// Returns the offset of the first record whose timestamp is not older than `timestamp_ms`, the log's end if all are.
    ///
    /// # Errors
    /// If the partition's leader does not answer.
    pub async fn offset_for_time(&self, at: &Partition, timestamp_ms: i64) -> Result<i64, Error> {
        let what = format!("look for time {timestamp_ms} in {} [{}]", at.topic, at.partition);
        let items = [Item::new(&at.topic, at.partition, timestamp_ms.max(0))];
        let found = self.ask(move |client| client.offsets_for_times(&items, TIMEOUT_MS)).await?;
        let found = found.map_err(|(code, text)| Error::of(&what, code, &text))?;
        match found.first() {
            None => Err(Error::unavailable(format!("{what}: {MISSING}"))),
            Some(item) if item.error != 0 => Err(Error::of(&what, item.error, &Code(item.error).text())),
            // -1: nothing is that young.
            Some(item) if item.offset < 0 => Ok(self.watermarks(at).await?.high),
            Some(item) => Ok(item.offset),
        }
    }

    /// Returns where a partition's log starts and (last stable offset) ends.
    ///
    /// # Errors
    /// If the partition's leader does not answer.
    pub async fn watermarks(&self, at: &Partition) -> Result<Watermark, Error> {
        let what = format!("ask for the bounds of {} [{}]", at.topic, at.partition);
        let asked = vec![at.clone()];
        let found = self.ask(move |client| bounds(client, &asked, TIMEOUT_MS)).await?;
        let found = found.map_err(|(code, text)| Error::of(&what, code, &text))?;
        found.first().map(|(_, watermark)| *watermark).ok_or_else(|| Error::unavailable(format!("{what}: {MISSING}")))
    }

    /// Returns what a group has committed for these partitions, in their order, without joining it.
    ///
    /// # Errors
    /// If the group's coordinator does not answer, or not to this user.
    pub async fn committed(&self, group: &str, partitions: &[Partition]) -> Result<Vec<Option<Committed>>, Error> {
        let what = format!("ask for the committed offsets of group `{group}`");
        let properties = config::questions(&self.kafka, Some(group));
        let items: Vec<Item> = partitions.iter().map(|at| Item::new(&at.topic, at.partition, NO_OFFSET)).collect();
        let asked = self.ask(move |_| match Client::new(Role::Consumer, &properties) {
            Ok(member) => member.committed(&items, TIMEOUT_MS),
            Err(text) => Err((0, text)),
        });
        let found = asked.await?.map_err(|(code, text)| Error::of(&what, code, &text))?;
        if let Some(item) = found.iter().find(|item| item.error != 0) {
            return Err(Error::of(&what, item.error, &Code(item.error).text()));
        }
        Ok(found.iter().map(committed).collect())
    }

    /// Sets a group's offsets from outside, and returns whether that was possible: a group that has members takes offsets
    /// from them alone.
    ///
    /// # Errors
    /// If the group's coordinator does not answer, or not to this user.
    pub async fn commit(&self, group: &str, commits: &[(Partition, Commit)]) -> Result<bool, Error> {
        let what = format!("set the offsets of group `{group}`");
        let properties = config::questions(&self.kafka, Some(group));
        let items = commits.iter().map(|(at, commit)| Item {
            metadata: Some(commit.metadata.as_bytes().to_vec()),
            ..Item::new(&at.topic, at.partition, commit.offset)
        });
        let items: Vec<Item> = items.collect();
        let asked = self.ask(move |_| {
            let client = Client::new(Role::Consumer, &properties).map_err(|text| (0, text))?;
            Queue::fresh(&Arc::new(client)).ok_or((0, NO_QUEUE.to_owned()))?.commit_and_wait(&items, TIMEOUT_MS)
        });
        match asked.await? {
            Ok(()) => Ok(true),
            Err((code, _)) if Code(code) == Code::UNKNOWN_MEMBER => Ok(false),
            Err((code, text)) => Err(Error::of(&what, code, &text)),
        }
    }

    async fn ask<Answer: Send + 'static>(
        &self,
        question: impl FnOnce(&Arc<Client>) -> Answer + Send + 'static,
    ) -> Result<Answer, Error> {
        let client = Arc::clone(&self.client);
        let answered = tokio::task::spawn_blocking(move || question(&client)).await;
        answered.map_err(|error| Error::unavailable(format!("ask the cluster: {error}")))
    }
}

/// Reads a committed position; a negative offset is none.
pub(crate) fn committed(item: &Item) -> Option<Committed> {
    let metadata = item.metadata.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (item.offset >= 0).then_some(Committed { offset: item.offset, metadata, leader_epoch: item.leader_epoch })
}
