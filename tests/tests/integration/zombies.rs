//! A process that was frozen and wakes up: whatever it had in hand, it writes and announces nothing of what is somebody
//! else's by then, and finds its way back into the group.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile};
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::{reader, wait};
use serde_json::{Value, json};

use crate::orders::{Orders, PARTITIONS};
use crate::scene::{MINUTE, Scene, effect};

const STOP: Duration = Duration::from_secs(25);
/// The longest stop that is no freeze.
const SHORT: Duration = Duration::from_secs(2);

/// Makes every transaction last 20 ms, so that there is load for as long as a scenario takes, on any machine.
const DAWDLE: &str = "
create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.02); return null; end $$;
create trigger dawdle after insert on order_audit for each statement execute function dawdle()";

/// Two processes of one group, and how they are told apart in the database.
const NAMES: [&str; 2] = ["one", "two"];

/// A partition as the ledger and the outbox know it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    epoch: i64,
    position: i64,
    /// The first offset whose messages are decided and not known to be acknowledged; the position where there is none.
    announced: i64,
}

async fn orders(base: &str) -> Orders<'static> {
    let orders = Orders::new(Kafka::shared().await, Postgres::shared().await, base).await;
    orders.postgres.execute(&orders.names.database, DAWDLE).await;
    orders
}

/// Returns a manifest for each of two processes; their folder lives as long as they do.
fn manifests(manifest: Manifest, url: &str, batch: u32) -> [ManifestFile; 2] {
    let manifest = manifest.property("heartbeat.interval.ms", "300");
    let manifest = manifest.set("batch", &format!("{{ max-records = {batch} }}"));
    NAMES.map(|name| manifest.clone().warehouse(&format!("{url}&application_name={name}")).write())
}

fn manifests_of_orders(orders: &Orders<'_>, session_ms: &str) -> [ManifestFile; 2] {
    manifests(
        orders.manifest().property("session.timeout.ms", session_ms),
        &orders.postgres.url(&orders.names.database),
        50,
    )
}

/// Starts both processes and waits until they share the partitions.
async fn start(files: &[ManifestFile; 2], partitions: i32) -> [Forebay; 2] {
    let both = [Forebay::start(&files[0], &[]), Forebay::start(&files[1], &[])];
    until_shared(&both, partitions).await;
    both
}

/// Returns the partitions that a process says it owns: none while it does not answer.
async fn owned(process: &Forebay) -> BTreeSet<i32> {
    let Ok(answer) = process.get("/status").await else { return BTreeSet::new() };
    let status = serde_json::from_str(&answer.body).expect("the status is JSON");
    partitions_of(&status).map(|partition| partition["partition"].as_i64().unwrap().try_into().unwrap()).collect()
}

/// Waits until each owns some of the partitions, and both together each of them once.
async fn until_shared(both: &[Forebay; 2], partitions: i32) {
    let shared = async || {
        let [one, two] = [owned(&both[0]).await, owned(&both[1]).await];
        !one.is_empty() && !two.is_empty() && one.is_disjoint(&two) && one.len() + two.len() == partitions as usize
    };
    let dump = || format!("{}\n{}", both[0].tail(), both[1].tail());
    wait::until_or_dump(MINUTE, "both processes to share the partitions", shared, dump).await;
}

async fn rows(postgres: &Postgres, names: &Names, partitions: &BTreeSet<i32>) -> BTreeMap<i32, Row> {
    let sql = "select l.partition, owner_epoch, next_offset, coalesce((select min(from_offset) from forebay.outbox o \
        where o.topic = l.topic and o.partition = l.partition), next_offset) from forebay.ledger l where topic = $1";
    let found = postgres.query(&names.database, sql, &[&names.topic]).await;
    let row = |row: &tokio_postgres::Row| Row { epoch: row.get(1), position: row.get(2), announced: row.get(3) };
    found.iter().map(|found| (found.get(0), row(found))).filter(|(at, _)| partitions.contains(at)).collect()
}

fn sum(rows: &BTreeMap<i32, Row>) -> i64 {
    rows.values().map(|row| row.position).sum()
}

/// Returns partition and offset of every message that was published more than once.
async fn repeated(kafka: &Kafka, topic: &str) -> BTreeSet<(i32, i64)> {
    let mut seen = BTreeSet::new();
    let mut repeated = BTreeSet::new();
    for record in reader::read_all(kafka, topic).await {
        let id = record.header("forebay.id").expect("every message has an id").to_owned();
        let mut parts = id.split('/').skip(1).map(|part| part.parse::<i64>().unwrap());
        let place = (parts.next().unwrap().try_into().unwrap(), parts.next().unwrap());
        if !seen.insert(id) {
            repeated.insert(place);
        }
    }
    repeated
}

