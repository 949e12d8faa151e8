//! `forebay pause` and `resume` where the running process is asked: rows in a SQLite file, and bindings without a table; who
//! answers where nobody does.

use std::ops::Range;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::names::Names;
use forebay_tests::producer::Producer;
use forebay_tests::{reader, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::crash_sqlite::FileScene;
use crate::dlq::{Said, kafka_only};
use crate::scene::{MINUTE, effect, until_state};

/// How soon a pause or its end holds.
pub(crate) const SOON: Duration = Duration::from_secs(2);
/// How long the command may wait for a process, and the time to start and to end.
const PATIENCE: Duration = Duration::from_secs(15);

const LOG: &str = "create table log (n integer not null) strict";

/// Runs a command with that manifest to its end.
pub(crate) async fn said(file: &ManifestFile, args: &[&str]) -> Said {
    let output = Forebay::run_once(&[args, &["--manifest", file.arg()]].concat(), &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Whether the process has that many partitions, and all stand still.
pub(crate) fn stands(status: &Value, partitions: usize) -> bool {
    let count = partitions_of(status).count();
    count == partitions && partitions_of(status).all(|partition| partition["state"] == "paused")
}

/// How many messages the process's partitions are behind.
fn behind(status: &Value) -> i64 {
    partitions_of(status).filter_map(|partition| partition["lag_messages"].as_i64()).sum()
}

/// Waits until all partitions stand still and the process has seen what came meanwhile.
async fn until_stands_behind(forebay: &Forebay, partitions: usize, messages: i64) {
    let what = format!("{partitions} partitions to stand still, {messages} messages behind");
    forebay.until(MINUTE, &what, |status| stands(status, partitions) && behind(status) == messages).await;
}

fn put(scene: &FileScene, partition: i32, numbers: Range<i32>) {
    for n in numbers {
        scene.put(partition, &json!({ "effects": [effect("insert", "log", json!({ "n": n }))] }).to_string());
    }
}

fn up_to(end: i64) -> Vec<i64> {
    (0..end).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_on_a_file_stands_still_over_restarts_until_resume() {
    let scene = FileScene::new("remote", 2, LOG, &[("log", "")]).await;
    let file = scene.manifest.write();
    let forebay = Forebay::start(&file, &[]);
    put(&scene, 0, 0..10);
    put(&scene, 1, 10..20);
    scene.until_at_end(&forebay).await;
    let topic = scene.names.topic.as_str();
    let pause = said(&file, &["pause", topic, "--why", "the file is being copied"]).await;
    let returned = Instant::now();
    pause.shows(&["is paused", "within 2 s", "a restart does not change it"]);
    forebay.until(SOON, "the process to stand still", |status| stands(status, 2)).await;
    println!("stands {:?} after the command's return", returned.elapsed());
    until_state(&forebay, "paused", &["paused by ", "the file is being copied", "forebay resume"]).await;
    let status = forebay.status().await;
    assert_eq!((&status["ready"], &status["bindings"][0]["paused"]), (&json!(true), &json!(true)));
    put(&scene, 0, 20..30);
    put(&scene, 1, 30..40);
    until_stands_behind(&forebay, 2, 20).await;
    forebay.stop(MINUTE).await;
    let killed = Forebay::start(&file, &[]);
    until_stands_behind(&killed, 2, 20).await;
    killed.kill9();
    let forebay = Forebay::start(&file, &[]);
    until_stands_behind(&forebay, 2, 20).await;
    assert_eq!(scene.log(), up_to(20), "nothing was processed meanwhile");
    let resumed = said(&file, &["resume", topic, "--output", "json"]).await.json();
    assert_eq!((&resumed["binding"], &resumed["paused"]), (&json!(topic), &json!(false)));
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.log(), up_to(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_on_a_file_stands_still_alone_over_a_restart() {
    let scene = FileScene::new("remote_one", 2, LOG, &[("log", "")]).await;
    let file = scene.manifest.write();
    let forebay = Forebay::start(&file, &[]);
    put(&scene, 0, 0..10);
    scene.until_at_end(&forebay).await;
    let topic = scene.names.topic.as_str();
    said(&file, &["pause", topic, "--partition", "1"]).await.shows(&["partition 1", "is paused"]);
    until_state(&forebay, "paused", &["--partition 1"]).await;
    put(&scene, 0, 10..20);
    put(&scene, 1, 20..30);
    scene.producer.flush().await;
    let went_on = async || scene.log() == up_to(20);
    wait::until_or_dump(MINUTE, "partition 0 to go on", went_on, || forebay.tail()).await;
    forebay.stop(MINUTE).await;
    let forebay = Forebay::start(&file, &[]);
    put(&scene, 0, 30..40);
    scene.producer.flush().await;
    let alone = |status: &Value| {
        let mut states = partitions_of(status).map(|it| (it["partition"].as_i64(), it["state"] == "paused"));
        partitions_of(status).count() == 2 && states.all(|(partition, stands)| stands == (partition == Some(1)))
    };
    let there: Vec<i64> = (0..20).chain(30..40).collect();
    let went_on = async || scene.log() == there;
    wait::until_or_dump(MINUTE, "partition 0 to go on again", went_on, || forebay.tail()).await;
    forebay.until(MINUTE, "it to stand still alone", |status| alone(status) && behind(status) == 10).await;
    assert_eq!(scene.log(), there);
    said(&file, &["resume", topic, "--partition", "1"]).await.shows(&["partition 1", "goes on"]);
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.log(), up_to(40));
}

/// A binding without a table, and its records.
struct Publisher {
    kafka: &'static Kafka,
    names: Names,
    producer: Producer,
}

impl Publisher {
    async fn new(base: &str) -> (Self, ManifestFile) {
        let (kafka, names) = (Kafka::shared().await, Names::new(base));
        for (topic, partitions) in [(&names.topic, 2), (&names.dead_letters, 1), (&names.published, 1)] {
            kafka.create_topic(topic, partitions, &[]).await;
        }
        let file = kafka_only(kafka, &names).write();
        (Self { kafka, producer: Producer::new(kafka), names }, file)
    }

    async fn put(&self, partition: i32, numbers: Range<i64>) {
        for n in numbers {
            let effects = json!([{ "op": "publish", "target": "out", "value": n.to_string() }]);
            let value = json!({ "effects": effects }).to_string();
            self.producer.send(&self.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
        }
        self.producer.flush().await;
    }

    async fn published(&self) -> Vec<i64> {
        let records = reader::read_all(self.kafka, &self.names.published).await;
        let mut numbers: Vec<i64> = records.iter().map(|record| record.text().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }

    async fn until_published(&self, forebay: &Forebay, end: i64) {
        let all = async || self.published().await.len() >= usize::try_from(end).unwrap();
        wait::until_or_dump(MINUTE, "all to be published", all, || forebay.tail()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_without_a_table_stands_still_for_as_long_as_its_process_runs() {
    let (scene, file) = Publisher::new("remote_publish").await;
    let topic = scene.names.topic.as_str();
    let forebay = Forebay::start(&file, &[]);
    scene.put(0, 0..5).await;
    scene.put(1, 5..10).await;
    scene.until_published(&forebay, 10).await;
    said(&file, &["pause", topic, "--why", "the reader is away"]).await.shows(&["is paused"]);
    forebay.until(SOON, "the process to stand still", |status| stands(status, 2)).await;
    until_state(&forebay, "paused", &["paused by ", "the reader is away", "forebay resume"]).await;
    scene.put(0, 10..20).await;
    until_stands_behind(&forebay, 2, 10).await;
    assert_eq!(scene.published().await, up_to(10), "nothing was published meanwhile");
    said(&file, &["resume", topic]).await.shows(&["goes on"]);
    forebay.until_caught_up(MINUTE, 2).await;
    scene.until_published(&forebay, 20).await;

    said(&file, &["pause", topic, "--partition", "1"]).await.shows(&["partition 1", "is paused"]);
    until_state(&forebay, "paused", &["--partition 1"]).await;
    scene.put(1, 20..25).await;
    scene.put(0, 25..30).await;
    forebay.until(MINUTE, "partition 0 to go on", |status| behind(status) == 5).await;
    scene.until_published(&forebay, 25).await;
    let there: Vec<i64> = (0..20).chain(25..30).collect();
    assert_eq!(scene.published().await, there);
    forebay.stop(MINUTE).await;
    // Nothing keeps it: it ends with the process.
    let again = Forebay::start(&file, &[]);
    again.until_caught_up(MINUTE, 2).await;
    again.stop(MINUTE).await;
    assert_eq!(scene.published().await, up_to(30), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_nothing_keeps_promises_no_more_than_it_does() {
    let (scene, file) = Publisher::new("remote_promise").await;
    let other = kafka_only(scene.kafka, &scene.names).write();
    let both = [Forebay::start(&file, &[]), Forebay::start(&other, &[])];
    for forebay in &both {
        forebay.until_caught_up(MINUTE, 1).await;
    }
    let paused = said(&file, &["pause", &scene.names.topic]).await;
    paused.shows(&["is paused"]);
    both[0].until(SOON, "the one that was asked to stand still", |status| stands(status, 1)).await;
    assert!(!stands(&both[1].status().await, 1), "the other was not asked");
    assert!(!paused.out.contains("its processes stop"), "one does: {paused:?}");
    assert!(!paused.out.contains("a restart does not change it"), "it does: {paused:?}");
}

/// The whole, and then a part of it alone; a partition that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_refused() {
    let scene = FileScene::new("remote_whole", 2, LOG, &[("log", "")]).await;
    let (publisher, without_table) = Publisher::new("remote_part").await;
    let with_file = scene.manifest.write();
    let mut wrong = Vec::new();
    for (file, topic) in [(&with_file, &scene.names.topic), (&without_table, &publisher.names.topic)] {
        let forebay = Forebay::start(file, &[]);
        forebay.until_caught_up(MINUTE, 2).await;
        let nowhere = said(file, &["pause", topic, "--partition", "99"]).await;
        said(file, &["pause", topic]).await.shows(&["is paused"]);
        forebay.until(SOON, "the process to stand still", |status| stands(status, 2)).await;
        let part = said(file, &["resume", topic, "--partition", "1"]).await;
        assert!(stands(&forebay.status().await, 2), "it does not go on: {part:?}");
        for (said, why) in [(nowhere, "partition 99"), (part, "paused as a whole")] {
            if said.code != Some(2) || !said.err.contains(why) {
                wrong.push(said);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_process_runs_it_says_where_it_asked_and_what_to_do() {
    let scene = FileScene::new("remote_none", 1, LOG, &[("log", "")]).await;
    let (publisher, without_table) = Publisher::new("remote_none_publish").await;
    let with_file = scene.manifest.write();
    for (file, topic) in [(&with_file, &scene.names.topic), (&without_table, &publisher.names.topic)] {
        for verb in ["pause", "resume"] {
            let start = Instant::now();
            let address = format!("no process answers at 127.0.0.1:{}", file.admin);
            said(file, &[verb, topic]).await.refuses(69, &[&address, "start `forebay run`", "--admin"]);
            assert!(start.elapsed() < PATIENCE, "{verb}: {:?}", start.elapsed());
        }
        said(file, &["pause", "nobody"]).await.refuses(2, &["nobody", topic]);
    }
}

/// Listens, and does to whoever comes what `how` says.
async fn listener(how: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Ok(1..) = stream.read(&mut [0; 4096]).await else { continue };
            match how {
                "silent" => held.push(stream),
                "half" => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndo").await.ok();
                    held.push(stream);
                }
                "garbage" => drop(stream.write_all(b"220 mail.example ESMTP\r\n").await),
                _ => drop(stream),
            }
        }
    });
    (url, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_answer_is_69_within_a_bounded_time() {
    let (scene, file) = Publisher::new("remote_silent").await;
    for (how, why) in
        [("silent", "no answer within 10s"), ("half", "no answer within 10s"), ("garbage", ""), ("deaf", "")]
    {
        let (url, _tasks) = listener(how).await;
        let start = Instant::now();
        let refused = said(&file, &["pause", &scene.names.topic, "--admin", &url]).await;
        println!("{how}: {:?} after {:?}", refused.err.trim(), start.elapsed());
        refused.refuses(69, &["no process answers at 127.0.0.1:", why]);
        assert!(start.elapsed() < PATIENCE, "{how}: {:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_manifest_says_which_bindings_it_has() {
    let (scene, file) = Publisher::new("remote_mine").await;
    let (other, theirs) = Publisher::new("remote_theirs").await;
    let forebay = Forebay::start(&theirs, &[]);
    forebay.until_caught_up(MINUTE, 2).await;
    let url = format!("http://127.0.0.1:{}", theirs.admin);
    let refused = said(&file, &["pause", &scene.names.topic, "--admin", &url]).await;
    let sentence = format!("there is no binding `{}`; there is {}", scene.names.topic, other.names.topic);
    refused.refuses(78, &[&sentence]);
    assert!(!stands(&forebay.status().await, 2), "nobody paused it");
    forebay.stop(MINUTE).await;
}
