//! A record that takes the process down, with its rows in a SQLite file; and what scenarios on such a file share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use forebay_tests::forebay::{FAILPOINTS, Forebay};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, Plugin, quoted};
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::producer::Producer;
use forebay_tests::{place, wait};
use rusqlite::Connection;
use rusqlite::types::FromSql;
use serde_json::{Value, json};

use crate::scene::{MINUTE, effect, table};

/// A topic, a dead-letter topic and a file of one scenario.
pub(crate) struct FileScene {
    pub(crate) kafka: &'static Kafka,
    pub(crate) names: Names,
    pub(crate) producer: Producer,
    /// Its sink `warehouse` is the file.
    pub(crate) manifest: Manifest,
    pub(crate) path: PathBuf,
}

impl FileScene {
    /// Makes the topics, and the file with what `schema` creates; a target for each table: its name, and what else its line
    /// says.
    pub(crate) async fn new(base: &str, partitions: i32, schema: &str, targets: &[(&str, &str)]) -> Self {
        let (kafka, names) = (Kafka::shared().await, Names::new(base));
        kafka.create_topic(&names.topic, partitions, &[]).await;
        kafka.create_topic(&names.dead_letters, 1, &[]).await;
        let manifest = Manifest::new(kafka)
            .plugin("scripted", Plugin::new(place::component("scripted")))
            .binding(Binding::new(&names, "scripted"));
        let path = manifest.folder().join("rows.db");
        Connection::open(&path).unwrap().execute_batch(schema).unwrap();
        let url = quoted(&format!("sqlite:{}", path.display()));
        let manifest = manifest.extra(&format!("[sinks.warehouse]\nkind = \"sqlite\"\nurl = {url}"));
        let line = |name: &str, rest: &str| table(name, rest).replace("public.", "");
        let manifest = targets.iter().fold(manifest, |manifest, (name, rest)| manifest.target(name, &line(name, rest)));
        Self { kafka, producer: Producer::new(kafka), names, manifest, path }
    }

    /// Hands over a record with that value.
    pub(crate) fn put(&self, partition: i32, value: &str) {
        self.producer.send(&self.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
    }

    /// Returns the first column of a query.
    pub(crate) fn column<T: FromSql>(&self, sql: &str) -> Vec<T> {
        let rows = Connection::open(&self.path).unwrap();
        let mut statement = rows.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Returns the numbers in the table `log`, in order.
    pub(crate) fn log(&self) -> Vec<i64> {
        self.column("select n from log order by n")
    }

    /// Waits until the ledger is at the end of every partition's log as it is now.
    pub(crate) async fn until_at_end(&self, running: &Forebay) {
        self.producer.flush().await;
        let ends = oracle::log_ends(self.kafka, &self.names.topic);
        let at_end = async || self.positions() == ends;
        wait::until_or_dump(MINUTE, "the ledger to reach the log's end", at_end, || running.tail()).await;
    }

    /// Returns the ledger's positions; nothing while there is no ledger.
    pub(crate) fn positions(&self) -> BTreeMap<(String, i32), i64> {
        let rows = Connection::open(&self.path).unwrap();
        let sql = "select topic, partition, next_offset from forebay_ledger";
        let Ok(mut statement) = rows.prepare(sql) else { return BTreeMap::new() };
        let read = |row: &rusqlite::Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get(2)?));
        statement.query_map([], read).map(|rows| rows.filter_map(Result::ok).collect()).unwrap_or_default()
    }

    /// Stops the runtime and looks whether ledger, group and log agree and nothing is left in the outbox.
    pub(crate) async fn rest(&self, forebay: &Forebay) {
        forebay.stop(MINUTE).await;
        let ends = oracle::log_ends(self.kafka, &self.names.topic);
        assert_eq!(self.positions(), ends, "the ledger is at the log's end");
        let committed = oracle::committed(self.kafka, &self.names.group, &self.names.topic);
        let committed: BTreeMap<_, _> = committed.into_iter().map(|(at, committed)| (at, committed.offset)).collect();
        assert_eq!(committed, ends, "and so is the group");
        assert_eq!(self.column::<i64>("select next_offset from forebay_outbox"), [0; 0], "left in the outbox");
    }

    /// Returns offset, class and code of the dead letters.
    pub(crate) async fn letter_codes(&self) -> Vec<(i64, String, String)> {
        let letters = oracle::dead_letters(self.kafka, &self.names.dead_letters).await;
        letters.into_iter().map(|letter| (letter.origin.2, letter.class, letter.code)).collect()
    }
}

/// A record's value: a row in `log`, and one more in `total`.
pub(crate) fn row(n: i64) -> Value {
    json!([effect("insert", "log", json!({ "n": n })), effect("add", "total", json!({ "name": "all", "n": 1 }))])
}

/// Two tables that would show a row or a sum that is there twice.
pub(crate) const SCHEMA: &str = "
create table log (n integer not null) strict;
create table total (name text primary key, n integer not null) strict;";

/// Both as targets.
pub(crate) const TARGETS: [(&str, &str); 2] = [("log", ""), ("total", "key = [\"name\"]")];

const RECORDS: i64 = 40;
const CRASH: i64 = 17;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_takes_the_process_down_is_a_dead_letter_after_the_third_death() {
    let scene = FileScene::new("crash_sqlite", 1, SCHEMA, &TARGETS).await;
    for n in 0..RECORDS {
        scene.put(0, &json!({ "effects": row(n) }).to_string());
    }
    scene.producer.flush().await;
    let file = scene.manifest.write();
    let deadly = format!("record-{CRASH}");
    for death in 1..=3 {
        let status = Forebay::start(&file, &[(FAILPOINTS, &deadly)]).wait_exit(MINUTE).await;
        assert_eq!(status.code(), None, "death {death} is unclean");
        assert_eq!(scene.letter_codes().await, [], "after death {death}");
        assert_eq!(scene.log(), [0_i64; 0], "the batch is written as a whole");
    }
    // The failpoint still stands: it would die a fourth time.
    let forebay = Forebay::start(&file, &[(FAILPOINTS, &deadly)]);
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, [(CRASH, "crash".to_owned(), "crash".to_owned())]);
    let others: Vec<i64> = (0..RECORDS).filter(|n| *n != CRASH).collect();
    assert_eq!(scene.log(), others, "all other rows, once");
    assert_eq!(scene.column::<i64>("select n from total"), [RECORDS - 1]);
    let running: Vec<Option<String>> = scene.column("select running from forebay_doubt");
    assert_eq!(running, [None], "and is let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_anywhere_else_convicts_nobody() {
    let scene = FileScene::new("killed_sqlite", 1, SCHEMA, &TARGETS).await;
    for n in 0..200 {
        scene.put(0, &json!({ "effects": row(n) }).to_string());
    }
    scene.producer.flush().await;
    let file = scene.manifest.write();
    for point in ["record-17", "before-write", "before-write", "before-commit", "record-150", "after-commit"] {
        let status = Forebay::start(&file, &[(FAILPOINTS, point)]).wait_exit(MINUTE).await;
        assert_eq!(status.code(), None, "killed at {point}");
    }
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    forebay.until_caught_up(MINUTE, 1).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, []);
    assert_eq!(scene.log(), (0..200).collect::<Vec<i64>>());
    assert_eq!(scene.column::<i64>("select n from total"), [200]);
}
