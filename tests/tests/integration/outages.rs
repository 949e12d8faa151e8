//! What is nobody's message: a database that is away, a schema that changed, a right that is missing. It waits or halts,
//! says why, goes on by itself, and dead-letters nothing.

use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::wait;
use serde_json::json;

use crate::scene::{MINUTE, PROBE, Scene, effect, until_state};

const KEY: &str = "key = [\"id\"]";

const SCHEMA: &str = "create table t (id int primary key, a int); create table log (n int)";

/// One thing that a person breaks and mends while the runtime runs.
struct Damage {
    name: &'static str,
    /// What the halt's sentence says.
    words: &'static [&'static str],
    /// `ROLE` stands for the runtime's role.
    breaks: &'static str,
    mends: &'static str,
}

const DAMAGES: [Damage; 6] = [
    Damage {
        name: "dropped",
        words: &["schema: ", "does not exist"],
        breaks: "create table saved as table t; drop table t",
        mends: "create table t (id int primary key, a int); insert into t table saved",
    },
    Damage {
        name: "revoked",
        words: &["permission: ", "permission denied", "42501"],
        breaks: "revoke insert, update on t from ROLE",
        mends: "grant insert, update on t to ROLE",
    },
    Damage {
        name: "column_gone",
        words: &["schema: ", "42703"],
        breaks: "alter table t rename a to b",
        mends: "alter table t rename b to a",
    },
    Damage {
        name: "not_null",
        words: &["schema: ", "23502"],
        breaks: "alter table t add c int; update t set c = 1; alter table t alter c set not null",
        mends: "alter table t alter c drop not null",
    },
    Damage {
        name: "key_gone",
        words: &["schema: ", "42P10"],
        breaks: "alter table t drop constraint t_pkey",
        mends: "alter table t add primary key (id)",
    },
    // 30 rows in a row with one violated constraint are not 30 bad rows.
    Damage {
        name: "alike",
        words: &["schema: ", "fail alike", "23514"],
        breaks: "alter table t add constraint small check (a < 10)",
        mends: "alter table t drop constraint small",
    },
];

/// Upserts 0 to 10, breaks it, upserts on to 40, sees the halt, mends it, and sees all of them.
async fn halts_and_goes_on(damage: &Damage) {
    let scene = Scene::shared(&format!("outages_{}", damage.name), SCHEMA).await;
    let role = scene.names.database.clone();
    scene.execute(&format!("create role {role} login; grant create on database {role} to {role}")).await;
    scene.execute(&format!("grant select, insert, update, delete on t, log to {role}")).await;
    let manifest = scene.manifest(&[("t", KEY), ("log", "")]).warehouse(&scene.postgres.url_as(&role, &role));
    let forebay = Forebay::start(&manifest.write(), &[]);
    let put = async |numbers: std::ops::Range<i32>| {
        let both =
            |n: i32| [effect("insert", "log", json!({ "n": n })), effect("upsert", "t", json!({ "id": n, "a": n }))];
        numbers.for_each(|n| {
            scene.put(0, &both(n));
        });
        scene.producer.flush().await;
    };
    put(0..10).await;
    scene.until_at_end(&forebay).await;
    scene.execute(&damage.breaks.replace("ROLE", &role)).await;
    put(10..40).await;
    scene.until_halted(&forebay, damage.words).await;
    assert_eq!(scene.positions().await.into_values().collect::<Vec<_>>(), [10], "{}", damage.name);
    assert!(!forebay.ready().await, "{}: a halted partition is not ready", damage.name);
    scene.execute(&damage.mends.replace("ROLE", &role)).await;
    scene.execute(&format!("grant select, insert, update, delete on t to {role}")).await;
    scene.until_at_end_within(PROBE, &forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, [], "{}", damage.name);
    assert_eq!(scene.text("select count(*) || ' ' || sum(a) from t").await, "40 780", "{}", damage.name);
    assert_eq!(scene.text("select count(*) || ' ' || count(distinct n) from log").await, "40 40", "{}", damage.name);
}

/// All of them at once: each waits for a probe.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_must_mend_halts_and_goes_on_by_itself() {
    let [dropped, revoked, column_gone, not_null, key_gone, alike] = &DAMAGES;
    tokio::join!(
        halts_and_goes_on(dropped),
        halts_and_goes_on(revoked),
        halts_and_goes_on(column_gone),
        halts_and_goes_on(not_null),
        halts_and_goes_on(key_gone),
        halts_and_goes_on(alike),
    );
}

