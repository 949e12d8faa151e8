//! `forebay run` while a server is away: it waits, says so, and goes on. And how it is stopped when something does not end.

use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::names::Names;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::producer::Producer;
use forebay_tests::{oracle, reader, wait};

use crate::letters;

const MINUTE: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(25);

/// A topic of one partition, an append table, and what is produced by number.
struct Scene<'a> {
    kafka: &'a Kafka,
    postgres: &'a Postgres,
    names: Names,
}

impl<'a> Scene<'a> {
    async fn new(kafka: &'a Kafka, postgres: &'a Postgres, base: &str) -> Self {
        let names = Names::new(base);
        kafka.create_topic(&names.topic, 1, &[]).await;
        kafka.create_topic(&names.dead_letters, 1, &[]).await;
        postgres.create_database(&names.database).await;
        postgres.execute(&names.database, "create table log (id bigint not null)").await;
        Self { kafka, postgres, names }
    }

    fn manifest(&self) -> Manifest {
        Manifest::scripted(self.kafka, self.postgres, &self.names)
            .target("log", "{ sink = \"warehouse\", table = \"public.log\" }")
    }

    async fn produce(&self, ids: std::ops::Range<i64>) {
        let producer = Producer::new(self.kafka);
        for id in ids {
            let value = format!(r#"{{"effects":[{{"op":"insert","target":"log","columns":{{"id":{id}}}}}]}}"#);
            producer.send(&self.names.topic, 0, None, Some(value.as_bytes()), &[]);
        }
        producer.flush().await;
    }

    async fn until_at_end(&self, forebay: &Forebay) {
        letters::until_at_end(forebay, self.kafka, &self.names.topic).await;
    }

    async fn assert_applied(&self, count: i64) {
        let rows = self.postgres.query(&self.names.database, "select id from log order by id", &[]).await;
        let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(ids, (0..count).collect::<Vec<_>>());
        let letters = reader::read_all(self.kafka, &self.names.dead_letters).await;
        assert_eq!(letters.len(), 0, "an infrastructure's fault is never a message's");
    }

    async fn assert_at_rest(&self) {
        let client = self.postgres.connect(&self.names.database).await;
        oracle::assert_at_rest(self.kafka, &client, &self.names.group, &[&self.names.topic]).await;
    }
}

/// Waits until the one partition waits for that reason.
async fn until_waiting(forebay: &Forebay, reason: &str) {
    let what = format!("the partition to wait for {reason}");
    let is_waiting = |status: &serde_json::Value| {
        partitions_of(status).any(|partition| {
            let why = partition["why"].as_str().unwrap_or_default();
            matches!(partition["state"].as_str(), Some("waiting" | "starting")) && why.starts_with(reason)
        })
    };
    forebay.until(MINUTE, &what, is_waiting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_a_database_that_is_away_and_goes_on() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::start().await);
    let scene = Scene::new(kafka, &postgres, "database_away").await;
    scene.produce(0..100).await;
    postgres.stop(Stop::Fast).await;
    let manifest = scene.manifest().write();
    let forebay = Forebay::start(&manifest, &[]);
    until_waiting(&forebay, "database: sink `warehouse`").await;
    assert_eq!(forebay.get("/livez").await.unwrap().status, 200);
    postgres.start_again().await;
    scene.until_at_end(&forebay).await;
    wait::until(MINUTE, "it to be ready", async || forebay.ready().await).await;
    // And in the middle of its life.
    postgres.stop(Stop::Immediate).await;
    scene.produce(100..200).await;
    until_waiting(&forebay, "database: ").await;
    assert_eq!(forebay.get("/livez").await.unwrap().status, 200);
    postgres.start_again().await;
    scene.until_at_end(&forebay).await;
    assert!(forebay.ready().await);
    forebay.stop(STOP).await;
    scene.assert_applied(200).await;
    scene.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_a_broker_that_is_away_and_goes_on() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::shared().await);
    let scene = Scene::new(&kafka, postgres, "broker_away").await;
    scene.produce(0..100).await;
    kafka.kill();
    let manifest = scene.manifest().write();
    let forebay = Forebay::start(&manifest, &[]);
    let says_so = async || {
        let ready = forebay.get("/readyz").await;
        ready.is_ok_and(|answer| answer.status == 503 && answer.body.contains("no broker answers"))
    };
    wait::until_or_dump(MINUTE, "/readyz to say that the brokers are away", says_so, || forebay.tail()).await;
    let is_told = |status: &serde_json::Value| {
        let why = status["bindings"][0]["why"].as_str().unwrap_or_default();
        why.starts_with("kafka: ") && why.contains("no broker answers") && status["ready"] == false
    };
    forebay.until(MINUTE, "/status to say why nothing runs", is_told).await;
    assert_eq!(forebay.get("/livez").await.unwrap().status, 200);
    assert_eq!(forebay.exit(), None);
    kafka.restart().await;
    scene.until_at_end(&forebay).await;
    wait::until(MINUTE, "it to be ready", async || forebay.ready().await).await;
    assert_eq!(forebay.status().await["bindings"][0]["why"], serde_json::Value::Null);
    // And in the middle of its life.
    kafka.restart().await;
    scene.produce(100..200).await;
    scene.until_at_end(&forebay).await;
    forebay.stop(STOP).await;
    scene.assert_applied(200).await;
    scene.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_within_its_deadline_and_a_second_signal_ends_at_once() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let scene = Scene::new(kafka, postgres, "stop_twice").await;
    scene.produce(0..10).await;
    let patient = scene.manifest().sink_key("timeouts", "{ lock = \"120s\", statement = \"120s\" }");
    let hasty = patient.clone().extra("[shutdown]\ndeadline = \"4s\"").write();
    let manifest = patient.write();
    let mut blocker = postgres.connect(&scene.names.database).await;
    let transaction = blocker.transaction().await.unwrap();
    transaction.batch_execute("lock table log in access exclusive mode").await.unwrap();
    let is_blocked = async || {
        let sql = "select 1 from pg_locks where not granted and relation = 'log'::regclass";
        !postgres.query(&scene.names.database, sql, &[]).await.is_empty()
    };
    // What is not written by the deadline is dropped, and the exit is still 0.
    let forebay = Forebay::start(&hasty, &[]);
    wait::until_or_dump(MINUTE, "the write to be blocked", is_blocked, || forebay.tail()).await;
    let start = Instant::now();
    forebay.stop(Duration::from_secs(5)).await;
    assert!(start.elapsed() >= Duration::from_secs(2), "gave up after {:?}", start.elapsed());
    // Its backend may still wait for the lock: it does not hear that nobody waits for it any more.
    let end = "select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'log'::regclass";
    postgres.execute(&scene.names.database, end).await;
    wait::until(MINUTE, "its transaction to be gone", async || !is_blocked().await).await;
    // Twice is at once.
    let forebay = Forebay::start(&manifest, &[]);
    wait::until_or_dump(MINUTE, "the write to be blocked", is_blocked, || forebay.tail()).await;
    forebay.sigint();
    wait::until_or_dump(MINUTE, "it to be stopping", async || !forebay.ready().await, || forebay.tail()).await;
    assert_eq!(forebay.exit(), None, "it waits for what is in flight");
    forebay.sigint();
    assert_eq!(forebay.wait_exit(Duration::from_secs(2)).await.code(), Some(130));
    drop(transaction);
    // Nothing was lost or doubled by that.
    let forebay = Forebay::start(&manifest, &[]);
    scene.until_at_end(&forebay).await;
    forebay.sigint();
    assert_eq!(forebay.wait_exit(STOP).await.code(), Some(0), "one SIGINT is a graceful stop");
    scene.assert_applied(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn never_prints_a_secret() {
    const SECRET: &str = "hunter2-and-more";
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let scene = Scene::new(kafka, postgres, "secrets").await;
    scene.produce(0..3).await;
    let url = postgres.url(&scene.names.database).replace("postgres@", "postgres:${env:FOREBAY_TESTS_SECRET}@");
    let manifest = scene.manifest().warehouse(&url).property("sasl.password", "${env:FOREBAY_TESTS_SECRET}");
    let env = [("FOREBAY_TESTS_SECRET", SECRET)];
    let file = manifest.write();
    let forebay = Forebay::start(&file, &env);
    scene.until_at_end(&forebay).await;
    for page in ["/status", "/metrics", "/", "/readyz"] {
        let answer = forebay.get(page).await.unwrap();
        assert!(!answer.body.contains(SECRET), "{page} says it");
    }
    forebay.stop(STOP).await;
    assert!(forebay.log().contains("DEBUG"), "the log is a talkative one");
    assert!(!forebay.log().contains(SECRET), "the log says it");
    // Nor when the connection string is wrong: a database that is not there, a host that is not, a port that is none.
    let good = ["check", "init"].map(|command| (command, url.clone()));
    let nowhere = url.replace(&format!(":{}/", postgres.port()), ":1/");
    let no_port = url.replace(&format!(":{}/", postgres.port()), ":port/");
    let absent = url.replace(&scene.names.database, "absent");
    let bad = [absent, nowhere, no_port, "host=127.0.0.1 passwort=${env:FOREBAY_TESTS_SECRET}".to_owned()];
    let bad = bad.into_iter().flat_map(|url| ["check", "init"].map(|command| (command, url.clone())));
    for (command, url) in good.into_iter().chain(bad) {
        let file = manifest.clone().warehouse(&url).write();
        for format in ["text", "json"] {
            let args = [command, file.arg(), "--output", format, "--log", "debug"];
            let output = Forebay::run_once(&args, &env).await;
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!said.is_empty() && !said.contains(SECRET), "`{command}` says it: {said}");
        }
    }
}
