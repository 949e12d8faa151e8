//! A database that becomes twenty times slower under a backlog, then goes away, then comes back: memory stays where it was, and
//! all is as fast as before soon after.
//!
//! It is slow in the server itself: each statement that writes takes as long as a table says, beside its work. That is most of
//! what it takes from the beginning, so that twenty times as long is twenty times as slow.

use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::memory::{Memory, mebibytes};
use forebay_tests::postgres::{Postgres, Stop};
use tokio::time::sleep;

use crate::flow::{self, Load, assert_rows, clock, median, per_second, row, sized, until_rows, until_written};
use crate::scene::{MINUTE, Scene, noise, until_state};

const PARTITIONS: i32 = 6;
const RECORDS: u64 = 110_000;
/// A record's length: the whole backlog is more than twice what may be in memory.
const LENGTH: usize = 1_024;
/// What a statement takes, in milliseconds, and when it is slow.
const USUAL: u64 = 100;
const SLOW: u64 = 20 * USUAL;
/// The seconds before it becomes slow.
const BEFORE: u64 = 6;
/// How soon it goes as fast as before, in seconds.
const RECOVERED: u64 = 10;
/// How much more than before may be resident at any later time.
const GROWTH: u64 = 64 << 20;

const DRAG: &str = "create table drag (ms float8 not null);
    create function drag() returns trigger language plpgsql as $$ begin
        perform pg_sleep(ms / 1000) from drag; return null; end $$;
    create trigger drag after insert on orders for each statement execute function drag();";

async fn drag(scene: &Scene<'_>, ms: u64) {
    scene.execute(&format!("update drag set ms = {ms}")).await;
}

/// Looks at the memory for so long, and returns the most that was resident.
async fn most_resident(forebay: &Forebay, seconds: u64) -> u64 {
    let (start, mut most) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        sleep(Duration::from_millis(50)).await;
        most = most.max(Memory::of(forebay.pid()).expect("the process runs").resident);
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_slows_down_and_goes_away_costs_no_memory_and_comes_back_to_full_speed() {
    let postgres = Postgres::start().await;
    let schema = format!("{}; {DRAG} insert into drag values ({USUAL})", flow::log("orders"));
    let scene = Scene::new((Kafka::shared().await, &postgres), "slowed", PARTITIONS, &schema).await;
    let note = format!(", \"note\": \"{}\"}}", noise(LENGTH).replace('\\', "/"));
    let load = Load::new(&scene, &scene.names.topic, PARTITIONS, 0);
    load.backlog(|partition, n| row("orders", partition, n).trim_end_matches('}').to_owned() + &note, RECORDS).await;
    let manifest = scene.manifest(&[("orders", "")]).set("batch", "{ max-records = 100 }");
    let file = manifest.extra("[limits]\nbuffered-bytes = \"64MiB\"").write();
    let forebay = Forebay::start(&file, &[]);

    until_rows(&scene, "orders", 1_000, MINUTE, &forebay).await;
    let started = clock();
    let before = most_resident(&forebay, BEFORE).await;
    let slowed = clock();
    drag(&scene, SLOW).await;
    let slow = most_resident(&forebay, sized(60, 6)).await;
    let went = clock();
    drag(&scene, USUAL).await;
    postgres.stop(Stop::Fast).await;
    until_state(&forebay, "waiting", &["database: "]).await;
    let away = most_resident(&forebay, sized(60, 6)).await;
    postgres.start_again().await;
    let came = clock();
    let back = most_resident(&forebay, RECOVERED).await;

    let usual = per_second(&scene, "orders", started, BEFORE).await;
    let while_slow = per_second(&scene, "orders", slowed, (went - slowed) as u64).await;
    let after = per_second(&scene, "orders", came, RECOVERED).await;
    println!("rows by second before: {usual:?}, slow: {while_slow:?}, back: {after:?}");
    println!(
        "MiB before {}, slow {}, away {}, back {}",
        mebibytes(before),
        mebibytes(slow),
        mebibytes(away),
        mebibytes(back)
    );
    let while_slow = while_slow.iter().sum::<u64>() / while_slow.len() as u64;
    let (usual, best) = (median(usual), *after.iter().max().unwrap());
    assert!(while_slow * 10 <= usual, "{while_slow}/s is no twentieth of {usual}/s, nor anything like it");
    assert!(best * 10 >= usual * 8, "{best}/s at the most within {RECOVERED} s, {usual}/s before");
    for (when, resident) in [("slow", slow), ("away", away), ("back", back)] {
        assert!(resident <= before + GROWTH, "{} MiB when it was {when}", mebibytes(resident));
    }
    let left = forebay.status().await;
    let left: i64 = forebay_tests::forebay::partitions_of(&left).filter_map(|one| one["lag_messages"].as_i64()).sum();
    assert!(left > 0, "the backlog lasted for all of it");

    until_written(&scene, &scene.names.topic, 3 * MINUTE, &forebay).await;
    scene.rest(&forebay).await;
    assert_rows(&scene, "orders", RECORDS).await;
    assert_eq!(scene.letter_codes().await, []);
}