/// A run of like faults is judged as one, wherever it begins.
#[tokio::test(flavor = "multi_thread")]
async fn good_records_before_like_faults_are_applied_and_the_faults_withheld() {
    let schema = "create table t (id int primary key, a int check (a < 100))";
    let scene = Scene::shared("outages_alike", schema).await;
    let row = |id: i32| effect("upsert", "t", json!({ "id": id, "a": id }));
    // 19 bad ones in a row are records; 30 are not.
    scene.put_each((0..5).chain(200..219).chain(5..10).chain(300..330).chain(10..15).map(row)).await;
    let file = scene.manifest(&[("t", KEY)]).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_halted(&forebay, &["schema: ", "fail alike", "23514"]).await;
    assert_eq!(scene.positions().await.into_values().collect::<Vec<_>>(), [29]);
    forebay.stop(Duration::from_secs(25)).await;
    let letters: Vec<i64> = scene.letter_codes().await.into_iter().map(|(offset, ..)| offset).collect();
    assert_eq!(letters, (5..24).collect::<Vec<_>>());
    assert_eq!(scene.text("select count(*)::text from t").await, "10");
}

/// A scene under load: a counter for each key and a row for each record, 3 partitions, small batches.
async fn loaded<'a>(servers: (&'a Kafka, &'a Postgres), base: &str) -> (Scene<'a>, Manifest) {
    let scene =
        Scene::new(servers, base, 3, "create table log (n int); create table sums (id int primary key, n int8)").await;
    let manifest = scene.manifest(&[("sums", KEY), ("log", "")]).set("batch", "{ max-records = 40 }");
    (scene, manifest)
}

fn load(scene: &Scene<'_>, numbers: std::ops::Range<i32>) {
    for n in numbers {
        let effects =
            [effect("insert", "log", json!({ "n": n })), effect("add", "sums", json!({ "id": n % 30, "n": 1 }))];
        scene.put(n % 3, &effects);
    }
}

async fn assert_exact(scene: &Scene<'_>, count: i32) {
    assert_eq!(scene.letter_codes().await, []);
    let log = scene.text("select count(*) || ' ' || count(distinct n) || ' ' || max(n) from log").await;
    assert_eq!(log, format!("{count} {count} {}", count - 1), "rows, different ones, and the last");
    let sums = scene.text("select count(*) || ' ' || sum(n) || ' ' || max(n) from sums").await;
    assert_eq!(sums, format!("30 {count} {}", count / 30), "counters, their sum, and the largest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_stopped_under_load_is_waited_for() {
    let postgres = Postgres::start().await;
    let (scene, manifest) = loaded((Kafka::shared().await, &postgres), "outages_stopped").await;
    load(&scene, 0..9_000);
    let forebay = Forebay::start(&manifest.write(), &[]);
    for (how, share) in [(Stop::Fast, 1_000), (Stop::Immediate, 4_000)] {
        let has_some = async || scene.positions().await.values().sum::<i64>() > share;
        wait::until_or_dump(MINUTE, "some records to be applied", has_some, || forebay.tail()).await;
        postgres.stop(how).await;
        until_state(&forebay, "waiting", &["database: "]).await;
        assert_eq!(forebay.get("/livez").await.unwrap().status, 200, "a database that is away is no reason to die");
        postgres.start_again().await;
    }
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_exact(&scene, 9_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_are_terminated_under_load_lose_and_repeat_nothing() {
    let (scene, manifest) = loaded((Kafka::shared().await, Postgres::shared().await), "outages_killed").await;
    load(&scene, 0..15_000);
    let forebay = Forebay::start(&manifest.write(), &[]);
    let killer = scene.postgres.connect("postgres").await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
    let (mut killed, mut last) = (0, 0);
    // One after the other as the position moves, so that it always can.
    while killed < 25 {
        let moved = wait::some_or_dump(
            MINUTE,
            "the positions to move",
            async || Some(scene.positions().await.values().sum::<i64>()).filter(|sum| *sum > last),
            || forebay.tail(),
        );
        last = moved.await;
        if last == 15_000 {
            break;
        }
        killed += killer.query_one(kill, &[&scene.names.database]).await.unwrap().get::<_, i64>(0);
    }
    assert!(killed >= 10, "only {killed} backends were terminated before all was done");
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_exact(&scene, 15_000).await;
}
