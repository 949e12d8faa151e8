//! `forebay dlq redrive --to topic`: records lie in their topic again, at least once and under the same id, and a topic that
//! the manifest does not name is never written to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::record::{Header, Record};
use forebay_tests::{oracle, reader};
use serde_json::json;

use crate::dlq::dlq;
use crate::redrive::{by_redrives, counts, ends, mendable, mended, patient, until_failpoint};
use crate::scene::{Scene, effect};

const STOP: Duration = Duration::from_secs(25);
const LOG: &str = "create table log (n int)";

/// A record's value and headers.
type Bytes = (Option<Vec<u8>>, Vec<Header>);

fn header(name: &str, value: &[u8]) -> Header {
    (name.as_bytes().to_vec(), Some(value.to_vec()))
}

/// Headers that are not all text, one of them called as one of Forebay's own.
fn originals() -> Vec<Header> {
    vec![header("own", b"\xff\x00"), (vec![0xfe], None), header("forebay.id", b"the sender's"), header("own", b"2")]
}

/// Returns what came back to the topic: what lies there beyond `before`.
async fn returned(scene: &Scene<'_>, before: usize) -> Vec<Record> {
    let mut records = reader::read_all(scene.kafka, &scene.names.topic).await;
    records.split_off(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_go_back_to_their_topic_and_repeats_have_the_same_id() {
    const LETTERS: usize = 500;
    let scene = Scene::shared("redrive_topic", LOG).await;
    for n in 0..LETTERS {
        let value = mendable(&json!([effect("insert", "log", json!({ "n": n }))]));
        scene.producer.send(&scene.names.topic, 0, Some(&[0xff, 0]), Some(value.as_bytes()), &originals());
    }
    let manifest = patient(&scene, scene.manifest(&[("log", "")]));
    scene.run_through(&manifest).await;
    let file = manifest.write();
    let letters = dlq(&["show", file.arg(), "--output", "json", "--limit", "1"]).await.json();
    assert_eq!(letters["letters"][0]["redrives"], 0);

    // Sent and not remembered: they lie there, and go again.
    until_failpoint(&file, "after-send:2", &["--to", "topic"]).await;
    assert_eq!(returned(&scene, LETTERS).await.len(), 200, "the first hundred is remembered, the second is not");
    until_failpoint(&file, "before-send:3", &["--to", "topic"]).await;
    let rest = u64::try_from(LETTERS).unwrap() - 300;
    let said = ends(&file, &["--to", "topic"]).await;
    assert_eq!(said, counts([("redriven-before", 300), ("returned", rest)]));
    let records = returned(&scene, LETTERS).await;
    assert_eq!(records.len(), LETTERS + 100);
    let mut by_id: BTreeMap<String, BTreeSet<Bytes>> = BTreeMap::new();
    for record in &records {
        let kept = record.headers.len() - 2;
        let names: Vec<&[u8]> = record.headers[kept..].iter().map(|(name, _)| &**name).collect();
        assert_eq!((&record.headers[..kept], names), (&*originals(), vec![&b"forebay.id"[..], b"forebay.redrives"]));
        assert_eq!((record.key.as_deref(), record.header("forebay.redrives")), (Some(&[0xff, 0][..]), Some("1")));
        let same = by_id.entry(record.header("forebay.id").unwrap().to_owned()).or_default();
        same.insert((record.value.clone(), record.headers.clone()));
    }
    let expected: Vec<String> = (0..LETTERS).map(|n| format!("{}/0/{n}/dlq", scene.names.topic)).collect();
    assert_eq!(by_id.keys().cloned().collect::<BTreeSet<_>>(), expected.into_iter().collect(), "none is lost");
    assert!(by_id.values().all(|same| same.len() == 1), "a repeat is the same record");
    assert_eq!(ends(&file, &["--to", "topic"]).await, counts([("redriven-before", 500)]));
    // The handler's way knows it, too.
    assert_eq!(ends(&mended(manifest.clone()).write(), &[]).await, counts([("redriven-before", 500)]));

    let fixed = mended(manifest).write();
    let forebay = Forebay::start(&fixed, &[]);
    scene.until_at_end(&forebay).await;
    forebay.stop(STOP).await;
    let rows: BTreeSet<String> = scene.texts("select n::text from log").await.into_iter().collect();
    assert_eq!(rows, (0..LETTERS).map(|n| n.to_string()).collect(), "the consumer processed them");
    assert_eq!(by_redrives(&scene).await, [(0, LETTERS)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_is_the_original_with_one_return_more() {
    let scene = Scene::shared("redrive_again", LOG).await;
    let value = br#"{"reject":{"code":"incurable","message":"no"}}"#;
    scene.producer.send(&scene.names.topic, 0, Some(b"key"), Some(value), &originals());
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    for returns in 1..=3_usize {
        assert_eq!(ends(&file, &["--to", "topic"]).await["returned"], 1);
        scene.until_at_end(&forebay).await;
        let is_there = async || reader::read_all(scene.kafka, &scene.names.dead_letters).await.len() > returns;
        forebay_tests::wait::until(crate::scene::MINUTE, "the next letter", is_there).await;
    }
    let letters = reader::read_all(scene.kafka, &scene.names.dead_letters).await;
    assert_eq!(letters.len(), 4);
    for (redrives, letter) in letters.iter().enumerate() {
        let own = originals().len();
        assert_eq!(letter.headers[..own], originals(), "the original headers come first, byte for byte");
        let count = |name: &str| letter.headers[own..].iter().filter(|(own, _)| own == name.as_bytes()).count();
        assert_eq!((count("forebay.id"), count("forebay.redrives"), letter.headers.len()), (1, 1, own + 15));
        assert_eq!(letter.header("forebay.redrives"), Some(&*redrives.to_string()));
        assert_eq!(letter.header("forebay.id"), Some(&*format!("{}/0/{redrives}/dlq", scene.names.topic)));
        assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"key"[..]), Some(&value[..])));
    }
    // It came back as often as it may.
    assert_eq!(ends(&file, &["--to", "topic"]).await, counts([("redriven-before", 3), ("used-up", 1)]));
    assert_eq!(ends(&file, &[]).await, counts([("redriven-before", 3), ("used-up", 1)]));
    assert_eq!(reader::read_all(scene.kafka, &scene.names.topic).await.len(), 4);
    let more = ["--to", "topic", "--max-redrives", "4", "--dry-run"];
    let said = dlq(&[&["redrive", file.arg()], &more[..]].concat()).await;
    said.shows(&[&format!(": returned to {}\n", scene.names.topic), "1 returned"]);
    assert_eq!(reader::read_all(scene.kafka, &scene.names.topic).await.len(), 4, "only a trial");
    forebay.stop(STOP).await;
}

/// Returns the headers of a letter that anybody may have written.
fn hostile(topic: &str, partition: &str, offset: &str, redrives: &str) -> Vec<Header> {
    let text = |name: &str, value: &str| header(name, value.as_bytes());
    vec![
        text("__dlq.errors.topic", topic),
        text("__dlq.errors.partition", partition),
        text("__dlq.errors.offset", offset),
        text("forebay.failure.class", "rejected"),
        text("forebay.failure.code", "bad"),
        text("forebay.id", &format!("{topic}/{partition}/{offset}/dlq")),
        text("forebay.redrives", redrives),
    ]
}

async fn lengths(scene: &Scene<'_>, topics: [&str; 3]) -> Vec<i64> {
    topics.iter().flat_map(|topic| oracle::log_ends(scene.kafka, topic).into_values()).collect()
}

async fn hostile_letters(base: &str) -> (Scene<'static>, ManifestFile) {
    let scene = Scene::shared(base, LOG).await;
    scene.kafka.create_topic(&scene.names.published, 1, &[]).await;
    let own = scene.names.topic.clone();
    let lies = [
        // Of topics that the binding does not read: another one, its own letters, one that is not there.
        hostile(&scene.names.published, "0", "1", "0"),
        hostile(&scene.names.dead_letters, "0", "2", "0"),
        hostile("nowhere", "0", "3", "0"),
        // Of no topic.
        hostile("", "0", "4", "0"),
        hostile("../../etc", "0", "5", "0"),
        hostile(&own, "-1", "6", "0"),
        hostile(&own, "0", "-7", "0"),
        hostile(&own, "0", "99999999999999999999", "0"),
        hostile(&own, "zero", "9", "0"),
        vec![header("forebay.failure.class", b"rejected")],
        Vec::new(),
    ];
    let value = mendable(&json!([effect("insert", "log", json!({ "n": 1 }))]));
    for headers in &lies {
        scene.producer.send(&scene.names.dead_letters, 0, Some(b"k"), Some(value.as_bytes()), headers);
    }
    // It came back more often than anybody counts.
    let often = hostile(&own, "0", "10", "4294967295");
    scene.producer.send(&scene.names.dead_letters, 0, Some(b"k"), Some(value.as_bytes()), &often);
    // Its partition is none that the topic has.
    let far = hostile(&own, "2147483647", "11", "0");
    scene.producer.send(&scene.names.dead_letters, 0, Some(b"k"), Some(value.as_bytes()), &far);
    scene.producer.flush().await;
    let file = mended(scene.manifest(&[("log", "")])).write();
    (scene, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_lies_about_its_origin_is_sent_nowhere() {
    let (scene, file) = hostile_letters("redrive_lies").await;
    let topics = [&*scene.names.topic, &*scene.names.published, &*scene.names.dead_letters];
    let before = lengths(&scene, topics).await;
    let expected = counts([("foreign", 11), ("lost", 1), ("used-up", 1)]);
    let trial = dlq(&["redrive", file.arg(), "--to", "topic", "--dry-run"]).await;
    trial.shows(&["11 foreign, 1 lost, 1 used-up (nothing was changed)\n"]);
    assert_eq!(ends(&file, &["--to", "topic"]).await, expected);
    let said = dlq(&["redrive", file.arg(), "--to", "topic"]).await;
    said.shows(&[&format!("lost: topic `{}` has no partition 2147483647 (1)", scene.names.topic)]);
    assert_eq!(lengths(&scene, topics).await, before);
    assert_eq!(scene.kafka.partitions("nowhere"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_lies_about_its_origin_is_no_handlers() {
    let (scene, file) = hostile_letters("redrive_lies_handler").await;
    // Where its partition was does not matter to the handler.
    assert_eq!(ends(&file, &[]).await, counts([("applied", 1), ("foreign", 11), ("used-up", 1)]));
    assert_eq!(scene.texts("select n::text from log").await, ["1"]);
    assert_eq!(scene.texts("select binding from forebay.redriven").await, [scene.names.topic.as_str()]);
}
