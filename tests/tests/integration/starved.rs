//! A handler near its CPU limit in a process that gets a tenth of the machine: it takes long, and nobody is convicted for it.

use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, Plugin};
use forebay_tests::place;
use forebay_tests::postgres::Postgres;
use forebay_tests::throttle::{Quota, Throttle, cpu_time};
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene, effect};

const PARTITIONS: i32 = 4;
/// What a message may take, and the manifest says so.
const LIMIT: Duration = Duration::from_millis(50);
/// What a message does take, more or less: longer than the process runs in one go, and well below the limit.
const COST: Duration = Duration::from_millis(15);
/// How long the process is throttled, in stretches of which each must bring something.
const STRETCHES: u32 = 6;
const STRETCH: Duration = Duration::from_secs(10);
/// More than a throttled process can handle in that time.
const RECORDS: usize = 2_000;
/// Turns of the handler's loop by which it is measured, and how many records do that.
const SAMPLE: u64 = 5_000_000;
const SAMPLES: usize = 40;

/// Small batches: a throttled one must end within a stretch.
fn manifest(scene: &Scene<'_>) -> Manifest {
    let limits = format!("{{ cpu = \"{}ms\" }}", LIMIT.as_millis());
    scene
        .manifest(&[("log", ""), ("sums", "key = [\"id\"]")])
        .plugin("scripted", Plugin::new(place::component("scripted")).set("limits", &limits))
        .set("batch", "{ max-records = 10 }")
}

/// Hands over records that burn so many turns each.
fn put(scene: &Scene<'_>, numbers: std::ops::Range<usize>, burn: u64) {
    for number in numbers {
        let partition = i32::try_from(number).unwrap() % PARTITIONS;
        let sum = json!({ "id": number % 20, "n": 1 });
        let effects = [effect("insert", "log", json!({ "n": number })), effect("add", "sums", sum)];
        send(scene, partition, &json!({ "burn": burn, "effects": effects }));
    }
}

fn send(scene: &Scene<'_>, partition: i32, script: &Value) {
    scene.producer.send(&scene.names.topic, partition, None, Some(script.to_string().as_bytes()), &[]);
}

async fn applied(forebay: &Forebay) -> f64 {
    forebay.metrics().await.sum("forebay_records_total", &[("state", "applied")])
}

/// Returns how many turns cost [`COST`] on this machine.
async fn calibrate(scene: &Scene<'_>, forebay: &Forebay) -> u64 {
    put(scene, 0..1, 0);
    scene.until_at_end(forebay).await;
    let before = cpu_time(forebay.pid());
    put(scene, 1..SAMPLES, SAMPLE);
    scene.until_at_end(forebay).await;
    let each = (cpu_time(forebay.pid()) - before) / u32::try_from(SAMPLES - 1).unwrap();
    let turns = COST.as_secs_f64() / each.as_secs_f64() * SAMPLE as f64;
    eprintln!("{SAMPLE} turns cost {each:?}; {turns:.0} turns a record");
    turns as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_machine_convicts_nobody_who_keeps_to_the_cpu_limit() {
    let schema = "create table log (n int); create table sums (id int primary key, n int8)";
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "starved", PARTITIONS, schema).await;
    let manifest = manifest(&scene);
    let forebay = Forebay::start(&manifest.write(), &[]);
    let burn = calibrate(&scene, &forebay).await;
    put(&scene, SAMPLES..RECORDS, burn);
    scene.producer.flush().await;
    starve(&forebay).await;
    // Unhindered, all is done soon, and a handler that never ends is still found out.
    send(&scene, 1, &json!({ "spin": true }));
    scene.until_at_end_within(2 * MINUTE, &forebay).await;
    scene.rest(&forebay).await;
    let letters = scene.letters().await;
    let letters: Vec<_> = letters.iter().map(|letter| (letter.origin.1, &*letter.class, &*letter.code)).collect();
    assert_eq!(letters, [(1, "cpu", "cpu-limit")]);
    let log = scene.text("select count(*) || ' ' || count(distinct n) || ' ' || max(n) from log").await;
    assert_eq!(log, format!("{RECORDS} {RECORDS} {}", RECORDS - 1), "rows, different ones, and the last");
    let sums = scene.text("select count(*) || ' ' || sum(n) || ' ' || max(n) from sums").await;
    assert_eq!(sums, format!("20 {RECORDS} {}", RECORDS / 20), "counters, their sum, and the largest");
}

/// Throttles the process for a minute, and looks that it really has too little, and still goes on.
async fn starve(forebay: &Forebay) {
    let (mut last, first, cpu, start) =
        (applied(forebay).await, applied(forebay).await, cpu_time(forebay.pid()), Instant::now());
    let throttle = Throttle::start(forebay, Quota::TENTH);
    for stretch in 1..=STRETCHES {
        tokio::time::sleep(STRETCH).await;
        let now = applied(forebay).await;
        assert!(now > last, "nothing was applied in stretch {stretch}: {now} records as before\n{}", forebay.tail());
        last = now;
    }
    let (elapsed, stops) = (start.elapsed(), throttle.stops());
    drop(throttle);
    let (done, cpu) = (last - first, cpu_time(forebay.pid()) - cpu);
    let (threads, share) = (cores() as f64, cpu.as_secs_f64() / elapsed.as_secs_f64());
    let wall = elapsed.mul_f64(threads.min(f64::from(PARTITIONS)) / done);
    eprintln!("{done} records in {elapsed:?}, {stops} stops, {share:.2} of a core; {wall:?} of wall time each");
    assert!(last < RECORDS as f64, "all was done before the minute was over: nothing was starved");
    assert!(share < 0.2 * threads, "{share:.2} cores: the process was not throttled");
    assert!(wall > 2 * LIMIT, "{wall:?} a record: the wall clock would have convicted nobody either");
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
