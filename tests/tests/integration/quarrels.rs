//! Where ledger, group and log quarrel: each halt with its sentence, and every way out that the sentence names, taken as it
//! stands there, by the binary's own command.

use std::time::Duration;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile};
use forebay_tests::names::Names;
use forebay_tests::reader;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::BorrowedMessage;
use serde_json::{Value, json};

use crate::position::{HERE, SCHEMA, applied, commit, committed, manifest, move_group, produce, scene};
use crate::scene::{MINUTE, Scene, effect};

/// What a sentence offers to run: everything in backticks that is a command of the binary's.
fn offered(sentence: &str) -> Vec<String> {
    let quoted = sentence.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| Some(text.strip_prefix("forebay ")?.to_owned())).collect()
}

/// Runs a command as a sentence has it; what it prints on success.
async fn take(command: &str, manifest: &ManifestFile) -> String {
    let (printed, status, errors) = run(command, manifest).await;
    assert_eq!(status, Some(0), "`forebay {command}` succeeds\n{printed}\n{errors}");
    printed
}

async fn run(command: &str, manifest: &ManifestFile) -> (String, Option<i32>, String) {
    let path = manifest.path.display().to_string();
    let args: Vec<&str> = command.split_whitespace().chain(["--manifest", &path]).collect();
    let output = Forebay::run_once(&args, &[]).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), output.status.code(), text(&output.stderr))
}

