//! `forebay dlq redrive` through the handler: each letter once, however often the command is killed; what fails again comes
//! back, and not for ever; newer rows are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{FAILPOINTS, Forebay};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile, Plugin, quoted};
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::process::Process;
use forebay_tests::producer::Ack;
use forebay_tests::{place, reader, wait};
use serde_json::{Value, json};

use crate::dlq::{dlq, kafka_only};
use crate::scene::{MINUTE, Scene, effect};

/// A record that is a dead letter until its handler is mended, which then does this.
pub(crate) fn mendable(effects: &Value) -> String {
    json!({ "reject": { "code": "bad", "message": "no good" }, "else": effects }).to_string()
}

/// The same manifest with a handler that accepts what it rejected before.
pub(crate) fn mended(manifest: Manifest) -> Manifest {
    manifest.plugin("scripted", Plugin::new(place::component("scripted")).set("config", "{ accept = true }"))
}

/// A manifest whose flood guard lets everything pass.
pub(crate) fn patient(scene: &Scene<'_>, manifest: Manifest) -> Manifest {
    let topic = quoted(&scene.names.dead_letters);
    manifest.set("dead-letter", &format!("{{ topic = {topic}, pause-above = \"100% of 1m\" }}"))
}

/// Redrives, and returns how many letters ended in which way.
pub(crate) async fn ends(file: &ManifestFile, more: &[&str]) -> BTreeMap<String, u64> {
    let sum = dlq(&[&["redrive", file.arg(), "--output", "json"], more].concat()).await.json();
    ends_of(&sum)
}

pub(crate) fn ends_of(sum: &Value) -> BTreeMap<String, u64> {
    let ends = sum["ends"].as_object().unwrap_or_else(|| panic!("no sum: {sum}"));
    ends.iter().map(|(end, count)| (end.clone(), count.as_u64().unwrap())).collect()
}

pub(crate) fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(end, count)| (end.to_owned(), count)).into()
}

/// Redrives with a failpoint, and panics unless that killed the command.
pub(crate) async fn until_failpoint(file: &ManifestFile, point: &str, more: &[&str]) {
    let output = Forebay::run_once(&[&["dlq", "redrive", file.arg()], more].concat(), &[(FAILPOINTS, point)]).await;
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{point}: {output:?}");
}

/// Redrives until `is_far` holds, and kills the command; panics where that had ended before.
pub(crate) async fn kill_when(file: &ManifestFile, more: &[&str], is_far: impl AsyncFnMut() -> bool) {
    let mut command = Command::new(place::forebay());
    command.args(["dlq", "redrive", file.arg()]).args(more);
    let log = file.folder().join(format!("redrive-{}.log", file.admin));
    let process = Process::start("redrive", command, &log, libc::SIGKILL);
    wait::until_or_dump(MINUTE, "the redrive to come that far", is_far, || process.log_tail(60)).await;
    assert_eq!(process.exit(), None, "it was still at work: {}", process.log_tail(60));
    process.kill();
}

/// Returns how many letters there are by `forebay.redrives`, repeats under one id counted once.
pub(crate) async fn by_redrives(scene: &Scene<'_>) -> BTreeMap<u32, usize> {
    let records = reader::read_all(scene.kafka, &scene.names.dead_letters).await;
    let letters: BTreeSet<(u32, String)> = records
        .iter()
        .map(|it| {
            (it.header("forebay.redrives").unwrap().parse().unwrap(), it.header("forebay.id").unwrap().to_owned())
        })
        .collect();
    letters.into_iter().fold(BTreeMap::new(), |mut counts, (redrives, _)| {
        *counts.entry(redrives).or_default() += 1;
        counts
    })
}

const LETTERS: usize = 10_000;
/// Every one of so many fails again.
const INCURABLE: usize = 10;
/// Every one of so many publishes.
const PUBLISHES: usize = 25;

