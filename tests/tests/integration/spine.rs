//! Kafka → handler → PostgreSQL, each effect exactly once, whatever is killed in between.

use std::time::Duration;

use forebay_tests::forebay::{FAILPOINTS, Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, ManifestFile, Plugin};
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::{oracle, place, reader, wait};
use serde_json::Value;

use crate::orders::{Orders, PARTITIONS};
use crate::scene::{Scene, effect};

const MINUTE: Duration = Duration::from_secs(60);

/// A stop's deadline by the manifest's default, and a little for the process itself.
const STOP: Duration = Duration::from_secs(22);

/// Every place of the write path where a process can die.
const WRITE_PATH: [&str; 8] = [
    "before-write",
    "before-commit",
    "in-flush",
    "after-commit",
    "after-write",
    "before-send",
    "after-send",
    "before-group-commit",
];

async fn orders(base: &str) -> Orders<'static> {
    Orders::new(Kafka::shared().await, Postgres::shared().await, base).await
}

/// What a killed process held is given to the next one after 1.5 s; small batches make many transactions.
fn restless(orders: &Orders<'_>) -> ManifestFile {
    let manifest = orders.manifest().property("session.timeout.ms", "1500").property("heartbeat.interval.ms", "300");
    manifest.set("batch", "{ max-records = 500 }").write()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_exactly_right_after_sigkill_at_twenty_moments_and_at_every_failpoint() {
    let mut orders = orders("killed").await;
    orders.produce(260_000).await;
    let manifest = restless(&orders);
    let mut seed = 42_u64;
    for kill in 1..=20 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = kill * 12_000 + i64::try_from(seed >> 33).unwrap() % 11_000;
        let forebay = Forebay::start(&manifest, &[]);
        orders.until_position(MINUTE, moment, &forebay).await;
        forebay.kill9();
    }
    for failpoint in WRITE_PATH {
        orders.produce(5_000).await;
        let forebay = Forebay::start(&manifest, &[(FAILPOINTS, &format!("{failpoint}:3"))]);
        let status = forebay.wait_exit(MINUTE).await;
        assert_eq!(status.code(), None, "killed at {failpoint}");
    }
    let forebay = Forebay::start(&manifest, &[]);
    orders.until_at_end(2 * MINUTE, &forebay).await;
    forebay.stop(STOP).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_guilty_rows_are_isolated_neither_loses_nor_doubles_a_row() {
    let tables = "create table log (id int); create table checked (id int primary key, n int check (n >= 0))";
    let scene = Scene::shared("killed_isolating", tables).await;
    let is_guilty = |id: usize| id % 10 == 3;
    for id in 0..400 {
        let n = if is_guilty(id) { -1 } else { 1 };
        let row = serde_json::json!({ "id": id });
        let checked = serde_json::json!({ "id": id, "n": n });
        scene.put(0, &[effect("insert", "log", row), effect("upsert", "checked", checked)]);
    }
    scene.producer.flush().await;
    let targets = [("log", ""), ("checked", "key = [\"id\"]")];
    let manifest = scene.manifest(&targets).set("batch", "{ max-records = 100 }");
    let manifest = manifest.property("session.timeout.ms", "1500").property("heartbeat.interval.ms", "300");
    // The second time a transaction is about to be committed is the one after the isolation.
    for failpoint in ["in-isolation:1", "in-isolation:2", "before-commit:2", "in-flush:9"] {
        let forebay = Forebay::start(&manifest.write(), &[(FAILPOINTS, failpoint)]);
        assert_eq!(forebay.wait_exit(MINUTE).await.code(), None, "killed at {failpoint}");
    }
    scene.run_through(&manifest).await;
    let applied = scene.texts("select id::text from log order by log.id").await;
    let innocent: Vec<String> = (0..400).filter(|id| !is_guilty(*id)).map(|id| id.to_string()).collect();
    assert_eq!(applied, innocent);
    let letters = scene.letters().await;
    assert!(letters.iter().all(|letter| letter.class == "data" && letter.code == "23514"), "{letters:?}");
    assert_eq!(letters.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_under_load_processes_no_record_twice() {
    let mut orders = orders("stopped").await;
    orders.produce(60_000).await;
    let manifest = restless(&orders);
    let mut processed = 0;
    for part in [10_000, 25_000] {
        let forebay = Forebay::start(&manifest, &[]);
        orders.until_position(MINUTE, part, &forebay).await;
        forebay.stop(STOP).await;
        processed += stopped_after(&forebay);
    }
    assert!(processed < 60_000, "the stops came under load: {processed} records were processed before the last start");
    let forebay = Forebay::start(&manifest, &[]);
    orders.until_at_end(MINUTE, &forebay).await;
    let last = forebay.metrics().await.sum("forebay_records_total", &[]);
    forebay.stop(STOP).await;
    assert_eq!(stopped_after(&forebay) as f64, last, "what the log and the metrics say");
    assert_eq!(processed + stopped_after(&forebay), 60_000, "records that all runs processed together");
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}

/// How many records a process says it brought to their end.
fn stopped_after(forebay: &Forebay) -> u64 {
    let log = forebay.log();
    let line = log.lines().rev().find(|line| line.contains("stopped records=")).expect("the log says how it ended");
    let number = line.split("records=").nth(1).unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_join_and_leave_under_load_share_the_partitions_and_double_nothing() {
    let mut orders = orders("shared").await;
    let manifests: Vec<ManifestFile> = (0..3).map(|_| restless(&orders)).collect();
    orders.produce(20_000).await;
    let first = Forebay::start(&manifests[0], &[]);
    orders.until_position(MINUTE, 5_000, &first).await;
    let second = Forebay::start(&manifests[1], &[]);
    orders.produce(20_000).await;
    share(&[&first, &second]).await;
    let third = Forebay::start(&manifests[2], &[]);
    orders.produce(20_000).await;
    share(&[&first, &second, &third]).await;
    orders.produce(20_000).await;
    first.stop(STOP).await;
    share(&[&second, &third]).await;
    orders.produce(20_000).await;
    third.kill9();
    orders.produce(20_000).await;
    share(&[&second]).await;
    orders.until_at_end(2 * MINUTE, &second).await;
    second.until_caught_up(MINUTE, PARTITIONS as usize).await;
    second.stop(STOP).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}

/// Waits until these processes own every partition once, none of them idle while there is something to do.
async fn share(processes: &[&Forebay]) {
    let settled = async || {
        let mut owned = Vec::new();
        for process in processes {
            let status = process.status().await;
            let mine = partitions_of(&status);
            let mine: Vec<i64> = mine.map(|partition| partition["partition"].as_i64().unwrap()).collect();
            if mine.is_empty() {
                return false;
            }
            owned.extend(mine);
        }
        owned.sort_unstable();
        owned == (0..i64::from(PARTITIONS)).collect::<Vec<_>>()
    };
    let dump = || processes.iter().map(|process| process.tail()).collect::<Vec<_>>().join("\n");
    let what = format!("{} processes to share the partitions", processes.len());
    wait::until_or_dump(MINUTE, &what, settled, dump).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_without_a_table_keeps_its_position_in_the_group() {
    let kafka = Kafka::shared().await;
    let names = Names::new("group_only");
    for (topic, partitions) in [(&names.topic, 2), (&names.dead_letters, 1), (&names.published, 2)] {
        kafka.create_topic(topic, partitions, &[]).await;
    }
    let producer = Producer::new(kafka);
    for id in 0..3_000 {
        let effect = serde_json::json!({ "op": "publish", "target": "out", "key": "k", "value": id.to_string() });
        let value = match id % 100 {
            7 => serde_json::json!({ "reject": { "code": "seventh", "message": "no" } }),
            _ => serde_json::json!({ "effects": [effect] }),
        };
        producer.send(&names.topic, id % 2, Some(b"k"), Some(value.to_string().as_bytes()), &[]);
    }
    producer.flush().await;
    let manifest = Manifest::new(kafka)
        .plugin("scripted", Plugin::new(place::component("scripted")))
        .binding(Binding::new(&names, "scripted"))
        .target("out", &format!("{{ topic = \"{}\" }}", names.published))
        .write();
    let mut processed = 0;
    for _ in 0..2 {
        let forebay = Forebay::start(&manifest, &[]);
        let ends = oracle::log_ends(kafka, &names.topic);
        let at_end = async || {
            let committed = oracle::committed(kafka, &names.group, &names.topic);
            committed.into_iter().map(|(place, committed)| (place, committed.offset)).eq(ends.clone())
        };
        wait::until_or_dump(MINUTE, "the group to reach the log's end", at_end, || forebay.tail()).await;
        // The second one has nothing to do: it is there once it says so.
        let are_idle =
            |status: &Value| partitions_of(status).filter(|partition| partition["state"] == "idle").count() == 2;
        forebay.until(MINUTE, "both partitions to be idle", are_idle).await;
        forebay.stop(STOP).await;
        processed += stopped_after(&forebay);
    }
    assert_eq!(processed, 3_000, "the second start found nothing to do");
    let published = reader::read_all(kafka, &names.published).await;
    let mut ids: Vec<u32> = published.iter().map(|record| record.text().parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..3_000).filter(|id| id % 100 != 7).collect::<Vec<u32>>());
    assert_eq!(oracle::dead_letters(kafka, &names.dead_letters).await.len(), 30);
}