/// Starts, waits for the halt, sees that nothing was done, and takes the way out number `choice` of its sentence: while the
/// process runs, or after it was stopped. Then everything goes on by itself; returns the sentence.
async fn leaves(scene: &Scene<'_>, manifest: &Manifest, words: &[&str], choice: usize, is_running: bool) -> String {
    let before = (applied(scene).await, scene.positions().await);
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    let sentence = scene.until_halted(&forebay, &[&["position: "], words].concat()).await;
    assert!(!forebay.ready().await, "a halted partition is not ready");
    assert_eq!((applied(scene).await, scene.positions().await), before, "a halt changes nothing");
    let commands = offered(&sentence);
    let command = commands.get(choice).unwrap_or_else(|| panic!("way out {choice} in: {sentence}"));
    if is_running {
        let printed = take(command, &file).await;
        assert!(printed.contains("taken them up"), "it says who takes it up: {printed}");
        scene.until_at_end_within(Duration::from_secs(20), &forebay).await;
        scene.rest(&forebay).await;
    } else {
        forebay.stop(Duration::from_secs(25)).await;
        let printed = take(command, &file).await;
        assert!(printed.contains("nobody is in group"), "it says what is next: {printed}");
    }
    scene.run_through(manifest).await;
    sentence
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_not_taken_for_the_one_the_group_was_run_with() {
    for (choice, is_running, wanted) in [(0, true, vec![3, 4]), (1, false, vec![0, 1, 2, 3, 4]), (0, false, vec![3, 4])]
    {
        let mut scene = scene("quarrel_empty").await;
        produce(&scene, 0..3).await;
        scene.run_through(&manifest(&scene)).await;
        scene.names.database = Names::new("quarrel_other").database;
        scene.postgres.create_database(&scene.names.database).await;
        scene.execute(SCHEMA).await;
        produce(&scene, 3..5).await;
        leaves(
            &scene,
            &manifest(&scene),
            &["another database", "where 2 offsets are still to come"],
            choice,
            is_running,
        )
        .await;
        assert_eq!(applied(&scene).await, wanted);
    }
}

/// By Kafka's own tool, and by another consumer in the group; the group's offset is taken, or the ledger's kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_somebody_moved_halts_and_either_way_out_works() {
    for (by_tool, offset, choice, is_running, wanted) in [
        (true, 1, 0, true, vec![0, 1, 1, 2, 2, 3, 4]),
        (false, 1, 1, true, vec![0, 1, 2, 3, 4]),
        (false, 4, 0, false, vec![0, 1, 2, 4]),
        (true, 4, 1, false, vec![0, 1, 2, 3, 4]),
    ] {
        let scene = scene("quarrel_moved").await;
        produce(&scene, 0..3).await;
        scene.run_through(&manifest(&scene)).await;
        // At the same place it does not matter who was there.
        commit(&scene, 3, "somebody else's");
        scene.run_through(&manifest(&scene)).await;
        produce(&scene, 3..5).await;
        match by_tool {
            true => move_group(&scene, offset).await,
            false => commit(&scene, offset, "fb1;another-ledger;7"),
        }
        let moved = format!("is {offset}, moved by somebody else");
        let between =
            if offset == 1 { "2 offsets are between them, processed here already" } else { "1 offset is between them" };
        leaves(&scene, &manifest(&scene), &[&moved, "the ledger is at 3", between], choice, is_running).await;
        assert_eq!(applied(&scene).await, wanted);
        assert!(committed(&scene).metadata.starts_with("fb1;"), "the group's offset is ours again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_gone_are_counted_and_nobody_jumps_over_them() {
    for is_running in [true, false] {
        let scene = scene("quarrel_gone").await;
        produce(&scene, 0..2).await;
        scene.run_through(&manifest(&scene)).await;
        produce(&scene, 2..10).await;
        scene.kafka.delete_records(&scene.names.topic, 0, 5).await;
        leaves(&scene, &manifest(&scene), &["3 offsets are gone", "below the log's start 5"], 0, is_running).await;
        assert_eq!(applied(&scene).await, [0, 1, 5, 6, 7, 8, 9]);
        // A log that is shorter than the position: its end was lost, or it is another one.
        scene.execute(&format!("update forebay.ledger set next_offset = 17 {HERE}")).await;
        let words = ["above the log's end 10", "7 offsets are gone"];
        leaves(&scene, &manifest(&scene), &words, usize::from(!is_running), is_running).await;
        let again = if is_running { 0 } else { 5 };
        assert_eq!(applied(&scene).await.len(), 7 + again);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_never_looks_like_a_fresh_start() {
    for (choice, is_running, wanted) in
        [(0, true, vec![0, 1, 2, 10, 11, 12]), (1, false, vec![0, 1, 2]), (0, false, vec![0, 1, 2, 10, 11, 12])]
    {
        let scene = scene("quarrel_anew").await;
        produce(&scene, 0..3).await;
        scene.run_through(&manifest(&scene)).await;
        scene.kafka.delete_topic(&scene.names.topic).await;
        scene.kafka.create_topic(&scene.names.topic, 1, &[]).await;
        // Just as many: the positions alone tell nothing.
        produce(&scene, 10..13).await;
        leaves(&scene, &manifest(&scene), &["was made anew", "the new log has 3 offsets"], choice, is_running).await;
        assert_eq!(applied(&scene).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_bindings_rows_are_left_alone() {
    for is_running in [true, false] {
        let scene = scene("quarrel_binding").await;
        produce(&scene, 0..3).await;
        scene.run_through(&manifest(&scene)).await;
        produce(&scene, 3..5).await;
        let renamed = manifest(&scene).set("name", "\"renamed\"");
        leaves(&scene, &renamed, &["belongs to binding", "not to `renamed`"], 0, is_running).await;
        assert_eq!(applied(&scene).await, [0, 1, 2, 3, 4]);
    }
}

/// The same topic, group and `kafka.name` on a cluster of another id: nothing of the ledger means anything there.
#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_of_the_same_name_halts() {
    let (here, there) = (scene("quarrel_cluster").await, Kafka::start().await);
    produce(&here, 0..3).await;
    here.run_through(&manifest(&here)).await;
    there.create_topic(&here.names.topic, 1, &[]).await;
    there.create_topic(&here.names.dead_letters, 1, &[]).await;
    let producer = forebay_tests::producer::Producer::new(&there);
    let moved = Scene { kafka: &there, postgres: here.postgres, names: here.names.clone(), producer };
    produce(&moved, 10..14).await;
    leaves(&moved, &manifest(&moved), &["on another cluster", "its log has 4 offsets", "kafka.name"], 0, true).await;
    assert_eq!(applied(&moved).await, [0, 1, 2, 10, 11, 12, 13]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_position_start_error_asks_a_person() {
    let scene = scene("quarrel_none").await;
    produce(&scene, 0..3).await;
    let manifest = manifest(&scene).set("start", "\"error\"");
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    let sentence = scene.until_halted(&forebay, &["position: ", "start = \"error\"", "its log has 3 offsets"]).await;
    take(&offered(&sentence)[0].replace("earliest", "2"), &file).await;
    scene.until_at_end_within(Duration::from_secs(20), &forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(applied(&scene).await, [2]);
}

/// For a day with another program and back, and no record is missed or seen twice by both.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_to_another_consumer_and_comes_back() {
    let scene = scene("quarrel_lent").await;
    produce(&scene, 0..10).await;
    // The other program was first, and has come to 4.
    assert_eq!(read_as_another(&scene, 4).await, [0, 1, 2, 3]);
    let manifest = manifest(&scene);
    scene.run_through(&manifest).await;
    assert_eq!(applied(&scene).await, (4..10).collect::<Vec<_>>());
    produce(&scene, 10..20).await;
    assert_eq!(read_as_another(&scene, 5).await, (10..15).collect::<Vec<_>>(), "it goes on where Forebay was");
    let between = "5 offsets are between them, not processed here";
    leaves(&scene, &manifest, &["is 15, moved by somebody else", between], 0, true).await;
    assert_eq!(applied(&scene).await, (4..10).chain(15..20).collect::<Vec<_>>());
}

/// Joins the group as any other consumer.
fn another(scene: &Scene<'_>) -> BaseConsumer {
    let mut config = scene.kafka.client_config();
    config.set("group.id", &scene.names.group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[&scene.names.topic]).unwrap();
    consumer
}

async fn poll(consumer: &BaseConsumer) -> BorrowedMessage<'_> {
    let read = async || consumer.poll(Duration::from_millis(100));
    forebay_tests::wait::some(MINUTE, "a record for the other program", read).await.unwrap()
}

/// Joins as another, reads `count` records, commits, and leaves.
async fn read_as_another(scene: &Scene<'_>, count: usize) -> Vec<i32> {
    let consumer = another(scene);
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let message = poll(&consumer).await;
        let value: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        numbers.push(i32::try_from(value["effects"][0]["columns"]["n"].as_i64().unwrap()).unwrap());
        consumer.commit_message(&message, CommitMode::Sync).unwrap();
    }
    numbers
}

/// Another program is in the group and takes nothing up: what it does there afterwards is not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_nobody_takes_up_overrules_nothing() {
    let scene = scene("quarrel_ignored").await;
    produce(&scene, 0..5).await;
    let manifest = manifest(&scene);
    scene.run_through(&manifest).await;
    produce(&scene, 5..8).await;
    let other = another(&scene);
    let message = poll(&other).await;
    let (_, code, errors) = run(&format!("position set {} --to 1", scene.names.topic), &manifest.write()).await;
    assert_eq!(code, Some(69), "{errors}");
    assert!(errors.contains("waiting for the members") && errors.contains("stop the other program"), "{errors}");
    assert_eq!(scene.positions().await.into_values().collect::<Vec<_>>(), [1]);
    other.commit_message(&message, CommitMode::Sync).unwrap();
    drop(message);
    drop(other);
    let between = "5 offsets are between them, not processed here";
    leaves(&scene, &manifest, &["is 6, moved by somebody else", between], 1, false).await;
    assert_eq!(applied(&scene).await, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7]);
}

/// Its position is the group's offset, which takes it from members alone while it has any.
#[tokio::test(flavor = "multi_thread")]
async fn a_binding_without_a_table_is_moved_while_nobody_is_in_its_group() {
    let scene = scene("quarrel_group").await;
    let published = format!("{{ topic = \"{}\" }}", scene.names.published);
    scene.kafka.create_topic(&scene.names.published, 1, &[]).await;
    let file = Manifest::scripted(scene.kafka, scene.postgres, &scene.names).target("out", &published).write();
    scene.put_each((0..4).map(|n| json!({ "op": "publish", "target": "out", "value": n.to_string() }))).await;
    let forebay = Forebay::start(&file, &[]);
    let at = |offset: i64| move |status: &Value| partitions_of(status).any(|one| one["committed"] == offset);
    forebay.until(MINUTE, "the group's offset to be at the end", at(4)).await;
    let set = format!("position set {} --to 3", scene.names.topic);
    let (_, code, errors) = run(&set, &file).await;
    assert_eq!(code, Some(69), "{errors}");
    assert!(errors.contains("stop its processes and repeat"), "{errors}");
    forebay.stop(Duration::from_secs(25)).await;
    let printed = take(&set, &file).await;
    assert!(printed.contains("from 4 back to 3; 1 offset is processed again"), "{printed}");
    let shown = take(&format!("position show {}", scene.names.topic), &file).await;
    assert!(shown.contains("-       3      0..4"), "{shown}");
    let forebay = Forebay::start(&file, &[]);
    forebay.until(MINUTE, "the group's offset to be at the end again", at(4)).await;
    forebay.stop(Duration::from_secs(25)).await;
    let texts: Vec<String> = reader::read_all(scene.kafka, &scene.names.published)
        .await
        .iter()
        .map(|record| record.text().to_owned())
        .collect();
    assert_eq!(texts, ["0", "1", "2", "3", "3"]);
}

/// Under load, on a process that runs: what lies behind the new position runs once more, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_moved_under_load_is_taken_up_exactly_there() {
    let scene = Scene::new(
        (Kafka::shared().await, forebay_tests::postgres::Postgres::shared().await),
        "quarrel_load",
        3,
        SCHEMA,
    )
    .await;
    let manifest = scene.manifest(&[("log", "")]).set("batch", "{ max-records = 20 }");
    for n in 0..6_000 {
        scene.put(n % 3, &[effect("insert", "log", json!({ "n": n }))]);
    }
    scene.producer.flush().await;
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    let has_some = async || scene.positions().await.values().filter(|position| **position > 200).count() == 3;
    forebay_tests::wait::until_or_dump(MINUTE, "some records of each partition", has_some, || forebay.tail()).await;
    let name = &scene.names.topic;
    take(&format!("position set {name} --partition 1 --to 100"), &file).await;
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    let counts = "select count(*) filter (where c = 1) || ' ' || count(*) filter (where c = 2) || ' ' || max(c) \
        || ' ' || coalesce(min(n) filter (where c = 2), 0) || ' ' || coalesce(max(n) filter (where c = 2), 0) \
        from (select n, count(*) c from log group by n) x";
    let counts: Vec<i64> = scene.text(counts).await.split(' ').map(|text| text.parse().unwrap()).collect();
    let [once, twice, most, first, last] = counts[..] else { panic!("{counts:?}") };
    assert_eq!((once + twice, most), (6_000, 2), "every record, and none more than twice");
    assert_eq!(first, 301, "from offset 100 of partition 1 on");
    assert_eq!((last - first) / 3 + 1, twice, "and without a hole up to where the owner was: {counts:?}");
}

/// What people see before they move anything, and what is refused.
#[tokio::test(flavor = "multi_thread")]
async fn positions_are_shown_and_what_makes_no_sense_is_refused() {
    let scene = scene("quarrel_show").await;
    produce(&scene, 0..5).await;
    let file = manifest(&scene).write();
    let name = scene.names.topic.clone();
    let show = format!("position show {name} --output json");
    let shown: Value = serde_json::from_str(&take(&show, &file).await).unwrap();
    let one = &shown["partitions"][0];
    assert_eq!((&one["then"], &one["ledger"], &one["group"]), (&json!("start"), &Value::Null, &Value::Null));
    let tables = scene.texts("select tablename::text from pg_tables where schemaname = 'forebay'").await;
    assert!(tables.is_empty(), "looking makes nothing: {tables:?}");
    scene.run_through(&manifest(&scene)).await;
    commit(&scene, 2, "");
    let shown: Value = serde_json::from_str(&take(&show, &file).await).unwrap();
    let one = &shown["partitions"][0];
    assert_eq!(
        (&one["then"], &one["ledger"]["position"], &one["group"]["ours"]),
        (&json!("halt"), &json!(5), &json!(false))
    );
    let text = take(&format!("position show {name}"), &file).await;
    assert!(text.contains("2 (not Forebay's)") && text.contains("halts: "), "{text}");
    let dry = take(&format!("position adopt {name} --dry-run"), &file).await;
    assert!(
        dry.contains("from 5 back to 2; 3 offsets are processed again") && dry.contains("nothing was changed"),
        "{dry}"
    );
    assert_eq!(scene.positions().await.into_values().collect::<Vec<_>>(), [5]);
    for (command, status, words) in [
        (format!("position set {name} --to 6"), 78, "outside the log, which goes from 0 to 5"),
        (format!("position set {name} --to soon"), 2, "it is earliest, latest, an offset, or a time"),
        (format!("position set {name} --to 1 --partition 9"), 2, "no such partition"),
        (format!("position set {name}"), 2, "--to"),
        (format!("position show {name} --topic other"), 2, "does not read topic `other`"),
        ("position show nobody".to_owned(), 2, "has no binding `nobody`"),
    ] {
        let (_, code, errors) = run(&command, &file).await;
        assert_eq!(code, Some(status), "`{command}`: {errors}");
        assert!(errors.contains(words), "`{words}` in: {errors}");
    }
    take(&format!("position set {name} --to latest"), &file).await;
    scene.run_through(&manifest(&scene)).await;
    assert_eq!(applied(&scene).await, [0, 1, 2, 3, 4]);
    let text = take(&format!("position adopt {name}"), &file).await;
    assert!(text.contains("nothing to adopt"), "{text}");
}
