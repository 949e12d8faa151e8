//! `forebay dlq redrive` beside others: on a SQLite file that a process may have, two commands at once, and one that was
//! frozen between its commit and its send.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{ManifestFile, quoted};
use forebay_tests::process::Process;
use forebay_tests::{place, reader, wait};
use serde_json::json;

use crate::crash_sqlite::{FileScene, SCHEMA, TARGETS, row};
use crate::dlq::{Said, dlq};
use crate::redrive::{counts, ends, ends_of, mendable, mended, patient, until_failpoint};
use crate::scene::{MINUTE, Scene, effect, until_state};

/// Every one of so many fails again.
const INCURABLE: i64 = 10;

/// A record that is a dead letter now: every tenth for ever, the others until their handler is mended.
fn letter(n: i64) -> String {
    match n % INCURABLE {
        0 => json!({ "reject": { "code": "incurable", "message": "no" } }).to_string(),
        _ => mendable(&row(n)),
    }
}

/// The numbers of those that are no dead letters once the handler is mended.
fn healed(letters: i64) -> Vec<i64> {
    (0..letters).filter(|n| n % INCURABLE != 0).collect()
}

/// Returns how many letters there are by `forebay.redrives`, repeats under one id counted once; and how many were repeated.
async fn lying(kafka: &Kafka, topic: &str) -> (BTreeMap<u32, usize>, usize) {
    let records = reader::read_all(kafka, topic).await;
    let letters: BTreeSet<(u32, &str)> = records
        .iter()
        .map(|it| (it.header("forebay.redrives").unwrap().parse().unwrap(), it.header("forebay.id").unwrap()))
        .collect();
    let mut lying = BTreeMap::new();
    letters.iter().for_each(|(redrives, _)| *lying.entry(*redrives).or_default() += 1);
    (lying, records.len() - letters.len())
}

/// Redrives until nothing fails again, and panics unless each incurable letter came back three times and no other ever did.
async fn until_nothing_is_left(kafka: &Kafka, topic: &str, file: &ManifestFile, letters: i64) {
    let mut said = ends(file, &[]).await;
    for _ in 0..3 {
        if said.contains_key("failed-again") {
            said = ends(file, &[]).await;
        }
    }
    let all = usize::try_from(letters).unwrap();
    let incurable = all / usize::try_from(INCURABLE).unwrap();
    let [known, used_up] = [all + 2 * incurable, incurable].map(|count| u64::try_from(count).unwrap());
    assert_eq!(said, counts([("redriven-before", known), ("used-up", used_up)]), "nothing is left to do");
    let expected = BTreeMap::from([(0, all), (1, incurable), (2, incurable), (3, incurable)]);
    assert_eq!(lying(kafka, topic).await.0, expected, "no letter is lost, and none comes back twice");
}

