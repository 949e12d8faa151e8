//! SQLite as a sink of `forebay run`: rows, position and outbox in one transaction of one file, whatever is killed.

use std::collections::BTreeSet;
use std::fs;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile};
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use rusqlite::Connection;
use serde_json::json;

use crate::scene::MINUTE;

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 12_000;
const KILLS: i64 = 5;
/// Every so many records one violates the table's check.
const GUILTY: i64 = 500;

const SCHEMA: &str = "
create table log (id integer not null check (id >= 0)) strict;
create table total (name text primary key, n integer not null) strict;";

/// Writes the manifest with a SQLite file in place of the database.
fn on_file(manifest: &Manifest, url: &str, file: &str) -> ManifestFile {
    let written = manifest.write();
    let text = fs::read_to_string(&written.path).expect("it was just written");
    let there = format!("kind = \"postgres\"\nurl = \"{url}\"");
    assert!(text.contains(&there), "{text}");
    let text = text.replace(&there, &format!("kind = \"sqlite\"\nurl = \"sqlite:{file}\""));
    fs::write(&written.path, text).expect("the folder is ours");
    written
}

fn done(status: &serde_json::Value) -> i64 {
    partitions_of(status).filter_map(|partition| partition["position"].as_i64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_there_once_after_five_kills_and_a_second_process_waits() {
    let (kafka, postgres, names) = (Kafka::shared().await, Postgres::shared().await, Names::new("sqlite"));
    kafka.create_topic(&names.topic, PARTITIONS, &[]).await;
    kafka.create_topic(&names.dead_letters, 1, &[]).await;
    let table = |name: &str, key: &str| format!("{{ sink = \"warehouse\", table = \"{name}\"{key} }}");
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .target("log", &table("log", ""))
        .target("total", &table("total", ", key = [\"name\"]"));
    let path = manifest.folder().join("rows.db");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    let url = postgres.url(&names.database);
    let [first, second] = [(); 2].map(|()| on_file(&manifest, &url, path.to_str().unwrap()));

    let producer = Producer::new(kafka);
    for id in 0..RECORDS {
        let stored = if id % GUILTY == 7 { -1 - id } else { id };
        let effects = json!([
            { "op": "insert", "target": "log", "columns": { "id": stored } },
            { "op": "add", "target": "total", "columns": { "name": "all", "n": 1 } },
        ]);
        let value = json!({ "effects": effects }).to_string();
        let partition = i32::try_from(id % i64::from(PARTITIONS)).unwrap();
        producer.send(&names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    producer.flush().await;

    for kill in 1..=KILLS {
        let forebay = Forebay::start(&first, &[]);
        let enough = kill * RECORDS / (KILLS + 1);
        forebay.until(MINUTE, "some more records", |status| done(status) >= enough).await;
        forebay.kill9();
    }
    let forebay = Forebay::start(&first, &[]);
    forebay.until_caught_up(MINUTE, usize::try_from(PARTITIONS).unwrap()).await;

    // Never two processes: the second one has some of the partitions now, and says whom it waits for.
    let other = Forebay::start(&second, &[]);
    let waits = |status: &serde_json::Value| {
        let says = |why: &serde_json::Value| why.as_str().is_some_and(|why| why.contains("another process"));
        partitions_of(status).any(|partition| says(&partition["why"]))
    };
    other.until(MINUTE, "the second process to say that it waits", waits).await;
    forebay.stop(MINUTE).await;
    other.until_caught_up(MINUTE, usize::try_from(PARTITIONS).unwrap()).await;
    other.stop(MINUTE).await;

    let rows = Connection::open(&path).unwrap();
    let mut ids = rows.prepare("select id from log order by id").unwrap();
    let ids: Vec<i64> = ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected: Vec<i64> = (0..RECORDS).filter(|id| id % GUILTY != 7).collect();
    assert_eq!(ids, expected, "each innocent record's row, once");
    let total: i64 = rows.query_row("select n from total", [], |row| row.get(0)).unwrap();
    assert_eq!(total, i64::try_from(expected.len()).unwrap(), "a record's rows are there together or not at all");
    let next: i64 = rows.query_row("select sum(next_offset) from forebay_ledger", [], |row| row.get(0)).unwrap();
    assert_eq!(next, RECORDS, "the ledger is at the log's end");
    let letters = oracle::dead_letters(kafka, &names.dead_letters).await;
    let guilty: BTreeSet<_> = letters.iter().map(|letter| letter.origin.clone()).collect();
    assert_eq!(guilty.len(), usize::try_from(RECORDS / GUILTY).unwrap(), "each guilty record, and no other");
}
