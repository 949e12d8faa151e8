//! Kafka → handler → PostgreSQL, each effect exactly once, whatever is killed in between.

use std::time::Duration;

use forebay_tests::forebay::{FAILPOINTS, Forebay};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::postgres::Postgres;

use crate::orders::{Orders, PARTITIONS};

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
            let mine = forebay_tests::forebay::partitions_of(&status);
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
    forebay_tests::wait::until_or_dump(MINUTE, &what, settled, dump).await;
}
