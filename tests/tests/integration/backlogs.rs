//! Resident memory with half of the default `limits.buffered-bytes`, a backlog and a database that is away: what waits is bounded
//! by what the manifest says, whether it is many records, large ones, or what a handler makes of small ones.

use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::memory::{Sampler, mebibytes};
use forebay_tests::postgres::Postgres;

use crate::flow::{Load, sized};
use crate::memory::Backlog;
use crate::scene::{MINUTE, Scene};

const PARTITIONS: i32 = 6;
/// What the manifest allows.
const BUFFERED: u64 = 64 << 20;
/// What may be resident beside: the binary's pages (some 25 MiB), the runtime's and the guests' own memory (as much), and what a
/// batch is beside its records and outcomes while it travels, with what the allocator keeps of that. Two million records came
/// to 65 MiB of it.
const BESIDE: u64 = 96 << 20;
/// What a handler makes of a record.
const EFFECTS: u64 = 50;

fn limited(manifest: Manifest) -> Manifest {
    manifest.extra(&format!("[limits]\nbuffered-bytes = \"{}MiB\"", mebibytes(BUFFERED)))
}

fn away() -> Duration {
    Duration::from_secs(sized(60, 6))
}

fn assert_bounded(peak: u64) {
    let (peak, bound) = (mebibytes(peak), mebibytes(BUFFERED + BESIDE));
    println!("a peak of {peak} MiB; what waits may be {} MiB", mebibytes(BUFFERED));
    assert!(peak < bound, "the peak is {peak} MiB, of {bound}");
}

/// Orders of that length, and a database that is away once some of them are written.
async fn orders(base: &str, records: u64, length: usize) {
    let (kafka, postgres) = (Kafka::start().await, Postgres::start().await);
    let backlog = Backlog::new((&kafka, &postgres), base, records, length).await;
    let file = limited(backlog.manifest()).write();
    let forebay = Forebay::start(&file, &[]);
    let sampler = Sampler::start(forebay.pid());
    backlog.until_applied(MINUTE, records / 100, &forebay).await;
    // Whatever is still to come is more than may wait.
    backlog.away(&forebay, away(), BUFFERED / 4).await;
    let written: i64 = backlog.scene.positions().await.values().sum();
    let left = (records - u64::try_from(written).unwrap()) * length as u64;
    assert!(left > BUFFERED, "it was away in the middle: {} MiB were left", mebibytes(left));
    assert_bounded(backlog.drain(&forebay, &sampler).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_million_records_of_a_kibibyte_wait_within_the_limit() {
    orders("backlogs_small", sized(2_000_000, 200_000), 1 << 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gigabytes_of_large_records_wait_within_the_limit() {
    orders("backlogs_large", sized(20_000, 2_000), 100 << 10).await;
}

/// What a handler makes is some fifty times as large as its record: only a part of what is fetched may be made at a time.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_effects_of_each_record_wait_within_the_limit() {
    let (kafka, postgres, records) = (Kafka::start().await, Postgres::start().await, sized(200_000, 20_000));
    let scene =
        Scene::new((&kafka, &postgres), "backlogs_effects", PARTITIONS, "create table t (id int not null)").await;
    let value = format!("{{\"many\":{EFFECTS},\"target\":\"t\"}}");
    Load::new(&scene, &scene.names.topic, PARTITIONS, 0).backlog(|_, _| value.clone(), records).await;
    let backlog = Backlog { scene, records };
    let file = limited(backlog.scene.manifest(&[("t", "")])).write();
    let forebay = Forebay::start(&file, &[]);
    let sampler = Sampler::start(forebay.pid());
    backlog.until_applied(MINUTE, records / 100, &forebay).await;
    backlog.away(&forebay, away(), BUFFERED / 8).await;
    backlog.until_applied(5 * MINUTE, records, &forebay).await;
    let (peak, largest) = (sampler.peak(), sampler.largest());
    for (at, memory) in sampler.outline(Duration::from_secs(2)) {
        let (resident, anonymous) = (mebibytes(memory.resident), mebibytes(memory.anonymous));
        println!("{:>5.1} s  resident {resident:>4} MiB, of it in no file {anonymous:>4} MiB", at.as_secs_f64());
    }
    println!("{} MiB of it in no file, after {:?}", mebibytes(largest.1.anonymous), largest.0);
    backlog.scene.until_at_end(&forebay).await;
    forebay.until_caught_up(MINUTE, PARTITIONS as usize).await;
    backlog.scene.rest(&forebay).await;
    let found = "select count(*) || ' ' || count(distinct id) || ' ' || min(times) || ' ' || max(times) from \
        (select id, count(*) as times from t group by id) each";
    assert_eq!(backlog.scene.text(found).await, format!("{EFFECTS} {EFFECTS} {records} {records}"));
    assert_eq!(backlog.scene.letter_codes().await, []);
    assert_bounded(peak);
}
