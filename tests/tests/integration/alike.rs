//! When everything fails alike it is nobody's message: the partition halts, says why, and loses nothing.

use std::time::Duration;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);

fn insert(id: i32) -> String {
    format!(r#"{{"effects":[{{"op":"insert","target":"log","columns":{{"id":{id}}}}}]}}"#)
}

fn partition(status: &Value, number: i32) -> &Value {
    partitions_of(status).find(|partition| partition["partition"] == number).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_records_that_trap_alike_halt_their_partition_and_none_is_dead_lettered() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("alike");
    kafka.create_topic(&names.topic, 2, &[]).await;
    kafka.create_topic(&names.dead_letters, 1, &[]).await;
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, "create table log (id bigint not null)").await;
    let producer = Producer::new(kafka);
    for id in 0..50 {
        producer.send(&names.topic, 1, None, Some(insert(id).as_bytes()), &[]);
        // A few good ones first, and a rejected one: a fault of its own, which does not count among the others.
        let first = ["", r#"{"reject":{"code":"bad","message":"no"}}"#][usize::from(id == 4)];
        let value = if first.is_empty() { insert(100 + id) } else { first.to_owned() };
        let value = if id < 5 { value } else { format!(r#"{{"trap":"no customer {id}"}}"#) };
        producer.send(&names.topic, 0, None, Some(value.as_bytes()), &[]);
    }
    producer.flush().await;
    let manifest = Manifest::scripted(kafka, postgres, &names)
        // All of them are in one batch: a slow trickle may lose its first ones.
        .set("batch", "{ linger = \"1s\" }")
        .target("log", "{ sink = \"warehouse\", table = \"public.log\" }")
        .write();
    let forebay = Forebay::start(&manifest, &[]);
    forebay.until(MINUTE, "partition 0 to be halted", |status| partition(status, 0)["state"] == "halted").await;
    let halted = |status: &Value| {
        let halted = partition(status, 0);
        assert_eq!((&halted["state"], &halted["position"]), (&"halted".into(), &5.into()), "{halted}");
        let why = halted["why"].as_str().unwrap();
        assert!(why.starts_with("plugin: ") && why.contains("20 records in a row"), "{why}");
        assert!(why.contains("no customer") && why.contains("unreachable"), "names what they fail with: {why}");
        assert_eq!(status["ready"], false);
    };
    halted(&forebay.status().await);

    // The other partition goes on.
    for id in 50..60 {
        producer.send(&names.topic, 1, None, Some(insert(id).as_bytes()), &[]);
    }
    producer.flush().await;
    forebay.until(MINUTE, "partition 1 to be at its end", |status| partition(status, 1)["position"] == 60).await;
    halted(&forebay.status().await);
    assert_told(&forebay, &names).await;
    forebay.stop(Duration::from_secs(25)).await;

    let letters = oracle::dead_letters(kafka, &names.dead_letters).await;
    let letters: Vec<_> = letters.iter().map(|letter| (&*letter.class, letter.origin.2)).collect();
    assert_eq!(letters, [("rejected", 4)]);
    let client = postgres.connect(&names.database).await;
    let ledger = oracle::ledger(&client, &names.group).await;
    let positions: Vec<i64> = ledger.values().map(|row| row.next_offset).collect();
    let committed = oracle::committed(kafka, &names.group, &names.topic);
    let committed: Vec<i64> = committed.values().map(|committed| committed.offset).collect();
    assert_eq!((&positions, &committed), (&vec![5, 60], &vec![5, 60]));
    let rows: i64 = client.query_one("select count(*) from log", &[]).await.unwrap().get(0);
    assert_eq!(rows, 64, "what is before them, and the other partition");
}

/// Metrics, health and readiness tell of the halt.
async fn assert_told(forebay: &Forebay, names: &Names) {
    let metrics = forebay.metrics().await;
    let state = |partition: &str, state: &str| {
        metrics.sum("forebay_lane_state", &[("topic", &names.topic), ("partition", partition), ("state", state)])
    };
    assert_eq!((state("0", "halted"), state("0", "running"), state("1", "halted")), (1.0, 0.0, 0.0));
    assert_eq!(metrics.sum("forebay_records_total", &[("state", "dead-lettered")]), 1.0);
    assert_eq!(metrics.sum("forebay_failures_total", &[("class", "trap")]), 0.0);
    assert_eq!(metrics.sum("forebay_lag_messages", &[("partition", "0")]), 45.0);
    let ready = forebay.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains(&format!("{}/0: plugin: ", names.topic)), "{}", ready.body);
    assert!(!ready.body.contains(&format!("{}/1", names.topic)), "{}", ready.body);
    assert_eq!(forebay.get("/livez").await.unwrap().status, 200);
}
