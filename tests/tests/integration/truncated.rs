//! A log that its broker has cut and written anew: the offsets are there, and what lies at them is something else.

use std::fs;
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::wait;
use serde_json::json;

use crate::scene::{MINUTE, PROBE, Scene, effect};

/// As after a leader that was behind was elected: records that had been read are gone, others have their offsets, and the
/// log is longer than it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_and_went_on_halts_until_a_person_says_where_to_go_on() {
    let kafka = Kafka::start().await;
    let scene = Scene::new((&kafka, Postgres::shared().await), "truncated", 1, "create table log (n int)").await;
    let put = async |numbers: std::ops::Range<i32>| {
        // One of its own: it knows nothing of what the broker has lost.
        let producer = Producer::new(&kafka);
        for n in numbers {
            let value = json!({ "effects": [effect("insert", "log", json!({ "n": n }))] }).to_string();
            producer.send_one(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]).await;
        }
    };
    put(0..10).await;
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    let applied = async || {
        let texts = scene.texts("select n::text from log order by log.n").await;
        texts.iter().map(|n| n.parse().unwrap()).collect::<Vec<i32>>()
    };
    let are_applied = async || applied().await.len() == 10;
    wait::until_or_dump(MINUTE, "the first records to be applied", are_applied, || forebay.tail()).await;
    forebay.stop(Duration::from_secs(25)).await;
    kafka.shut_down().await;
    cut(&kafka, &scene.names.topic, 6);
    kafka.restart().await;
    put(100..112).await;
    let forebay = Forebay::start(&file, &[]);
    let sentence = scene.until_halted(&forebay, &["position: ", "was cut"]).await;
    // The probe finds the ledger's position in the log, and that is no answer.
    let has_probed = async || forebay.log().matches("partition acquired").count() >= 2;
    wait::until_or_dump(PROBE, "it to probe", has_probed, || forebay.tail()).await;
    assert_eq!(scene.until_halted(&forebay, &["was cut"]).await.split(" (for").next(), sentence.split(" (for").next());
    assert_eq!(applied().await, (0..10).collect::<Vec<_>>(), "nothing of what may be missing is passed over");
    let path = file.path.display().to_string();
    let args = ["position", "set", &scene.names.topic, "--to", "6", "--manifest", &path];
    assert!(Forebay::run_once(&args, &[]).await.status.success());
    let all = (0..10).chain(100..112).collect::<Vec<_>>();
    let is_all = async || applied().await == all;
    wait::until_or_dump(MINUTE, "what was written anew to be applied", is_all, || forebay.tail()).await;
    forebay.stop(Duration::from_secs(25)).await;
}

/// Takes everything from the batch at `offset` on out of a stopped broker's log.
fn cut(kafka: &Kafka, topic: &str, offset: i64) {
    let segment = kafka.segments(topic, 0).remove(0);
    let log = fs::read(&segment).unwrap();
    let mut at = 0;
    while i64::from_be_bytes(log[at..at + 8].try_into().unwrap()) < offset {
        at += 12 + usize::try_from(u32::from_be_bytes(log[at + 8..at + 12].try_into().unwrap())).unwrap();
    }
    fs::write(&segment, &log[..at]).unwrap();
    let folder = segment.parent().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_derived = path
            .extension()
            .is_some_and(|extension| extension == "index" || extension == "timeindex" || extension == "snapshot");
        if is_derived {
            fs::remove_file(path).unwrap();
        }
    }
}
