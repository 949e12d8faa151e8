//! `forebay pause` and a group of two processes: how soon both stand still, idle and in the middle of their work.

use std::ops::Range;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::postgres::Postgres;
use forebay_tests::{oracle, wait};
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene, effect};
use crate::steering_remote::{SOON, said, stands};

/// Pauses, and returns how long after the command's return both said that they stand still.
async fn pause_both(file: &ManifestFile, topic: &str, both: [&Forebay; 2]) -> Duration {
    said(file, &["pause", topic]).await.shows(&["within 2 s"]);
    let returned = Instant::now();
    let [one, two] = both.map(|forebay| forebay.until(MINUTE, "it to stand still", |status| stands(status, 1)));
    tokio::join!(one, two);
    returned.elapsed()
}

/// Puts records into both partitions, and waits until both processes have seen them and stand.
async fn until_both_see(scene: &Scene<'_>, both: [&Forebay; 2], numbers: Range<i32>) {
    for (partition, n) in numbers.flat_map(|n| [(0, n), (1, n)]) {
        scene.put(partition, &[effect("insert", "log", json!({ "n": n }))]);
    }
    scene.producer.flush().await;
    let ends = oracle::log_ends(scene.kafka, &scene.names.topic);
    for forebay in both {
        let has_seen = |status: &Value| {
            let end = |at: &Value| ends.iter().any(|((_, n), end)| at["partition"] == *n && at["end"] == *end);
            stands(status, 1) && partitions_of(status).all(end)
        };
        forebay.until(MINUTE, "what was produced meanwhile to be seen", has_seen).await;
    }
}

/// A scene of two partitions, and a process for each.
async fn group_of_two(base: &str, schema: &str) -> (Scene<'static>, ManifestFile, [Forebay; 2]) {
    let servers = (Kafka::shared().await, Postgres::shared().await);
    let scene = Scene::new(servers, base, 2, schema).await;
    let manifest = scene.manifest(&[("log", "")]).set("batch", "{ max-records = 50 }");
    let files = [(); 2].map(|()| manifest.write());
    let both = [Forebay::start(&files[0], &[]), Forebay::start(&files[1], &[])];
    for forebay in &both {
        forebay.until_caught_up(MINUTE, 1).await;
    }
    let [file, _] = files;
    (scene, file, both)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_processes_of_a_group_stand_still_within_two_seconds() {
    let (scene, file, forebays) = group_of_two("both", "create table log (n int)").await;
    let both = [&forebays[0], &forebays[1]];
    let topic = scene.names.topic.as_str();
    let mut took = Vec::new();
    for round in 0..12 {
        took.push(pause_both(&file, topic, both).await);
        until_both_see(&scene, both, round * 5..round * 5 + 5).await;
        let rows = usize::try_from(round * 10).unwrap();
        assert_eq!(scene.texts("select n::text from log").await.len(), rows, "processed while paused");
        said(&file, &["resume", topic]).await.shows(&["goes on"]);
        scene.until_at_end(both[0]).await;
    }
    println!("both stand after {took:?}");
    assert!(took.iter().all(|took| *took <= SOON), "{took:?}");
    both[1].stop(MINUTE).await;
    scene.rest(both[0]).await;
}

const BUSY: i32 = 8_000;

/// However fast the machine is, a partition is at work for eight seconds.
const SLOW: &str = "create table log (n int); \
    create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.002); return new; end'; \
    create trigger slow before insert on log for each row execute function slow()";

#[tokio::test(flavor = "multi_thread")]
async fn both_stand_still_within_two_seconds_in_the_middle_of_their_work() {
    let (scene, file, forebays) = group_of_two("both_busy", SLOW).await;
    let both = [&forebays[0], &forebays[1]];
    for n in 0..BUSY {
        let effects = [effect("insert", "log", json!({ "n": n }))];
        scene.put(n % 2, &effects);
    }
    let begun = async || scene.positions().await.values().filter(|position| **position > 100).count() == 2;
    wait::until_or_dump(MINUTE, "both to be at work", begun, || both[0].tail()).await;
    let took = pause_both(&file, &scene.names.topic, both).await;
    // The transactions that were under way have ended by the time that the log's new end is seen.
    until_both_see(&scene, both, BUSY..BUSY + 5).await;
    let stood = scene.positions().await;
    println!("both stand after {took:?} at {stood:?}");
    let half = i64::from(BUSY / 2);
    assert!(stood.len() == 2 && stood.values().all(|position| *position < half), "cut in the middle: {stood:?}");
    until_both_see(&scene, both, BUSY + 5..BUSY + 10).await;
    assert_eq!(scene.positions().await, stood, "they stand where they stood");
    assert!(took <= SOON, "{took:?}");
    said(&file, &["resume", &scene.names.topic]).await.shows(&["goes on"]);
    scene.until_at_end(both[0]).await;
    both[1].stop(MINUTE).await;
    scene.rest(both[0]).await;
    let expected = usize::try_from(BUSY + 20).unwrap();
    assert_eq!(scene.texts("select n::text from log").await.len(), expected, "each once");
}