const LOG: &str = "create table log (n int); create table total (key text primary key, n bigint not null)";

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_letters_are_applied_once_through_many_deaths() {
    let kafka = Kafka::shared().await;
    let scene = Scene::new((kafka, Postgres::shared().await), "redrive", 3, LOG).await;
    kafka.create_topic(&scene.names.published, 1, &[]).await;
    let mut tickets = Vec::new();
    for n in 0..LETTERS {
        let mut effects =
            vec![effect("insert", "log", json!({ "n": n })), effect("add", "total", json!({ "key": "all", "n": 1 }))];
        if n % PUBLISHES == 1 {
            effects.push(json!({ "op": "publish", "target": "out", "value": n.to_string() }));
        }
        let value = match n % INCURABLE {
            0 => json!({ "reject": { "code": "incurable", "message": "no" } }).to_string(),
            _ => mendable(&json!(effects)),
        };
        let partition = i32::try_from(n % 3).unwrap();
        tickets.push(scene.producer.send(&scene.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]));
    }
    let acks = scene.producer.flush().await;
    let out = format!("{{ topic = {} }}", quoted(&scene.names.published));
    let manifest = patient(&scene, scene.manifest(&[("log", ""), ("total", "key = [\"key\"]")]).target("out", &out));
    scene.run_through(&manifest).await;
    assert_eq!(by_redrives(&scene).await, [(0, LETTERS)].into());
    let file = mended(manifest).write();
    let rows = async || scene.text("select count(*)::text from log").await.parse::<usize>().unwrap();

    let points = ["before-write:300", "before-commit:500", "after-commit:200", "before-send:40", "after-send:60"];
    for point in [&points[..], &points].concat() {
        until_failpoint(&file, point, &[]).await;
    }
    for _ in 0..4 {
        let before = rows().await;
        kill_when(&file, &[], async || rows().await > before + 300).await;
    }
    // A transaction that was sent whole may commit after its process is gone.
    let backends = "select count(*)::text from pg_stat_activity where datname = current_database() \
        and application_name = 'forebay'";
    wait::until(MINUTE, "the server to let go of the process that was killed", async || {
        scene.text(backends).await == "0"
    })
    .await;
    let before = rows().await;
    assert!(before > 2000 && before < 8000, "killed in the middle: {before}");
    let start = Instant::now();
    let last = ends(&file, &[]).await;
    let took = start.elapsed();
    let healed = LETTERS - LETTERS / INCURABLE;
    assert_eq!(last["applied"], u64::try_from(healed - before).unwrap());
    let incurable = LETTERS / INCURABLE;
    assert_eq!(last["failed-again"], u64::try_from(incurable).unwrap(), "each once in a run: {last:?}");
    let done = last["applied"] + last["failed-again"];
    println!("{done} letters and {} known in {took:?}", last["redriven-before"]);

    // No constraint would have kept a second row away.
    let mut applied: Vec<usize> =
        scene.texts("select n::text from log").await.iter().map(|n| n.parse().unwrap()).collect();
    applied.sort_unstable();
    let expected: Vec<usize> = (0..LETTERS).filter(|n| n % INCURABLE != 0).collect();
    assert!(applied == expected, "{} rows, not {}", applied.len(), expected.len());
    assert_eq!(scene.text("select n::text from total").await, healed.to_string());
    let places: Vec<Ack> = tickets.iter().map(|ticket| acks[*ticket]).collect();
    assert_published(&scene, &places).await;
    assert_eq!(scene.texts("select next_offset::text from forebay.outbox").await, [""; 0], "left in the outbox");

    until_nothing_is_left(&scene, &file).await;
    assert_eq!(scene.text("select count(*)::text from log").await, healed.to_string());
}

