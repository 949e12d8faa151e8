//! Dead letters that Spring Kafka's own recoverer wrote, through a handler of Forebay's.

use std::process::Command;

use forebay_tests::{place, reader};
use serde_json::json;

use crate::dlq::dlq;
use crate::redrive::{counts, ends, mendable, mended, until_failpoint};
use crate::scene::{Scene, effect};

/// Has Spring write a dead letter for each value, all of them of partition 0, at offsets from 0.
async fn recover(scene: &Scene<'_>, values: &[String]) {
    let mut java = Command::new("java");
    java.arg("-cp")
        .arg(place::target().join("kafka/libs/*"))
        .arg(place::root().join("tests/java/SpringRecoverer.java"));
    java.args([scene.kafka.bootstrap().as_str(), &scene.names.topic, &scene.names.dead_letters]);
    for (offset, value) in values.iter().enumerate() {
        java.args(["0", &offset.to_string(), value]);
    }
    let output = tokio::task::spawn_blocking(move || java.output()).await.unwrap().expect("java starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_spring_are_listed_and_redriven_once() {
    let scene = Scene::shared("redrive_spring", "create table log (n int)").await;
    let mut values: Vec<String> =
        (0..20).map(|n| mendable(&json!([effect("insert", "log", json!({ "n": n }))]))).collect();
    values.push(json!({ "reject": { "code": "incurable", "message": "no" } }).to_string());
    recover(&scene, &values).await;
    let file = mended(scene.manifest(&[("log", "")])).write();

    let list = dlq(&["list", file.arg(), "--output", "json"]).await.json();
    let group = &list["topics"][0]["groups"][0];
    assert_eq!((&group["code"], &group["letters"]), (&json!("java.lang.IllegalStateException"), &json!(21)));
    let letter = dlq(&["show", file.arg(), "--output", "json"]).await.json()["letters"][0].clone();
    assert_eq!(
        (&letter["family"], &letter["headers"].as_array().map(Vec::len)),
        (&json!("spring"), &Some(1)),
        "{letter}"
    );
    let origin = &letter["origin"];
    assert_eq!((&origin["topic"], &origin["partition"]), (&json!(scene.names.topic), &json!(0)));
    assert_eq!((&origin["offset"], &origin["timestamp_ms"]), (&json!(0), &json!(1_700_000_000_000_i64)));

    until_failpoint(&file, "after-commit:7", &[]).await;
    let last = ends(&file, &[]).await;
    assert_eq!(last, counts([("applied", 13), ("failed-again", 1), ("redriven-before", 7)]));
    assert_eq!(scene.texts("select n::text from log order by n").await.len(), 20);
    assert_eq!(scene.texts("select distinct n::text from log").await.len(), 20, "each once");
    // What failed again is a letter of Forebay's, which keeps the record's own headers only.
    let letters = reader::read_all(scene.kafka, &scene.names.dead_letters).await;
    let again = letters.last().unwrap();
    assert_eq!((letters.len(), again.header("forebay.redrives")), (22, Some("1")));
    assert_eq!(again.headers[0], (b"own".to_vec(), Some(vec![0xff, 0])));
    assert_eq!(again.header("__dlq.errors.offset"), Some("20"));
    assert!(again.headers.iter().all(|(name, _)| !name.starts_with(b"kafka_dlt-")), "{again:?}");
    assert_eq!(ends(&file, &["--limit", "1", "--code", "incurable"]).await, counts([("failed-again", 1)]));
}