/// A transaction waits at the gates of its partition, which a test may shut.
const GATES: &str = "
create table log (p int, n int, who text default current_setting('application_name'));
create table sums (id int primary key, n int8);
create function gate() returns trigger language plpgsql as $$
begin perform pg_advisory_xact_lock_shared(0, new.p); return null; end $$;
create trigger at_rows after insert on log for each row execute function gate()";

/// The second gate: the position is moved and not yet committed.
const LAST_GATE: &str = "
create function last_gate() returns trigger language plpgsql as $$
begin perform pg_advisory_xact_lock_shared(1, new.partition); return null; end $$;
create trigger at_position after update of next_offset on forebay.ledger for each row execute function last_gate()";

/// Guilty rows are searched for in many round trips; everybody counts in one row.
const GUILTY: &str = "
create table log (p int, n int, who text default current_setting('application_name'));
create table sums (id int primary key, n int8);
create table checked (id int primary key, a int check (a >= 0))";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_frozen_past_its_session_does_nothing_as_a_zombie_and_finds_its_way_back() {
    let mut orders = orders("zombie").await;
    let files = manifests_of_orders(&orders, "6000");
    let both = start(&files, PARTITIONS).await;
    orders.produce(72_000).await;
    let [zombie, other] = &both;
    let theirs = owned(zombie).await;
    wait::until(MINUTE, "the zombie-to-be to be busy", async || {
        sum(&rows(orders.postgres, &orders.names, &theirs).await) > 6_000
    })
    .await;
    zombie.sigstop();
    // The last that the ledger says before the first partition has a new owner: what the zombie committed, and what of it
    // nobody knows to be announced.
    let mut frozen = rows(orders.postgres, &orders.names, &theirs).await;
    let taken = async || {
        let now = rows(orders.postgres, &orders.names, &theirs).await;
        for (at, row) in frozen.iter_mut().filter(|(at, row)| row.epoch == now[at].epoch) {
            row.clone_from(&now[at]);
        }
        now.iter().all(|(at, row)| row.epoch > frozen[at].epoch) && owned(other).await.len() == PARTITIONS as usize
    };
    wait::until_or_dump(MINUTE, "the other process to own all", taken, || other.tail()).await;
    let went_on = async || {
        rows(orders.postgres, &orders.names, &theirs)
            .await
            .iter()
            .all(|(at, row)| row.announced > frozen[at].position + 600)
    };
    wait::until_or_dump(MINUTE, "the other to go on with what was the zombie's", went_on, || other.tail()).await;
    let passed = rows(orders.postgres, &orders.names, &theirs).await;
    assert!(passed.values().all(|row| row.position < 11_000), "the zombie wakes under load: {passed:?}");
    zombie.sigcont();
    until_shared(&both, PARTITIONS).await;
    let before = zombie.metrics().await.sum("forebay_records_total", &[]);
    orders.produce(18_000).await;
    orders.until_at_end(MINUTE, zombie).await;
    let after = zombie.metrics().await.sum("forebay_records_total", &[]);
    assert!(after > before + 1_000.0, "the zombie works again: {before} records before, {after} after");
    assert!(zombie.log().contains("kind=\"lost\""), "it was a zombie: what it had was lost, not revoked");
    zombie.stop(STOP).await;
    other.stop(STOP).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
    let by_the_zombie: Vec<(i32, i64)> = repeated(orders.kafka, &orders.names.published)
        .await
        .into_iter()
        .filter(|(at, offset)| frozen.get(at).is_some_and(|row| (row.position..passed[at].announced).contains(offset)))
        .collect();
    assert_eq!(by_the_zombie, [], "announced while frozen, and again by the zombie");
}