/// Redrives what fails again until it stays.
async fn until_nothing_is_left(scene: &Scene<'_>, file: &ManifestFile) {
    let incurable = LETTERS / INCURABLE;
    // What fails again comes back, and not for ever: runs that were killed brought some back already.
    assert!(by_redrives(scene).await[&1] == incurable, "each came back");
    let mut said = ends(file, &[]).await;
    for _ in 0..2 {
        if said.contains_key("failed-again") {
            said = ends(file, &[]).await;
        }
    }
    let known = u64::try_from(LETTERS + 2 * incurable).unwrap();
    let used_up = u64::try_from(incurable).unwrap();
    assert_eq!(said, counts([("redriven-before", known), ("used-up", used_up)]), "nothing is left to do");
    let lying = BTreeMap::from([(0, LETTERS), (1, incurable), (2, incurable), (3, incurable)]);
    assert_eq!(by_redrives(scene).await, lying, "the fourth time they stay");
    let text = dlq(&["redrive", file.arg()]).await;
    text.shows(&[&format!("{known} redriven-before, {used_up} used-up"), "`--max-redrives N` allows more"]);
}

/// Panics unless each record published once, or again under the same id.
async fn assert_published(scene: &Scene<'_>, places: &[Ack]) {
    let publishes = (0..LETTERS).filter(|n| n % PUBLISHES == 1 && n % INCURABLE != 0);
    let ids: BTreeMap<String, String> = publishes
        .map(|n| {
            let ack = places[n];
            (format!("{}/{}/{}/2", scene.names.topic, ack.partition, ack.offset), n.to_string())
        })
        .collect();
    let published = reader::read_all(scene.kafka, &scene.names.published).await;
    let found: BTreeMap<String, String> =
        published.iter().map(|it| (it.header("forebay.id").unwrap().to_owned(), it.text().to_owned())).collect();
    assert_eq!(found, ids);
    assert!(published.len() < ids.len() + 20, "{} of {}: a kill repeats one", published.len(), ids.len());
}

const STOCK: &str = "
    create table plain (id int primary key, word text, version bigint);
    create table newest (id int primary key, word text, version bigint);
    create table keep (id int primary key, word text, version bigint)";

