//! A backlog with the catch-up governor: a transaction takes about as long as it should, and when the sink becomes faster more is
//! under way by itself. Beside it another client reads; what it feels is printed.
//!
//! Each row takes its time in the server, so that the latency follows what is under way on a busy machine, too.

use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::Postgres;
use tokio::sync::watch;

use crate::flow::{self, Load, assert_rows, row, sized, until_rows};
use crate::scene::{MINUTE, Scene};

const PARTITIONS: i32 = 6;
/// Milliseconds of the server's time for each row, and when it is fast.
const SLOW: f64 = 0.5;
const FAST: f64 = 0.02;
const TARGET: &str = "50ms";
const READ_EVERY: Duration = Duration::from_millis(5);

const DRAG: &str = "create table drag (ms float8 not null);
    create function drag() returns trigger language plpgsql as $$ begin
        perform pg_sleep(drag.ms * (select count(*) from added) / 1000) from drag; return null; end $$;
    create trigger drag after insert on orders referencing new table as added for each statement execute function drag();
    create table customers (id int primary key);
    insert into customers select generate_series(0, 9999);";

async fn scene(base: &str, records: u64) -> Scene<'static> {
    let schema = format!("{}; {DRAG} insert into drag values ({SLOW})", flow::log("orders"));
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), base, PARTITIONS, &schema).await;
    Load::new(&scene, &scene.names.topic, PARTITIONS, 0)
        .backlog(|partition, n| row("orders", partition, n), records)
        .await;
    scene
}

/// Reads rows of another table at a steady pace until it is told to stop; returns what each took in milliseconds, sorted.
async fn read(scene: &Scene<'_>, mut stop: watch::Receiver<bool>) -> Vec<f64> {
    let client = scene.postgres.connect(&scene.names.database).await;
    let select = client.prepare("select id from customers where id = $1").await.unwrap();
    let (mut reads, mut turns) = (Vec::new(), tokio::time::interval(READ_EVERY));
    while !*stop.borrow_and_update() {
        turns.tick().await;
        let start = Instant::now();
        client.query_one(&select, &[&(i32::try_from(reads.len()).unwrap() * 7_919 % 10_000)]).await.unwrap();
        reads.push(start.elapsed().as_secs_f64() * 1e3);
    }
    reads.sort_by(f64::total_cmp);
    reads
}

/// Does it, with another client that reads meanwhile.
async fn beside_reads(scene: &Scene<'_>, name: &str, work: impl Future<Output = ()>) {
    let (start, stop) = (Instant::now(), watch::Sender::new(false));
    let work = async {
        work.await;
        stop.send_replace(true);
    };
    let ((), reads) = tokio::join!(work, read(scene, stop.subscribe()));
    let [p50, p99] = [50, 99].map(|percent| reads[reads.len() * percent / 100]);
    println!("{name}: {:.1} s; reads p50 {p50:.2} ms, p99 {p99:.2} ms", start.elapsed().as_secs_f64());
}

async fn rows_of_a_transaction(scene: &Scene<'_>) -> u64 {
    scene.text("select (count(*) / count(distinct xmin::text))::text from orders").await.parse().unwrap()
}

async fn limit(forebay: &Forebay) -> f64 {
    forebay.metrics().await.sum("forebay_governor_limit_records", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_fills_the_sink_as_far_as_the_target_says_and_further_when_it_is_faster() {
    let records = sized(360_000, 36_000);
    let (free, governed) = tokio::join!(scene("governed_not", records), scene("governed", records));
    let stop = Duration::from_secs(25);

    let file = free.manifest(&[("orders", "")]).set("batch", "{ max-records = 2000 }").write();
    let forebay = Forebay::start(&file, &[]);
    beside_reads(&free, "unthrottled", until_rows(&free, "orders", records, 10 * MINUTE, &forebay)).await;
    forebay.stop(stop).await;
    let unthrottled = rows_of_a_transaction(&free).await;

    let manifest = governed.manifest(&[("orders", "")]).set("batch", "{ max-records = 2000 }");
    let file = manifest.set("rate", &format!("{{ catch-up = {{ target-latency = \"{TARGET}\" }} }}")).write();
    let forebay = Forebay::start(&file, &[]);
    beside_reads(&governed, "governed", until_rows(&governed, "orders", records / 2, 10 * MINUTE, &forebay)).await;
    let (slow, each) = (limit(&forebay).await, rows_of_a_transaction(&governed).await);
    // 50 ms are a hundred rows; learning it and what stands in a line before it take more.
    assert!(each * 3 < unthrottled, "{each} rows in a transaction, {unthrottled} without a governor");
    governed.execute(&format!("update drag set ms = {FAST}")).await;
    until_rows(&governed, "orders", records, 10 * MINUTE, &forebay).await;
    let fast = limit(&forebay).await;
    println!(
        "{each} rows in a transaction, {unthrottled} without; the limit was {slow} records, and {fast} when it was fast"
    );
    assert!(fast > slow * 2.0, "{slow} records under way when it was slow, {fast} when it was fast");
    governed.until_at_end(&forebay).await;
    governed.rest(&forebay).await;
    for scene in [free, governed] {
        assert_rows(&scene, "orders", records).await;
        assert_eq!(scene.letter_codes().await, []);
    }
}