/// How many transactions the process of that name has open.
async fn open(postgres: &Postgres, names: &Names, name: &str, condition: &str) -> i64 {
    let database = &names.database;
    let sql =
        format!("select count(*) from pg_stat_activity where datname = $1 and application_name = $2 and {condition}");
    postgres.query(database, &sql, &[database, &name]).await[0].get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_stopped_again_and_again_in_the_middle_of_a_transaction_stays_exact() {
    let mut orders = orders("stopped_short").await;
    let files = manifests_of_orders(&orders, "20000");
    let both = start(&files, PARTITIONS).await;
    let shares = [owned(&both[0]).await, owned(&both[1]).await];
    orders.produce(120_000).await;
    let mut hits = 0;
    for cycle in 0..20 {
        let frozen = cycle % 2;
        let moved = async |which: usize, since: i64, by: i64| {
            sum(&rows(orders.postgres, &orders.names, &shares[which]).await) > since + by
        };
        let since = sum(&rows(orders.postgres, &orders.names, &shares[frozen]).await);
        let dump = || both[frozen].tail();
        wait::until_or_dump(MINUTE, "it to be busy", async || moved(frozen, since, 200).await, dump).await;
        both[frozen].sigstop();
        hits += open(orders.postgres, &orders.names, NAMES[frozen], "state <> 'idle'").await;
        let (other, by) = (1 - frozen, [100, 400, 1_600][cycle % 3]);
        let since = sum(&rows(orders.postgres, &orders.names, &shares[other]).await);
        let began = Instant::now();
        // Where the transaction holds a row that the other needs as well, time has to be enough.
        let is_enough = async || moved(other, since, by).await || began.elapsed() > SHORT;
        wait::until_or_dump(MINUTE, "the other to go on", is_enough, || both[other].tail()).await;
        both[frozen].sigcont();
    }
    // A stop of the busiest moment is what counts, and on a loaded machine most of them fall between two transactions.
    assert!(hits >= 5, "only {hits} transactions were open at 20 stops");
    for share in &shares {
        let position = sum(&rows(orders.postgres, &orders.names, share).await);
        assert!(position < 58_000, "the stops came under load: position {position} of 60000");
    }
    orders.until_at_end(MINUTE, &both[0]).await;
    assert_eq!([owned(&both[0]).await, owned(&both[1]).await], shares, "no stop was long enough to lose anything");
    for process in &both {
        process.stop(STOP).await;
    }
    orders.assert_exact().await;
    orders.assert_at_rest().await;
    assert_eq!(repeated(orders.kafka, &orders.names.published).await, BTreeSet::new(), "published twice");
}

/// Hands over records to every partition: their numbers are their offsets.
fn put(scene: &Scene<'_>, partitions: i32, numbers: Range<i32>, more: impl Fn(i32, i32) -> Vec<Value>) {
    for (p, n) in (0..partitions).flat_map(|p| numbers.clone().map(move |n| (p, n))) {
        let log = effect("insert", "log", json!({ "p": p, "n": n }));
        scene.put(p, &[vec![log], more(p, n)].concat());
    }
}

async fn until_settled(scene: &Scene<'_>, running: &Forebay) {
    scene.until_at_end(running).await;
    let is_empty = async || scene.text("select count(*)::text from forebay.outbox").await == "0";
    wait::until_or_dump(MINUTE, "the outbox to be empty", is_empty, || running.tail()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_processs_transaction_is_waited_for_where_it_commits_and_fenced_where_it_comes_late() {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "frozen_gates", 4, GATES).await;
    scene.kafka.create_topic(&scene.names.published, 1, &[]).await;
    let manifest = scene.manifest(&[("log", ""), ("sums", "key = [\"id\"]")]);
    let manifest = manifest.target("out", &format!("{{ topic = \"{}\" }}", scene.names.published));
    let manifest = manifest.sink_key("timeouts", "{ statement = \"60s\", lock = \"60s\" }");
    let files = manifests(manifest, &scene.postgres.url(&scene.names.database), 50);
    let both = start(&files, 4).await;
    let [zombie, other] = &both;
    let more = |p: i32, n: i32| {
        let announced = json!({ "op": "publish", "target": "out", "key": "k", "value": n.to_string() });
        vec![effect("add", "sums", json!({ "id": p, "n": 1 })), announced]
    };
    put(&scene, 4, 0..500, more);
    until_settled(&scene, other).await;
    scene.execute(LAST_GATE).await;
    let theirs = owned(zombie).await;
    let (late, early) = (*theirs.first().unwrap(), *theirs.last().unwrap());
    assert!(late < early, "the zombie-to-be has two partitions: {theirs:?}");
    let keeper = scene.postgres.connect(&scene.names.database).await;
    keeper.batch_execute(&format!("select pg_advisory_lock(0, {late}), pg_advisory_lock(1, {early})")).await.unwrap();
    put(&scene, 4, 500..700, more);
    scene.producer.flush().await;
    let waiting = async |name: &str, what: &str| open(scene.postgres, &scene.names, name, what).await;
    let at_gates = async || waiting("one", "wait_event = 'advisory'").await == 2;
    wait::until_or_dump(MINUTE, "both transactions to stand at their gates", at_gates, || zombie.tail()).await;
    zombie.sigstop();
    let taken = async || {
        let other_writes = waiting("two", "wait_event = 'advisory'").await == 1;
        let other_acquires = waiting("two", "wait_event = 'transactionid'").await == 1;
        other_writes && other_acquires && owned(other).await.len() == 4
    };
    wait::until_or_dump(MINUTE, "the other process to stand behind the zombie", taken, || other.tail()).await;
    let rows = rows(scene.postgres, &scene.names, &theirs).await;
    assert!(rows.values().all(|row| row.position == 500), "nothing moved yet: {rows:?}");
    keeper.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    until_settled(&scene, other).await;
    zombie.sigcont();
    until_shared(&both, 4).await;
    put(&scene, 4, 700..900, more);
    until_settled(&scene, other).await;
    let by = async |p: i32, who: &str| -> BTreeSet<(i32, i64)> {
        let sql = format!("select n::text from log where p = {p} and who = '{who}' and n between 500 and 699");
        scene.texts(&sql).await.iter().map(|n| (p, n.parse().unwrap())).collect()
    };
    assert_eq!(by(late, "one").await.len(), 0, "its transaction came after the other's acquiring");
    let committed = by(early, "one").await;
    assert!((1..=50).contains(&committed.len()), "its transaction was committed, and nothing after: {committed:?}");
    zombie.stop(STOP).await;
    scene.rest(other).await;
    let counts = "select count(*) || ' ' || count(distinct (p, n)) || ' ' || (select sum(n) from sums) from log";
    assert_eq!(scene.text(counts).await, "3600 3600 3600", "rows, different ones, and the counters' sum");
    assert_eq!(scene.letter_codes().await, []);
    let repeated = repeated(scene.kafka, &scene.names.published).await;
    assert!(repeated.is_subset(&committed), "announced again, though acknowledged or never committed: {repeated:?}");
    let published = reader::read_all(scene.kafka, &scene.names.published).await;
    let ids: BTreeSet<_> = published.iter().map(|record| record.header("forebay.id")).collect();
    assert_eq!(ids.len(), 3_600, "messages published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_frozen_while_guilty_rows_are_isolated_leaves_nothing_of_its_transaction() {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "frozen_isolating", 2, GUILTY).await;
    let key = "key = [\"id\"]";
    let manifest = scene.manifest(&[("log", ""), ("sums", key), ("checked", key)]);
    let manifest = manifest.sink_key("timeouts", "{ lock = \"2s\", idle = \"12s\" }");
    let files = manifests(manifest, &scene.postgres.url(&scene.names.database), 100);
    let both = start(&files, 2).await;
    let [zombie, other] = &both;
    let is_guilty = |n: i32| n % 25 == 7;
    let more = |p: i32, n: i32| {
        let checked = json!({ "id": 10_000 * p + n, "a": if is_guilty(n) { -1 } else { 1 } });
        vec![effect("add", "sums", json!({ "id": 0, "n": 1 })), effect("upsert", "checked", checked)]
    };
    put(&scene, 2, 0..5_000, more);
    let theirs = owned(zombie).await;
    let idle = async || open(scene.postgres, &scene.names, "one", "state like 'idle in transaction%'").await == 1;
    let is_hit = async || {
        zombie.sigstop();
        // Asked twice: what was on its way when it was stopped has arrived by then.
        let is_hit = idle().await && idle().await;
        if !is_hit {
            zombie.sigcont();
        }
        is_hit
    };
    wait::until_or_dump(MINUTE, "a stop in the middle of an isolation", is_hit, || zombie.tail()).await;
    let frozen = rows(scene.postgres, &scene.names, &theirs).await;
    assert!(frozen.values().all(|row| row.position < 4_500), "it is frozen under load: {frozen:?}");
    let is_taken =
        async || rows(scene.postgres, &scene.names, &theirs).await.iter().all(|(at, row)| row.epoch > frozen[at].epoch);
    wait::until_or_dump(MINUTE, "the other process to acquire", is_taken, || other.tail()).await;
    assert!(idle().await, "the zombie's transaction outlives its session");
    until_settled(&scene, other).await;
    zombie.sigcont();
    until_shared(&both, 2).await;
    put(&scene, 2, 5_000..6_000, more);
    until_settled(&scene, other).await;
    zombie.stop(STOP).await;
    scene.rest(other).await;
    let counts = "select count(*) || ' ' || count(distinct (p, n)) || ' ' || (select n from sums) || ' ' || \
        (select count(*) from checked) from log";
    assert_eq!(scene.text(counts).await, "11520 11520 11520 11520", "rows, different ones, the counter, the innocent");
    let letters = scene.letter_codes().await;
    assert!(letters.iter().all(|(offset, ..)| *offset % 25 == 7), "{letters:?}");
    assert_eq!(letters.len(), 480);
}