/// Dead letters of a binding whose rows are in a file, and the manifest with the mended handler.
async fn on_file(base: &str, letters: i64) -> (FileScene, ManifestFile) {
    let mut scene = FileScene::new(base, 1, SCHEMA, &TARGETS).await;
    let topic = quoted(&scene.names.dead_letters);
    let guard = format!("{{ topic = {topic}, pause-above = \"100% of 1m\" }}");
    scene.manifest = scene.manifest.set("dead-letter", &guard);
    (0..letters).for_each(|n| scene.put(0, &letter(n)));
    let forebay = Forebay::start(&scene.manifest.write(), &[]);
    scene.until_at_end(&forebay).await;
    forebay.until_caught_up(MINUTE, 1).await;
    scene.rest(&forebay).await;
    let file = mended(scene.manifest.clone()).write();
    (scene, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_a_file_are_applied_once_through_deaths_at_every_step() {
    const LETTERS: i64 = 300;
    let (scene, file) = on_file("redrive_file", LETTERS).await;
    let (kafka, topic) = (scene.kafka, scene.names.dead_letters.as_str());
    assert_eq!(lying(kafka, topic).await.0, [(0, usize::try_from(LETTERS).unwrap())].into());
    for point in
        ["before-write:30", "before-commit:40", "after-commit:25", "after-write:20", "before-send:4", "after-send:5"]
    {
        until_failpoint(&file, point, &[]).await;
    }
    let before = scene.log().len();
    assert!((50..250).contains(&before), "killed in the middle: {before}");
    let healed = healed(LETTERS);
    let last = ends(&file, &[]).await;
    assert_eq!(last["applied"], u64::try_from(healed.len() - before).unwrap(), "{last:?}");
    assert_eq!(scene.log(), healed);
    until_nothing_is_left(kafka, topic, &file, LETTERS).await;
    // No constraint would have kept a second row away.
    assert_eq!(scene.log(), healed);
    assert_eq!(scene.column::<i64>("select n from total"), [i64::try_from(healed.len()).unwrap()]);
    assert_eq!(scene.column::<i64>("select next_offset from forebay_outbox"), [0; 0], "left in the outbox");
    let (_, repeats) = lying(kafka, topic).await;
    assert!(repeats <= 2, "a kill repeats one: {repeats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_process_has_the_file_it_says_so_within_a_bounded_time() {
    let (scene, file) = on_file("redrive_held", 20).await;
    let forebay = Forebay::start(&scene.manifest.write(), &[]);
    forebay.until_caught_up(MINUTE, 1).await;
    let start = Instant::now();
    let refused = dlq(&["redrive", file.arg()]).await;
    let took = start.elapsed();
    println!("refused after {took:?}: {}", refused.err.lines().last().unwrap_or_default());
    refused.refuses(69, &["another process has", scene.path.to_str().unwrap()]);
    assert!(took < MINUTE, "{took:?}");
    assert_eq!(scene.log(), [0_i64; 0], "nothing is applied");
    scene.put(0, &json!({ "effects": row(1000) }).to_string());
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(ends(&file, &[]).await, counts([("applied", 18), ("failed-again", 2)]), "and later all of it");
    assert_eq!(scene.log(), healed(20).into_iter().chain([1000]).collect::<Vec<i64>>());
    // Whoever reads it knows what to do now: the process has to end first.
    let sentence = refused.err.lines().last().expect("a sentence");
    assert!(sentence.contains("stop"), "it says what to do: {sentence}");
}

/// Starts a redrive in the background.
fn begin(file: &ManifestFile, more: &[&str]) -> Process {
    let mut command = Command::new(place::forebay());
    command.args(["dlq", "redrive", file.arg()]).args(more);
    Process::start("redrive", command, &file.folder().join("redrive.log"), libc::SIGKILL)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_and_a_process_hand_the_file_over_to_each_other() {
    let (scene, file) = on_file("redrive_handed", 60).await;
    let run = scene.manifest.write();
    let forebay = Forebay::start(&run, &[]);
    forebay.until_caught_up(MINUTE, 1).await;
    let redrive = begin(&file, &["--rate", "20"]);
    let waits = async || redrive.log().contains("another process has");
    wait::until_or_dump(MINUTE, "the command to wait for the file", waits, || redrive.log_tail(60)).await;
    forebay.stop(MINUTE).await;
    let has_it = async || !scene.log().is_empty();
    wait::until_or_dump(MINUTE, "the command to take the file over", has_it, || redrive.log_tail(60)).await;
    let forebay = Forebay::start(&run, &[]);
    until_state(&forebay, "waiting", &["another process has"]).await;
    assert_eq!(redrive.exit(), None, "it has the file still");
    scene.put(0, &json!({ "effects": row(1000) }).to_string());
    assert_eq!(redrive.wait_exit(MINUTE).await.code(), Some(0), "{}", redrive.log_tail(60));
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.log(), healed(60).into_iter().chain([1000]).collect::<Vec<i64>>());
    assert_eq!(scene.column::<i64>("select n from total"), [55]);
}

/// Dead letters of a binding whose rows are in PostgreSQL, and the manifest with the mended handler.
async fn on_server(
    base: &str,
    (schema, targets): (&str, &[(&str, &str)]),
    letters: impl Iterator<Item = String>,
) -> (Scene<'static>, ManifestFile) {
    let scene = Scene::shared(base, schema).await;
    for value in letters {
        scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    let manifest = patient(&scene, scene.manifest(targets));
    scene.run_through(&manifest).await;
    (scene, mended(manifest).write())
}

const TABLES: &str = "create table log (n int); create table total (name text primary key, n bigint not null)";

/// Panics unless each healed letter has its row and its part of the sum once, and nothing waits to be sent.
async fn assert_exact(scene: &Scene<'_>, letters: i64) {
    let rows = scene.texts("select n::text from log order by log.n").await;
    let healed: Vec<String> = healed(letters).iter().map(ToString::to_string).collect();
    assert!(rows == healed, "{} rows, not {}", rows.len(), healed.len());
    assert_eq!(scene.text("select n::text from total").await, healed.len().to_string());
    assert_eq!(scene.texts("select next_offset::text from forebay.outbox").await, [""; 0], "left in the outbox");
}

/// Redrives by two commands at once.
async fn by_two(file: &ManifestFile) -> [BTreeMap<String, u64>; 2] {
    let args = ["redrive", file.arg(), "--output", "json"];
    let (one, two): (Said, Said) = tokio::join!(dlq(&args), dlq(&args));
    [one, two].map(|said| ends_of(&said.json()))
}

fn sum(ends: &[BTreeMap<String, u64>; 2], end: &str) -> u64 {
    ends.iter().filter_map(|ends| ends.get(end)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_once_apply_each_letter_once() {
    const LETTERS: i64 = 2000;
    let (scene, file) = on_server("redrive_two", (TABLES, &TARGETS), (0..LETTERS).map(letter)).await;
    let (kafka, topic) = (scene.kafka, scene.names.dead_letters.as_str());
    let both = by_two(&file).await;
    println!("{both:?}");
    assert!(both.iter().all(|ends| ends["applied"] > 20), "both were at work: {both:?}");
    assert_exact(&scene, LETTERS).await;
    assert_eq!(sum(&both, "applied"), u64::try_from(healed(LETTERS).len()).unwrap());
    let (letters, repeats) = lying(kafka, topic).await;
    let incurable = usize::try_from(LETTERS / INCURABLE).unwrap();
    assert_eq!(letters[&1], incurable, "each came back");
    // The one that started last may have met some of what the other sent back.
    let came_back: usize = letters.range(1..).map(|(_, count)| count).sum();
    assert_eq!(sum(&both, "failed-again"), u64::try_from(came_back).unwrap(), "each once: {letters:?}");
    assert!(repeats <= 2, "what one has under way may be sent by the other at its start: {repeats}");
    until_nothing_is_left(kafka, topic, &file, LETTERS).await;
    assert_exact(&scene, LETTERS).await;
}

/// The row that a letter meets is its own, written by the other command: it is not a newer record's.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_the_other_command_applied_is_not_stale() {
    const LETTERS: i64 = 400;
    let value = |n: i64| mendable(&json!([effect("upsert", "plain", json!({ "id": n, "word": "old" }))]));
    let schema = "create table plain (id int primary key, word text)";
    let tables = (schema, &[("plain", "key = [\"id\"]")][..]);
    let (scene, file) = on_server("redrive_two_keys", tables, (0..LETTERS).map(value)).await;
    let both = by_two(&file).await;
    println!("{both:?}");
    let all = u64::try_from(LETTERS).unwrap();
    assert_eq!(scene.text("select count(*)::text from plain").await, all.to_string());
    assert_eq!(ends(&file, &[]).await, counts([("redriven-before", all)]), "all of it is done");
    assert_eq!(sum(&both, "applied"), all);
    assert_eq!(sum(&both, "redriven-before"), all, "and nothing else: {both:?}");
}

/// Freezes the command where a letter that fails again is committed and not sent; returns how many were sent by then.
async fn freeze_before_send(scene: &Scene<'_>, command: &Process) -> usize {
    let count = async |sql: &str| scene.text(sql).await.parse::<usize>().unwrap();
    let is_between = async || {
        if count("select count(*)::text from forebay.outbox where state = 'pending'").await != 1 {
            return None;
        }
        let failed = count("select (select count(*) from forebay.redriven) - (select count(*) from log) || ''").await;
        let sent = lying(scene.kafka, &scene.names.dead_letters).await.0.range(1..).map(|(_, count)| count).sum();
        (sent > 0 && failed == sent + 1).then_some(sent)
    };
    let frozen = async || {
        command.signal(libc::SIGSTOP);
        let sent = is_between().await;
        if sent.is_none() {
            command.signal(libc::SIGCONT);
        }
        sent
    };
    let what = "the command to stand between a commit and its send";
    wait::some_or_dump(MINUTE, what, frozen, || command.log_tail(60)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_frozen_before_its_send_does_nothing_twice() {
    const LETTERS: i64 = 1000;
    let (scene, file) = on_server("redrive_frozen", (TABLES, &TARGETS), (0..LETTERS).map(letter)).await;
    let (kafka, topic) = (scene.kafka, scene.names.dead_letters.as_str());
    let frozen = begin(&file, &[]);
    let sent = freeze_before_send(&scene, &frozen).await;
    let rows = scene.texts("select n::text from log").await.len();
    assert!(rows < healed(LETTERS).len(), "frozen in the middle");

    let other = ends(&file, &[]).await;
    println!("frozen with {rows} rows and {sent} sent; the other: {other:?}");
    assert_exact(&scene, LETTERS).await;
    let incurable = usize::try_from(LETTERS / INCURABLE).unwrap();
    let (letters, repeats) = lying(kafka, topic).await;
    assert_eq!((letters[&1], repeats), (incurable, 0), "what the frozen one decided, the other sent");
    assert_eq!(frozen.exit(), None, "it was frozen all the time");

    frozen.signal(libc::SIGCONT);
    let status = frozen.wait_exit(Duration::from_secs(90)).await;
    assert_eq!(status.code(), Some(0), "{}", frozen.log_tail(60));
    assert_exact(&scene, LETTERS).await;
    let (letters, repeats) = lying(kafka, topic).await;
    assert_eq!(letters[&1], incurable);
    assert_eq!(repeats, 1, "it sends what it had decided, under the same id");
    until_nothing_is_left(kafka, topic, &file, LETTERS).await;
    assert_exact(&scene, LETTERS).await;
}
