//! Which letters `forebay dlq redrive` takes, what a trial shows of them, how fast it goes, and a value that lies in the sink.

use std::time::{Duration, Instant};

use forebay_tests::manifest::{ManifestFile, quoted};
use forebay_tests::{oracle, reader};
use serde_json::{Value, json};

use crate::dlq::dlq;
use crate::redrive::{counts, ends, kill_when, mended, patient};
use crate::scene::{Scene, effect};

/// A record that fails with this code until its handler is mended, and then writes this number.
fn coded(code: &str, n: usize) -> Value {
    json!({ "reject": { "code": code, "message": "no" }, "else": [effect("insert", "log", json!({ "n": n }))] })
}

async fn scene(base: &str, values: &[Value]) -> (Scene<'static>, ManifestFile) {
    let scene = Scene::shared(base, "create table log (n int)").await;
    for value in values {
        scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.to_string().as_bytes()), &[]);
    }
    let manifest = patient(&scene, scene.manifest(&[("log", "")]));
    scene.run_through(&manifest).await;
    let file = mended(manifest).write();
    (scene, file)
}

async fn rows(scene: &Scene<'_>) -> Vec<String> {
    scene.texts("select n::text from log order by n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_chosen_is_redriven() {
    let trap = json!({ "trap": "no", "else": [effect("insert", "log", json!({ "n": 2 }))] });
    let mut values = vec![coded("one", 0), coded("two", 1), trap];
    values.extend((3..10).map(|n| coded("many", n)));
    let (scene, file) = scene("redrive_choice", &values).await;
    let id = format!("{}/0/5/dlq", scene.names.topic);
    let applied = counts([("applied", 1)]);
    let chosen: [(&[&str], Option<&str>); 8] = [
        (&["--class", "trap"], Some("2")),
        (&["--code", "two"], Some("1")),
        (&["--partition", "0", "--offset", "7"], Some("7")),
        (&["--id", &id], Some("5")),
        (&["--since", "1h", "--limit", "1"], Some("0")),
        (&["--since", "2099-01-01T00:00:00Z"], None),
        (&["--code", "nobody's"], None),
        (&["--binding", "another"], None),
    ];
    let mut expected: Vec<&str> = Vec::new();
    for (choice, row) in chosen {
        let said = ends(&file, choice).await;
        assert_eq!(said, if row.is_some() { applied.clone() } else { counts([]) }, "{choice:?}");
        expected.extend(row);
        expected.sort_unstable();
        assert_eq!(rows(&scene).await, expected, "{choice:?}");
    }
    dlq(&["redrive", file.arg(), "--partition", "9"]).await.refuses(2, &["has no partition 9"]);
    // The limit is of letters that are redriven, not of those that were: as many runs come to the end.
    for count in [2, 2, 1] {
        let said = ends(&file, &["--limit", "2"]).await;
        assert_eq!(said.get("applied"), Some(&count), "{said:?}");
    }
    assert_eq!(rows(&scene).await.len(), 10);
    assert_eq!(ends(&file, &["--limit", "2"]).await.get("applied"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_shows_outcome_and_rows_and_changes_nothing() {
    let skips = json!({ "trap": true, "else": [] });
    let values = [coded("bad", 7), json!({ "reject": { "code": "incurable", "message": "never\u{1b}[2J" } }), skips];
    let (scene, file) = scene("redrive_trial", &values).await;
    let state = async || {
        let ends = [&scene.names.topic, &scene.names.dead_letters].map(|topic| oracle::log_ends(scene.kafka, topic));
        let outbox = scene.texts("select next_offset::text from forebay.outbox").await;
        (ends, rows(&scene).await, scene.texts("select id from forebay.redriven").await, outbox)
    };
    let before = state().await;
    let text = dlq(&["redrive", file.arg(), "--dry-run"]).await;
    let place = |n: u32| format!("0@{n} of {}/0@{n}: ", scene.names.topic);
    let row = r#"{"columns":[{"n":7}],"op":"insert","target":"log"}"#;
    text.shows(&[&format!("{}applied\n    {row}\n", place(0)), &format!("{}applied\n", place(2))]);
    text.shows(&[&format!("{}failed-again: rejected incurable: never\\u{{1b}}[2J\n", place(1))]);
    text.shows(&["2 applied, 1 failed-again (nothing was changed)\n", "failed-again: rejected incurable (1)\n"]);
    let said = dlq(&["redrive", file.arg(), "--dry-run", "--output", "json"]).await;
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "{said:?}");
    assert_eq!(lines[0]["effects"], json!([{ "op": "insert", "target": "log", "columns": [{ "n": 7 }] }]));
    assert_eq!((&lines[0]["end"], &lines[0]["redrives"]), (&json!("applied"), &json!(0)));
    let failure = json!({ "class": "rejected", "code": "incurable", "message": "never\u{1b}[2J" });
    assert_eq!((&lines[1]["end"], &lines[1]["failure"]), (&json!("failed-again"), &failure));
    assert_eq!((&lines[3]["dry_run"], &lines[3]["letters"]), (&json!(true), &json!(3)));
    let said = dlq(&["redrive", file.arg(), "--dry-run", "--to", "topic"]).await;
    said.shows(&["3 returned (nothing was changed)\n"]);
    assert_eq!(state().await, before, "only a trial");
    assert_eq!(ends(&file, &[]).await, counts([("applied", 2), ("failed-again", 1)]));
    assert_ne!(state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_no_faster_than_it_is_told() {
    let values: Vec<Value> = (0..60).map(|n| coded("bad", n)).collect();
    let (scene, file) = scene("redrive_rate", &values).await;
    let start = Instant::now();
    kill_when(&file, &["--rate", "10"], async || rows(&scene).await.len() >= 15).await;
    let took = start.elapsed();
    // The first goes at once.
    assert!(took > Duration::from_millis(1300), "15 letters in {took:?}");
    let done = rows(&scene).await.len();
    let most = took.as_secs() * 10 + 12;
    assert!(u64::try_from(done).unwrap() <= most, "{done} letters in {took:?}");
    assert_eq!(ends(&file, &[]).await["applied"], u64::try_from(60 - done).unwrap());
    assert_eq!(rows(&scene).await.len(), 60);
}

/// Text that no codec makes smaller.
fn noise(bytes: usize) -> String {
    let mut state = 11_u64;
    let letters = (0..bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + u8::try_from((state >> 33) % 57).unwrap())
    });
    letters.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_topic_did_not_take_is_redriven_from_the_sink() {
    let scene = Scene::shared("redrive_kept", "create table log (n int, text text)").await;
    let letters = format!("{}.small", scene.names.topic);
    scene.kafka.create_topic(&letters, 1, &[("max.message.bytes", "4000")]).await;
    let text = noise(30_000);
    let effects = json!([effect("insert", "log", json!({ "n": 1, "text": text }))]);
    let value = json!({ "reject": { "code": "bad", "message": "no" }, "else": effects }).to_string();
    scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    let again = json!({ "reject": { "code": "again", "message": "no" }, "pad": text }).to_string();
    scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(again.as_bytes()), &[]);
    scene.producer.flush().await;
    let small = format!("{{ topic = {}, pause-above = \"100% of 1m\" }}", quoted(&letters));
    let manifest = scene.manifest(&[("log", "")]).set("dead-letter", &small);
    let forebay = forebay_tests::forebay::Forebay::start(&manifest.write(), &[]);
    scene.until_at_end(&forebay).await;
    forebay.until_caught_up(crate::scene::MINUTE, 1).await;
    forebay.stop(Duration::from_secs(25)).await;
    assert_eq!(scene.texts("select distinct state from forebay.outbox").await, ["kept"]);
    let lying = reader::read_all(scene.kafka, &letters).await;
    assert!(lying.len() == 2 && lying.iter().all(|letter| letter.value.is_none()), "{lying:?}");

    let file = mended(manifest).write();
    assert_eq!(ends(&file, &[]).await, counts([("applied", 1), ("failed-again", 1)]));
    assert_eq!(scene.texts("select text from log").await, [text.as_str()]);
    // What failed again is still too large, and is still to be had.
    let shown = dlq(&["show", file.arg(), "--code", "again", "--limit", "9", "--output", "json"]).await.json();
    let shown = shown["letters"].as_array().unwrap();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|letter| letter["value"] == json!(again)), "its value is still there");
    assert_eq!(
        ends(&file, &["--to", "topic", "--code", "again"]).await,
        counts([("redriven-before", 1), ("returned", 1)])
    );
    let back = reader::read_all(scene.kafka, &scene.names.topic).await;
    assert_eq!((back.len(), back[2].text(), back[2].header("forebay.redrives")), (3, &*again, Some("2")));
}
