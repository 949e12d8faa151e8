//! A database under fire: stopped, its backends terminated, its answers lost, behind a network that swallows bytes or a
//! pooler. Whatever happens between the runtime and its rows, each row is written once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::oracle;
use forebay_tests::pooler::Pooler;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::proxy::Proxy;
use forebay_tests::wait;
use serde_json::json;
use tokio::time::sleep;

use crate::orders::{Orders, PARTITIONS};
use crate::scene::{MINUTE, Scene, effect, until_state};

/// A stop's deadline by the manifest's default, and a little for the process itself.
const STOP: Duration = Duration::from_secs(22);

/// How long a database is away.
const AWAY: Duration = Duration::from_secs(15);

/// How soon half-open connections are given up, and a little for a test machine.
const HALF_OPEN: Duration = Duration::from_secs(22);

/// No more than this many records of a partition can be in flight: one batch in a transaction, one behind it.
const IN_FLIGHT: i64 = 1_000;

/// The orders example with its database at `url`, and with small batches, so that there are many transactions.
fn manifest(orders: &Orders<'_>, url: &str) -> ManifestFile {
    let manifest = orders.manifest().warehouse(url).set("batch", "{ max-records = 500 }");
    manifest.property("session.timeout.ms", "3000").property("heartbeat.interval.ms", "300").write()
}

