//! What scenarios around the scripted handler share: a topic, a database, records that say themselves what is to be done
//! with them, and how the end is looked at. Not a test.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::names::Names;
use forebay_tests::oracle::{self, DeadLetter};
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::{Ack, Producer};
use forebay_tests::wait;
use serde_json::{Value, json};

/// How long anything may take that does not wait for a probe.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// A halted partition tries again every 30 s.
pub(crate) const PROBE: Duration = Duration::from_secs(50);

/// A topic, a dead-letter topic and a database of one scenario.
pub(crate) struct Scene<'a> {
    pub(crate) kafka: &'a Kafka,
    pub(crate) postgres: &'a Postgres,
    pub(crate) names: Names,
    pub(crate) producer: Producer,
}

impl<'a> Scene<'a> {
    /// Makes the topics, and the database with what `schema` creates.
    pub(crate) async fn new(
        (kafka, postgres): (&'a Kafka, &'a Postgres),
        base: &str,
        partitions: i32,
        schema: &str,
    ) -> Self {
        let names = Names::new(base);
        kafka.create_topic(&names.topic, partitions, &[]).await;
        kafka.create_topic(&names.dead_letters, 1, &[]).await;
        postgres.create_database(&names.database).await;
        postgres.execute(&names.database, schema).await;
        Self { kafka, postgres, producer: Producer::new(kafka), names }
    }

    /// Makes a scene of one partition on the servers that all tests share.
    pub(crate) async fn shared(base: &str, schema: &str) -> Scene<'static> {
        Scene::new((Kafka::shared().await, Postgres::shared().await), base, 1, schema).await
    }

    /// Returns a manifest with a target for each table: its name, and what else its line says.
    pub(crate) fn manifest(&self, targets: &[(&str, &str)]) -> Manifest {
        let manifest = Manifest::scripted(self.kafka, self.postgres, &self.names);
        targets.iter().fold(manifest, |manifest, (name, rest)| manifest.target(name, &table(name, rest)))
    }

    /// Hands over a record with these effects.
    pub(crate) fn put(&self, partition: i32, effects: &[Value]) -> usize {
        let value = json!({ "effects": effects }).to_string();
        self.producer.send(&self.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[])
    }

    /// Hands over one record for each of the effects, to partition 0, and waits for the broker.
    pub(crate) async fn put_each(&self, effects: impl IntoIterator<Item = Value>) -> Vec<Ack> {
        let tickets: Vec<usize> = effects.into_iter().map(|effect| self.put(0, &[effect])).collect();
        let acks = self.producer.flush().await;
        tickets.into_iter().map(|ticket| acks[ticket]).collect()
    }

    /// Waits until the ledger is at the end of every partition's log as it is now.
    pub(crate) async fn until_at_end(&self, running: &Forebay) {
        self.until_at_end_within(MINUTE, running).await;
    }

    pub(crate) async fn until_at_end_within(&self, deadline: Duration, running: &Forebay) {
        self.producer.flush().await;
        let ends = oracle::log_ends(self.kafka, &self.names.topic);
        let at_end = async || self.positions().await == ends;
        wait::until_or_dump(deadline, "the ledger to reach the log's end", at_end, || running.tail()).await;
    }

    /// Returns the ledger's positions; nothing while it can not be asked.
    pub(crate) async fn positions(&self) -> BTreeMap<(String, i32), i64> {
        let sql = "select topic, partition, next_offset from forebay.ledger";
        let Ok(client) = self.postgres.try_connect(&self.names.database).await else { return BTreeMap::new() };
        let rows = client.query(sql, &[]).await.unwrap_or_default();
        rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
    }

    /// Starts the runtime, waits until all is done, stops it, and looks whether everything is at rest.
    pub(crate) async fn run_through(&self, manifest: &Manifest) {
        let forebay = Forebay::start(&manifest.write(), &[]);
        self.until_at_end(&forebay).await;
        let partitions = self.kafka.partitions(&self.names.topic).expect("the scene's topic is there");
        forebay.until_caught_up(MINUTE, usize::try_from(partitions).expect("a count is not negative")).await;
        self.rest(&forebay).await;
    }

    /// Stops the runtime and looks whether ledger, group and log agree and nothing is left in the outbox.
    pub(crate) async fn rest(&self, forebay: &Forebay) {
        forebay.stop(Duration::from_secs(25)).await;
        let client = self.postgres.connect(&self.names.database).await;
        oracle::assert_at_rest(self.kafka, &client, &self.names.group, &[&self.names.topic]).await;
        assert_eq!(self.texts("select next_offset::text from forebay.outbox").await, [""; 0], "left in the outbox");
    }

    /// Returns the first column of a query, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let client = self.postgres.connect(&self.names.database).await;
        client.batch_execute("set timezone = 'UTC'").await.expect("a session has a time zone");
        oracle::ids(&client, sql).await
    }

    /// Returns one text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let mut texts = self.texts(sql).await;
        assert_eq!(texts.len(), 1, "rows of `{sql}`");
        texts.remove(0)
    }

    /// Runs statements in the scene's database.
    pub(crate) async fn execute(&self, sql: &str) {
        self.postgres.execute(&self.names.database, sql).await;
    }

    /// Returns the dead letters in the order of their origins.
    pub(crate) async fn letters(&self) -> Vec<DeadLetter> {
        let mut letters = oracle::dead_letters(self.kafka, &self.names.dead_letters).await;
        letters.sort_by(|a, b| a.origin.cmp(&b.origin));
        letters
    }

    /// Returns origin, class and code of the dead letters, by offset.
    pub(crate) async fn letter_codes(&self) -> Vec<(i64, String, String)> {
        let letters = self.letters().await;
        letters.into_iter().map(|letter| (letter.origin.2, letter.class, letter.code)).collect()
    }

    /// Waits until a partition is halted, with a sentence that contains all of `words`; returns the sentence.
    pub(crate) async fn until_halted(&self, forebay: &Forebay, words: &[&str]) -> String {
        until_state(forebay, "halted", words).await
    }
}

/// Waits until a partition is in `state`, with a sentence that contains all of `words`; returns the sentence.
pub(crate) async fn until_state(forebay: &Forebay, state: &str, words: &[&str]) -> String {
    let mut sentence = String::new();
    let what = format!("a partition that is {state}, with the words {words:?}");
    forebay
        .until(MINUTE, &what, |status| {
            let mut found = partitions_of(status).filter(|partition| partition["state"] == state);
            let why = found.find_map(|partition| Some(partition["why"].as_str()?.to_owned()));
            let is_it = why.as_ref().is_some_and(|why| words.iter().all(|word| why.contains(word)));
            sentence = why.unwrap_or_default();
            is_it
        })
        .await;
    sentence
}

/// Returns a target's line: the table of that name, and what else is said of it.
pub(crate) fn table(name: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { ", " };
    format!("{{ sink = \"warehouse\", table = \"public.{name}\"{comma}{rest} }}")
}

/// Returns an effect.
pub(crate) fn effect(op: &str, target: &str, columns: Value) -> Value {
    json!({ "op": op, "target": target, "columns": columns })
}

/// Returns what [`Scene::letter_codes`] should: a dead letter of class `data`.
pub(crate) fn refused(offset: i64, code: &str) -> (i64, String, String) {
    (offset, "data".to_owned(), code.to_owned())
}

/// Bytes that no codec makes smaller, as a JSON string's inside.
pub(crate) fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let letters = (0..bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + u8::try_from((state >> 33) % 57).expect("57 fits a byte"))
    });
    letters.collect()
}