/// Letters that write rows, some of which newer records have written since.
async fn stale(base: &str, effects: &[Value]) -> (Scene<'static>, ManifestFile) {
    let scene = Scene::shared(base, STOCK).await;
    for effect in effects {
        let value = mendable(&json!([effect]));
        scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    for target in ["plain", "newest", "keep"] {
        let columns = json!({ "id": 1, "word": "new", "version": 9 });
        scene.put(0, &[effect("upsert", target, columns)]);
    }
    let manifest = scene.manifest(&[
        ("plain", "key = [\"id\"]"),
        ("newest", "key = [\"id\"], on-conflict = \"newest(version)\""),
        ("keep", "key = [\"id\"], on-conflict = \"keep\""),
    ]);
    let manifest = patient(&scene, manifest);
    scene.run_through(&manifest).await;
    assert_eq!(scene.letters().await.len(), effects.len());
    let file = mended(manifest).write();
    (scene, file)
}

async fn words(scene: &Scene<'_>, table: &str) -> Vec<String> {
    scene.texts(&format!("select id || ' ' || word from {table} order by id")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_newer_record_wrote_is_left_alone() {
    let row = |id: u32| json!({ "id": id, "word": "old", "version": 1 });
    let mut effects = Vec::new();
    for target in ["plain", "newest", "keep"] {
        effects.extend([effect("upsert", target, row(1)), effect("upsert", target, row(2))]);
    }
    for target in ["plain", "keep"] {
        effects.push(effect("update", target, json!({ "id": 1, "word": "updated" })));
        effects.push(effect("delete", target, json!({ "id": 1 })));
    }
    let (scene, file) = stale("redrive_stale", &effects).await;
    let said = dlq(&["redrive", file.arg()]).await;
    said.shows(&[
        "5 applied, 5 stale\n",
        "`--allow-stale` overwrites the rows",
        "it changes or removes a row of `plain` (2)",
    ]);
    said.shows(&["a row of its key is there"]);
    for table in ["plain", "newest", "keep"] {
        assert_eq!(words(&scene, table).await, ["1 new", "2 old"], "{table}");
    }
    // What was left alone was not remembered: it can still be applied.
    let before = counts([("redriven-before", 5), ("stale", 5)]);
    assert_eq!(ends(&file, &[]).await, before);
    assert_eq!(ends(&file, &["--allow-stale", "--limit", "1", "--offset", "0"]).await, counts([("applied", 1)]));
    assert_eq!(words(&scene, "plain").await, ["1 old", "2 old"]);
    assert_eq!(ends(&file, &["--allow-stale"]).await, counts([("applied", 4), ("redriven-before", 6)]));
    assert_eq!(words(&scene, "plain").await, ["2 old"], "updated, then deleted");
    assert_eq!(words(&scene, "keep").await, ["2 old"]);
    assert_eq!(words(&scene, "newest").await, ["1 new", "2 old"]);
    assert_eq!(ends(&file, &[]).await, counts([("redriven-before", 10)]));
    assert_eq!(by_redrives(&scene).await, [(0, 10)].into());
}

/// An update and a delete carry no version: `newest(…)` does not guard them.
#[tokio::test(flavor = "multi_thread")]
async fn newest_does_not_let_an_old_update_or_delete_pass() {
    let effects = [
        effect("update", "newest", json!({ "id": 1, "word": "updated" })),
        effect("delete", "newest", json!({ "id": 1 })),
    ];
    let (scene, file) = stale("redrive_newest", &effects).await;
    assert_eq!(ends(&file, &[]).await, counts([("stale", 2)]));
    assert_eq!(words(&scene, "newest").await, ["1 new"]);
}

/// The second upsert of a letter would not collide with anything but the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_writes_its_own_row_twice_is_not_stale() {
    let scene = Scene::shared("redrive_twice", STOCK).await;
    let row = |word: &str| effect("upsert", "plain", json!({ "id": 1, "word": word, "version": 1 }));
    let value = mendable(&json!([row("first"), row("second")]));
    scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    let manifest = patient(&scene, scene.manifest(&[("plain", "key = [\"id\"]")]));
    scene.run_through(&manifest).await;
    let file = mended(manifest).write();
    assert_eq!(ends(&file, &[]).await, counts([("applied", 1)]));
    assert_eq!(words(&scene, "plain").await, ["1 second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_without_a_table_has_no_memory() {
    let (kafka, names) = (Kafka::shared().await, Names::new("redrive_memory"));
    kafka.create_topic(&names.topic, 1, &[]).await;
    kafka.create_topic(&names.dead_letters, 1, &[]).await;
    kafka.create_topic(&names.published, 1, &[]).await;
    let file = kafka_only(kafka, &names).write();
    let sentence = format!("binding `{}` has no table, so nothing could remember", names.topic);
    dlq(&["redrive", file.arg()]).await.refuses(2, &[&sentence, "`--to topic`"]);
    let said = dlq(&["redrive", file.arg(), "--to", "topic"]).await;
    said.shows(&["no letter is meant\n"]);
    assert!(said.err.contains("has no table: nothing remembers what goes back"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_out_of_reach_is_69_within_a_bounded_time() {
    let scene = Scene::shared("redrive_away", "create table log (n int)").await;
    let file = scene.manifest(&[("log", "")]).write();
    let text = std::fs::read_to_string(&file.path).unwrap();
    let away = text.replace(&scene.kafka.bootstrap(), "127.0.0.1:1");
    assert_ne!(text, away);
    std::fs::write(&file.path, away).unwrap();
    for more in [&[][..], &["--to", "topic"]] {
        let start = Instant::now();
        dlq(&[&["redrive", file.arg()], more].concat()).await.refuses(69, &["error"]);
        println!("{more:?}: 69 after {:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
}