/// Returns the positions by partition, by a connection of its own, which no proxy touches; none while nobody answers.
async fn positions(orders: &Orders<'_>) -> BTreeMap<i64, i64> {
    let Ok(client) = orders.postgres.try_connect(&orders.names.database).await else { return BTreeMap::new() };
    let rows = client.query("select partition::bigint, next_offset from forebay.ledger", &[]).await;
    rows.unwrap_or_default().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until the positions add up to `sum`, on a server that may come and go meanwhile.
async fn until_sum(orders: &Orders<'_>, sum: i64, forebay: &Forebay) {
    let reached = async || positions(orders).await.values().sum::<i64>() >= sum;
    wait::until_or_dump(2 * MINUTE, &format!("position {sum}"), reached, || forebay.tail()).await;
}

/// All is done, exactly, and nothing is left to do.
async fn assert_done(orders: &Orders<'_>, forebay: &Forebay) {
    orders.until_at_end(2 * MINUTE, forebay).await;
    forebay.until_caught_up(MINUTE, PARTITIONS as usize).await;
    forebay.stop(STOP).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}

/// Terminates the runtime's backends again and again, and counts them.
async fn terminate(orders: &Orders<'_>, terminated: &AtomicI64) {
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
        where datname = $1 and application_name = 'forebay'";
    loop {
        sleep(Duration::from_millis(500)).await;
        let Ok(client) = orders.postgres.try_connect("postgres").await else { continue };
        if let Ok(row) = client.query_one(kill, &[&orders.names.database]).await {
            terminated.fetch_add(row.get(0), Ordering::Relaxed);
        }
    }
}

/// Stops the database in the middle, twice, and takes answers to COMMIT away all the time.
async fn fire(orders: &Orders<'_>, proxy: &Proxy, forebay: &Forebay) {
    for step in 1..=30 {
        until_sum(orders, step * 9_000, forebay).await;
        if step % 3 == 0 {
            proxy.lose_reply(1)
        } else {
            proxy.cut_commit_replies(1)
        }
        let how = match step {
            10 => Stop::Fast,
            20 => Stop::Immediate,
            _ => continue,
        };
        orders.postgres.stop(how).await;
        until_state(forebay, "waiting", &["database: "]).await;
        sleep(AWAY).await;
        orders.postgres.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_exactly_right_after_a_database_was_under_fire() {
    let postgres = Postgres::start().await;
    let mut orders = Orders::new(Kafka::shared().await, &postgres, "under_fire").await;
    orders.produce(300_000).await;
    let proxy = Proxy::start(postgres.port());
    let terminated = AtomicI64::new(0);
    let start = Instant::now();
    let manifest = manifest(&orders, &proxy.url_as("postgres", &orders.names.database));
    let forebay = Forebay::start(&manifest, &[]);
    tokio::select! {
        () = fire(&orders, &proxy, &forebay) => {}
        () = terminate(&orders, &terminated) => {}
    }
    let unknown = forebay.metrics().await.sum("forebay_retries_total", &[("class", "unknown")]);
    assert_done(&orders, &forebay).await;
    assert_eq!((proxy.replies_cut(), proxy.replies_lost()), (20, 10), "answers to COMMIT that were cut and lost");
    assert!(unknown >= 20.0, "only {unknown} transactions had an outcome that nobody knew");
    let terminated = terminated.into_inner();
    assert!(terminated >= 15, "only {terminated} backends were terminated");
    println!("300,000 orders under fire: {:?}, {terminated} backends terminated", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_one_process_holds_up_no_other_in_a_rebalance() {
    let postgres = Postgres::shared().await;
    let mut orders = Orders::new(Kafka::shared().await, postgres, "fire_rebalance").await;
    orders.produce(60_000).await;
    let proxies = [Proxy::start(postgres.port()), Proxy::start(postgres.port())];
    let manifests =
        proxies.each_ref().map(|proxy| manifest(&orders, &proxy.url_as("postgres", &orders.names.database)));
    let first = Forebay::start(&manifests[0], &[]);
    until_sum(&orders, 6_000, &first).await;
    proxies[0].blackhole_all();
    let start = Instant::now();
    let second = Forebay::start(&manifests[1], &[]);
    let mut owned = Vec::new();
    let is_done = |status: &serde_json::Value| {
        owned = partitions_of(status).map(|partition| partition["partition"].as_i64().unwrap()).collect();
        let mut all = partitions_of(status);
        (1..PARTITIONS as usize).contains(&owned.len()) && all.all(|partition| partition["lag_messages"] == 0)
    };
    second.until(MINUTE, "the process that joined to bring its partitions to their ends", is_done).await;
    println!("a process that joined was at its end after {:?}", start.elapsed());
    let ends = oracle::log_ends(orders.kafka, &orders.names.topic);
    let ends: BTreeMap<i64, i64> = ends.into_iter().map(|((_, partition), end)| (partition.into(), end)).collect();
    let found = positions(&orders).await;
    for (partition, end) in &ends {
        let (position, is_second) = (found[partition], owned.contains(partition));
        assert_eq!(
            position == *end,
            is_second,
            "partition {partition} is at {position} of {end}; {owned:?} are at work"
        );
    }
    assert!(proxies[0].bytes_swallowed() > 0);
    // What was swallowed stays so; new connections pass.
    proxies[0].pass();
    orders.until_at_end(MINUTE, &first).await;
    second.stop(STOP).await;
    assert_done(&orders, &first).await;
}

/// Half-opens all connections in the middle by `cut`, and sees every partition go on.
async fn goes_on_after(base: &str, cut: impl AsyncFn(&Proxy)) {
    let postgres = Postgres::shared().await;
    let mut orders = Orders::new(Kafka::shared().await, postgres, base).await;
    orders.produce(60_000).await;
    let proxy = Proxy::start(postgres.port());
    let manifest = manifest(&orders, &proxy.url_as("postgres", &orders.names.database));
    let forebay = Forebay::start(&manifest, &[]);
    until_sum(&orders, 6_000, &forebay).await;
    let connections = proxy.connections();
    cut(&proxy).await;
    let start = Instant::now();
    let before = positions(&orders).await;
    assert!(before.values().sum::<i64>() < 40_000, "the cut came in the middle: {before:?}");
    let went_on = async || {
        let now = positions(&orders).await;
        before.iter().all(|(partition, position)| now.get(partition).is_some_and(|now| *now > position + IN_FLIGHT))
    };
    wait::until_or_dump(HALF_OPEN, "all partitions to go on", went_on, || forebay.tail()).await;
    println!("{base}: half-open connections were given up after {:?}", start.elapsed());
    assert!(connections > 0 && proxy.connections() > connections && proxy.bytes_swallowed() > 0);
    assert_done(&orders, &forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_are_given_up_within_twenty_seconds() {
    goes_on_after("fire_half_open", async |proxy| proxy.blackhole_existing()).await;
}

/// The server then holds the locks of a transaction whose client will say nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_are_given_up_within_twenty_seconds_where_a_commit_was_swallowed() {
    let at_commit = async |proxy: &Proxy| {
        proxy.blackhole_at_commit();
        wait::until(MINUTE, "a COMMIT to be swallowed", async || proxy.commits_swallowed() == 1).await;
    };
    goes_on_after("fire_half_commit", at_commit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_survives_its_servers_restarts() {
    let postgres = Postgres::start().await;
    let mut orders = Orders::new(Kafka::shared().await, &postgres, "fire_pooler").await;
    orders.produce(60_000).await;
    let pooler = Pooler::start(&postgres).await;
    let manifest = manifest(&orders, &pooler.url(&orders.names.database));
    let forebay = Forebay::start(&manifest, &[]);
    for sum in [12_000, 30_000] {
        until_sum(&orders, sum, &forebay).await;
        let backends = "select count(*) from pg_stat_activity where application_name = 'forebay'";
        let backends: i64 = postgres.query("postgres", backends, &[]).await[0].get(0);
        assert!((1..=4).contains(&backends), "six partitions share {backends} backends");
        postgres.stop(Stop::Fast).await;
        postgres.start_again().await;
        let sum = positions(&orders).await.values().sum::<i64>();
        assert!(sum < 55_000, "the restart came in the middle: {sum}");
    }
    assert_done(&orders, &forebay).await;
    assert!(pooler.is_up());
}

/// A server that can be spoken to and will not: it waits, says so, and goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_read_only_locked_or_full_is_waited_for() {
    let postgres = Postgres::start().await;
    let schema = "create table log (n int); create table sums (id int primary key, n int8)";
    let scene = Scene::new((Kafka::shared().await, &postgres), "fire_refused", 2, schema).await;
    let role = scene.names.database.clone();
    scene.execute(&format!("create role {role} login; grant create on database {role} to {role}")).await;
    scene.execute(&format!("grant select, insert, update, delete on log, sums to {role}")).await;
    let manifest = scene.manifest(&[("log", ""), ("sums", "key = [\"id\"]")]).warehouse(&postgres.url_as(&role, &role));
    let forebay = Forebay::start(&manifest.write(), &[]);
    let load = async |numbers: std::ops::Range<i32>| {
        for n in numbers {
            let sum = effect("add", "sums", json!({ "id": n % 30, "n": 1 }));
            scene.put(n % 2, &[effect("insert", "log", json!({ "n": n })), sum]);
        }
        scene.producer.flush().await;
    };
    // Both partitions stand, and say why, until it is mended.
    let until_waiting = async |code: &str| {
        until_state(&forebay, "waiting", &["database: ", code]).await;
        let sum = scene.positions().await.into_values().sum::<i64>();
        assert!(sum % 1_000 == 0, "{code}: nothing is written meanwhile, {sum} is");
    };
    load(0..1_000).await;
    scene.until_at_end(&forebay).await;

    scene.execute("alter system set default_transaction_read_only = on").await;
    scene.execute("select pg_reload_conf()").await;
    load(1_000..2_000).await;
    until_waiting("25006").await;
    scene.execute("alter system reset default_transaction_read_only").await;
    scene.execute("select pg_reload_conf()").await;
    scene.until_at_end(&forebay).await;

    let mut blocker = postgres.connect(&role).await;
    let lock = blocker.transaction().await.unwrap();
    lock.batch_execute("lock table log in access exclusive mode").await.unwrap();
    let start = Instant::now();
    load(2_000..3_000).await;
    until_waiting("55P03").await;
    sleep(Duration::from_secs(8).saturating_sub(start.elapsed())).await;
    lock.rollback().await.unwrap();
    scene.until_at_end(&forebay).await;

    postgres.execute("postgres", &format!("alter database {role} connection limit 0")).await;
    let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'");
    postgres.execute("postgres", &end).await;
    load(3_000..4_000).await;
    until_waiting("53300").await;
    postgres.execute("postgres", &format!("alter database {role} connection limit -1")).await;
    scene.until_at_end(&forebay).await;

    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, []);
    let log = scene.text("select count(*) || ' ' || count(distinct n) || ' ' || max(n) from log").await;
    assert_eq!(log, "4000 4000 3999");
    assert_eq!(scene.text("select count(*) || ' ' || sum(n) from sums").await, "30 4000");
}
