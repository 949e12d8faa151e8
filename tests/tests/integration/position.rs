//! Which position holds: the rows of the table that ledger, group and log are asked by. Where they quarrel stands in
//! `quarrels`.

use std::time::Duration;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::manifest::Manifest;
use forebay_tests::producer::Producer;
use forebay_tests::{groups, oracle, reader, wait};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use crate::scene::{MINUTE, Scene, effect};

pub(crate) const SCHEMA: &str = "create table log (n int)";

/// Where a halted or finished run left the row.
pub(crate) const HERE: &str = "where consumer_group is not null";

pub(crate) async fn scene(base: &str) -> Scene<'static> {
    Scene::shared(base, SCHEMA).await
}

pub(crate) fn manifest(scene: &Scene<'_>) -> Manifest {
    scene.manifest(&[("log", "")])
}

pub(crate) async fn produce(scene: &Scene<'_>, numbers: std::ops::Range<i32>) {
    scene.put_each(numbers.map(|n| effect("insert", "log", json!({ "n": n })))).await;
}

pub(crate) async fn applied(scene: &Scene<'_>) -> Vec<i32> {
    let texts = scene.texts("select n::text from log order by log.n").await;
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Commits as any other consumer would, or with metadata.
pub(crate) fn commit(scene: &Scene<'_>, offset: i64, metadata: &str) {
    let mut config = scene.kafka.client_config();
    let consumer: BaseConsumer = config.set("group.id", &scene.names.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&scene.names.topic, 0, Offset::Offset(offset)).unwrap();
    list.find_partition(&scene.names.topic, 0).unwrap().set_metadata(metadata);
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

pub(crate) fn committed(scene: &Scene<'_>) -> oracle::Committed {
    let place = (scene.names.topic.clone(), 0);
    oracle::committed(scene.kafka, &scene.names.group, &scene.names.topic)[&place].clone()
}

/// Starts, waits for a halt with these words, sees that nothing was done, and stops.
pub(crate) async fn halts(scene: &Scene<'_>, manifest: &Manifest, words: &[&str]) -> String {
    let before = (applied(scene).await, scene.positions().await);
    let forebay = Forebay::start(&manifest.write(), &[]);
    let sentence = scene.until_halted(&forebay, &[&["position: "], words].concat()).await;
    assert!(!forebay.ready().await, "a halted partition is not ready");
    forebay.stop(Duration::from_secs(25)).await;
    assert_eq!((applied(scene).await, scene.positions().await), before, "a halt changes nothing");
    sentence
}

/// Moves the group with Kafka's own tool, which writes no metadata.
pub(crate) async fn move_group(scene: &Scene<'_>, offset: i64) {
    groups::reset_offsets(scene.kafka, &scene.names.group, &scene.names.topic, &["--to-offset", &offset.to_string()])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_group_starts_where_start_says() {
    let scene = scene("position_start").await;
    produce(&scene, 0..3).await;
    let newest =
        async || reader::read_all(scene.kafka, &scene.names.topic).await.iter().filter_map(|it| it.timestamp_ms).max();
    let before = newest().await.unwrap();
    // A record is younger by at least a millisecond after a while.
    let until_younger = async || {
        produce(&scene, 3..4).await;
        newest().await > Some(before)
    };
    wait::until(MINUTE, "the clock to move", until_younger).await;
    let records = reader::read_all(scene.kafka, &scene.names.topic).await;
    let younger = records.iter().filter(|record| record.timestamp_ms > Some(before)).count();
    let (count, young) = (i64::try_from(records.len()).unwrap(), i64::try_from(younger).unwrap());
    let time =
        "select to_char(to_timestamp($1::int8 / 1000.0) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
    let time: String = scene.postgres.query("postgres", time, &[&(before + 1)]).await[0].get(0);
    for (start, wanted) in [("earliest", count), ("latest", 0), (&*time, young), ("error", 0)] {
        let mut other = self::scene("position_starts").await;
        other.names.topic.clone_from(&scene.names.topic);
        let manifest = manifest(&other).set("start", &format!("\"{start}\""));
        if start == "error" {
            halts(&other, &manifest, &["start = \"error\""]).await;
            commit(&other, count - 1, "");
            other.run_through(&manifest).await;
            assert_eq!(applied(&other).await, [3]);
        } else {
            other.run_through(&manifest).await;
            assert_eq!(i64::try_from(applied(&other).await.len()).unwrap(), wanted, "applied from `{start}` on");
            // What was resolved once holds, whatever the manifest says later.
            other.run_through(&manifest.set("start", "\"earliest\"")).await;
            assert_eq!(
                i64::try_from(applied(&other).await.len()).unwrap(),
                wanted,
                "applied from `{start}` on, and again"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_taken_over_from_another_consumer_and_marked() {
    let scene = scene("position_adopt").await;
    produce(&scene, 0..5).await;
    commit(&scene, 2, "somebody else's");
    for epoch in 1..=2 {
        scene.run_through(&manifest(&scene)).await;
        assert_eq!(applied(&scene).await, [2, 3, 4]);
        let ledger_id = scene.text("select value from forebay.meta where key = 'ledger-id'").await;
        let metadata = format!("fb1;{ledger_id};{epoch}");
        assert_eq!(committed(&scene), oracle::Committed { offset: 5, metadata });
    }
    let owner = "select concat_ws(' ', source, binding, owner_epoch, cluster_id is not null, topic_id is not null) from forebay.ledger";
    assert_eq!(scene.text(owner).await, format!("kafka {} 2 t t", scene.names.topic));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewound_database_is_followed_with_a_warning() {
    let scene = scene("position_rewound").await;
    produce(&scene, 0..4).await;
    scene.run_through(&manifest(&scene)).await;
    // What a backup of the database brings: rows and position of then.
    scene.execute(&format!("update forebay.ledger set next_offset = 1 {HERE}; delete from log where n > 0")).await;
    let file = manifest(&scene).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    assert!(forebay.log().contains("the database was rewound"), "it says so:\n{}", forebay.tail());
    scene.rest(&forebay).await;
    assert_eq!(applied(&scene).await, [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_while_it_runs_halts() {
    let scene = scene("position_under").await;
    produce(&scene, 0..3).await;
    let file = manifest(&scene).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    scene.kafka.delete_topic(&scene.names.topic).await;
    scene.kafka.create_topic(&scene.names.topic, 1, &[]).await;
    produce(&scene, 10..20).await;
    scene.until_halted(&forebay, &["position: "]).await;
    forebay.stop(Duration::from_secs(25)).await;
    // It is noticed within seconds. Until then the new log is read on from the old position, never from below it.
    let applied = applied(&scene).await;
    let (before, after) = applied.split_at(3);
    assert_eq!(before, [0, 1, 2]);
    assert!(after.iter().all(|id| *id >= 13), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_added_later_start_at_their_beginning_although_start_is_latest() {
    let scene = scene("position_added").await;
    produce(&scene, 0..3).await;
    let manifest = manifest(&scene).set("start", "\"latest\"");
    let forebay = Forebay::start(&manifest.write(), &[]);
    scene.until_at_end(&forebay).await;
    let grow = async |partitions: i32| {
        scene.kafka.add_partitions(&scene.names.topic, partitions).await;
        // A producer of its own: one that knows the topic learns of new partitions only after minutes.
        let producer = Producer::new(scene.kafka);
        for partition in 0..partitions {
            let effects = [effect("insert", "log", json!({ "n": 10 * partitions + partition }))];
            let value = json!({ "effects": effects }).to_string();
            producer.send(&scene.names.topic, partition, None, Some(value.as_bytes()), &[]);
        }
        producer.flush().await;
    };
    // While it runs, and while it does not; a record is there before the partition is known.
    grow(2).await;
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    grow(4).await;
    scene.run_through(&manifest).await;
    assert_eq!(applied(&scene).await, [20, 21, 40, 41, 42, 43]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_at_the_logs_end_over_markers_and_aborted_transactions() {
    let scene = scene("position_markers").await;
    let producer = Producer::transactional(scene.kafka, &scene.names.group);
    let transaction = |numbers: std::ops::Range<i32>, is_committed: bool| {
        producer.begin();
        for n in numbers {
            let value = json!({ "effects": [effect("insert", "log", json!({ "n": n }))] }).to_string();
            producer.send(&scene.names.topic, 0, None, Some(value.as_bytes()), &[]);
        }
        if is_committed { producer.commit() } else { producer.abort() }
    };
    transaction(0..3, false);
    transaction(3..6, true);
    let file = manifest(&scene).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    // A marker and nothing else, then records that nobody may see, while it runs.
    transaction(6..7, true);
    scene.until_at_end(&forebay).await;
    transaction(7..12, false);
    scene.until_at_end(&forebay).await;
    forebay.until_caught_up(MINUTE, 1).await;
    scene.rest(&forebay).await;
    assert_eq!(applied(&scene).await, [3, 4, 5, 6]);
    assert_eq!(scene.positions().await.into_values().collect::<Vec<_>>(), [16]);
}

/// An open transaction ends what may be read; its end is not the log's.
#[tokio::test(flavor = "multi_thread")]
async fn waits_before_an_open_transaction_without_lag_of_its_own() {
    let scene = scene("position_open").await;
    produce(&scene, 0..2).await;
    let producer = Producer::transactional(scene.kafka, &scene.names.group);
    producer.begin();
    let value = json!({ "effects": [effect("insert", "log", json!({ "n": 9 }))] }).to_string();
    producer.send(&scene.names.topic, 0, None, Some(value.as_bytes()), &[]);
    producer.flush().await;
    produce(&scene, 2..4).await;
    let file = manifest(&scene).write();
    let forebay = Forebay::start(&file, &[]);
    let at_two =
        |status: &serde_json::Value| partitions_of(status).any(|it| it["position"] == 2 && it["lag_messages"] == 0);
    forebay.until(MINUTE, "the partition to stand before the open transaction", at_two).await;
    assert_eq!(applied(&scene).await, [0, 1]);
    producer.commit();
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(applied(&scene).await, [0, 1, 2, 3, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_at_the_logs_end_over_the_holes_of_compaction() {
    let mut scene = scene("position_holes").await;
    scene.names.topic.push_str(".compacted");
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "200"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "200"),
    ];
    scene.kafka.create_topic(&scene.names.topic, 1, &settings).await;
    let file = manifest(&scene).set("start", "\"latest\"").write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    produce(&scene, 0..30).await;
    // All have one key: compaction leaves the last, and what the active segment still holds.
    let has_holes = async || {
        produce(&scene, 100..101).await;
        reader::read_all(scene.kafka, &scene.names.topic).await.len() < 20
    };
    wait::until(MINUTE, "the log to be compacted", has_holes).await;
    scene.run_through(&manifest(&scene)).await;
    let applied = applied(&scene).await;
    assert!(!applied.contains(&0) && applied.contains(&100), "only what compaction left is applied: {applied:?}");
}
