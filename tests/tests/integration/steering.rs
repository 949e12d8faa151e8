//! Standing still by command, by the flood guard, and going on: for the whole group, over restarts.

use std::time::Duration;

use forebay_tests::forebay::{FAILPOINTS, Forebay, partitions_of};
use forebay_tests::http;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::postgres::Postgres;
use forebay_tests::wait;
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene, effect, until_state};

const STOP: Duration = Duration::from_secs(25);

async fn command(file: &ManifestFile, args: &[&str]) -> String {
    let all = [args, &["--manifest", file.arg()]].concat();
    let output = Forebay::run_once(&all, &[]).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {out}{err}");
    out.into_owned()
}

fn all_are(status: &Value, state: &str) -> bool {
    partitions_of(status).count() > 0 && partitions_of(status).all(|partition| partition["state"] == state)
}

async fn rows(scene: &Scene<'_>) -> usize {
    scene.texts("select n::text from log").await.len()
}

fn put(scene: &Scene<'_>, partition: i32, numbers: std::ops::Range<i32>) {
    for n in numbers {
        scene.put(partition, &[effect("insert", "log", json!({ "n": n }))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_for_every_process_and_over_a_restart_until_resume() {
    let kafka = Kafka::shared().await;
    let scene = Scene::new((kafka, Postgres::shared().await), "paused", 2, "create table log (n int)").await;
    let file = scene.manifest(&[("log", "")]).write();
    let other = scene.manifest(&[("log", "")]).write();
    let (one, two) = (Forebay::start(&file, &[]), Forebay::start(&other, &[]));
    put(&scene, 0, 0..10);
    put(&scene, 1, 10..20);
    scene.until_at_end(&one).await;
    for forebay in [&one, &two] {
        forebay.until(MINUTE, "each to have a partition", |status| partitions_of(status).count() == 1).await;
    }
    let topic = scene.names.topic.as_str();
    let said = command(&file, &["pause", topic, "--why", "the warehouse is being moved"]).await;
    assert!(said.contains("is paused") && said.contains("within 2 s"), "{said}");
    for forebay in [&one, &two] {
        let why =
            until_state(forebay, "paused", &["paused by ", "the warehouse is being moved", "forebay resume"]).await;
        assert!(why.starts_with("paused: "), "{why}");
        assert_eq!(forebay.status().await["ready"], true, "somebody wants it so");
        assert_eq!(forebay.status().await["bindings"][0]["paused"], true);
    }
    put(&scene, 0, 20..30);
    put(&scene, 1, 30..40);
    scene.producer.flush().await;
    one.stop(STOP).await;
    let again = Forebay::start(&file, &[]);
    again.until(MINUTE, "what comes back to stand still", |status| all_are(status, "paused")).await;
    two.until(MINUTE, "the other to stand still", |status| all_are(status, "paused")).await;
    assert_eq!(rows(&scene).await, 20, "nothing was processed meanwhile");
    command(&file, &["resume", topic]).await;
    scene.until_at_end(&again).await;
    assert_eq!(rows(&scene).await, 40);
    two.stop(STOP).await;
    scene.rest(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_stands_still_alone_and_its_admin_page_can_say_so() {
    let kafka = Kafka::shared().await;
    let scene = Scene::new((kafka, Postgres::shared().await), "paused_one", 2, "create table log (n int)").await;
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    put(&scene, 0, 0..10);
    scene.until_at_end(&forebay).await;
    let topic = scene.names.topic.clone();
    command(&file, &["pause", &topic, "--partition", "1"]).await;
    until_state(&forebay, "paused", &["--partition 1"]).await;
    put(&scene, 0, 10..20);
    put(&scene, 1, 20..30);
    scene.producer.flush().await;
    wait::until_or_dump(MINUTE, "partition 0 to go on", async || rows(&scene).await == 20, || forebay.tail()).await;
    let path = format!("/bindings/{topic}/resume?partition=1");
    let post = async |path: &str, headers: &str| {
        http::request_with(file.admin, "POST", path, headers).await.expect("an answer").status
    };
    assert_eq!(post(&path, "Origin: http://elsewhere.example\r\n").await, 403);
    assert_eq!(post("/bindings/none/pause", "").await, 404);
    assert_eq!(post(&path, "").await, 200);
    scene.until_at_end(&forebay).await;
    // The whole, and then a part of it alone: that can not be.
    command(&file, &["pause", &topic]).await;
    let args = ["resume", &topic, "--partition", "1", "--manifest", file.arg()];
    let refused = Forebay::run_once(&args, &[]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("paused as a whole"));
    scene.rest(&forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_dead_letters_pauses_the_group_near_its_threshold_and_stays_so_over_a_restart() {
    let kafka = Kafka::shared().await;
    let scene = Scene::new((kafka, Postgres::shared().await), "flood", 4, "create table log (n int)").await;
    for n in 0..8000 {
        // Codes of their own: what a handler rejects is never everything alike.
        let value = json!({ "reject": { "code": format!("bad-{}", n % 7), "message": "no" } }).to_string();
        scene.producer.send(&scene.names.topic, n % 4, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    scene.producer.flush().await;
    let file = scene.manifest(&[("log", "")]).write();
    let other = scene.manifest(&[("log", "")]).write();
    let (one, two) = (Forebay::start(&file, &[]), Forebay::start(&other, &[]));
    for forebay in [&one, &two] {
        let what = "each to have partitions that stand still";
        forebay.until(MINUTE, what, |status| partitions_of(status).count() == 2 && all_are(status, "paused")).await;
    }
    let why = until_state(&one, "paused", &["dead letters within 60 s", "above 50 %", "forebay resume"]).await;
    assert!(why.contains("the flood guard in "), "{why}");
    let letters = scene.letters().await.len();
    assert!((50..=200).contains(&letters), "near the threshold of 50 in each of two processes: {letters}");
    one.stop(STOP).await;
    two.kill9();
    let again = Forebay::start(&file, &[]);
    let is_back = |status: &Value| partitions_of(status).count() == 4 && all_are(status, "paused");
    again.until(Duration::from_secs(90), "all of it to stand still", is_back).await;
    assert_eq!(scene.letters().await.len(), letters, "and stays stopped");
    command(&file, &["resume", &scene.names.topic]).await;
    let has_more = async || scene.letters().await.len() >= letters + 50;
    wait::until_or_dump(MINUTE, "it to go on after `resume`", has_more, || again.tail()).await;
    until_state(&again, "paused", &["the flood guard in "]).await;
    again.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_alike_becomes_dead_letters_once_somebody_accepts_it() {
    let scene = Scene::shared("accepted", "create table log (n int)").await;
    for n in 0..40 {
        let value = json!({ "trap": format!("no customer {n}") }).to_string();
        scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    put(&scene, 0, 0..10);
    scene.producer.flush().await;
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_halted(&forebay, &["fail alike", "--accept"]).await;
    assert_eq!(scene.letters().await.len(), 0);
    command(&file, &["resume", &scene.names.topic, "--accept"]).await;
    scene.until_at_end(&forebay).await;
    assert_eq!((scene.letters().await.len(), rows(&scene).await), (40, 10));
    scene.rest(&forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_takes_the_process_down_is_a_dead_letter_after_the_third_death() {
    let scene = Scene::shared("crash", "create table log (n int)").await;
    put(&scene, 0, 0..30);
    scene.producer.flush().await;
    let file = scene.manifest(&[("log", "")]).write();
    for death in 1..=3 {
        let forebay = Forebay::start(&file, &[(FAILPOINTS, "record-17")]);
        forebay.wait_exit(MINUTE).await;
        assert_eq!(scene.letters().await.len(), 0, "after death {death}");
        assert_eq!(rows(&scene).await, 0, "the batch is written as a whole");
    }
    // Only deaths on it count: somebody who stops the process, or kills it elsewhere, convicts nobody.
    let forebay = Forebay::start(&file, &[(FAILPOINTS, "record-17")]);
    scene.until_at_end(&forebay).await;
    let letters = scene.letters().await;
    let codes: Vec<_> = letters.iter().map(|letter| (letter.origin.2, &*letter.class, &*letter.code)).collect();
    assert_eq!(codes, [(17, "crash", "crash")]);
    assert_eq!(rows(&scene).await, 29);
    scene.rest(&forebay).await;
    assert_eq!(scene.texts("select coalesce(running, '') from forebay.doubt").await, [""], "and is let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_anywhere_else_convicts_nobody() {
    let scene = Scene::shared("killed", "create table log (n int)").await;
    put(&scene, 0, 0..200);
    scene.producer.flush().await;
    let file = scene.manifest(&[("log", "")]).write();
    for point in ["record-17", "before-write", "before-write", "before-commit", "record-150", "after-commit"] {
        Forebay::start(&file, &[(FAILPOINTS, point)]).wait_exit(MINUTE).await;
    }
    let forebay = Forebay::start(&file, &[]);
    forebay.until_caught_up(MINUTE, 1).await;
    assert_eq!((scene.letters().await.len(), rows(&scene).await), (0, 200));
    scene.rest(&forebay).await;
}
