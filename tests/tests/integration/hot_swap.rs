//! Another version while records flow: each partition changes at an exact offset, between two batches, and nothing is lost,
//! doubled or dead-lettered on the way; a version that is broken is refused, or halts until the old one is back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile, Plugin, quoted};
use forebay_tests::memory::Memory;
use forebay_tests::postgres::Postgres;
use forebay_tests::{place, wait};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::scene::{MINUTE, Scene, effect};

const PARTITIONS: i32 = 6;
const SWAPS: usize = 10;

/// Records of each partition that are handed over between two looks at other things.
const AT_ONCE: u64 = 10;
/// Records of each partition ahead of what is written, where both processes are to work as hard as they can.
const AHEAD: u64 = 5_000;

const LOG: &str = "create table log (p int not null, n bigint not null, stamp text not null, \
    at timestamptz not null default clock_timestamp())";

/// The scripted component under another digest: what follows is a section that nobody reads. A file that is there stays: some
/// process may be reading it.
fn version(folder: &std::path::Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.wasm"));
    if path.exists() {
        return path;
    }
    let mut bytes = std::fs::read(place::component("scripted")).unwrap();
    let text = [&[u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    bytes.extend([&[0, u8::try_from(text.len()).unwrap()], &text[..]].concat());
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The manifest with one version of the plugin, which says its name in every row.
fn with(manifest: &Manifest, name: &str, more: &str) -> Manifest {
    let plugin = Plugin::new(version(manifest.folder(), name));
    let config = format!("{{ stamp = {}{more} }}", quoted(name));
    manifest.clone().plugin("scripted", plugin.set("config", &config))
}

async fn reload(file: &ManifestFile) -> Output {
    Forebay::run_once(&["reload", file.arg()], &[]).await
}

async fn reloaded(file: &ManifestFile) -> String {
    let output = reload(file).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Panics unless a reload ends with this status and says these words.
async fn refused(file: &ManifestFile, status: i32, words: &[&str]) {
    let output = reload(file).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no `{word}` in {said}"));
}

fn row(partition: i32, n: u64) -> Value {
    effect("insert", "log", json!({ "p": partition, "n": n }))
}

/// Swaps begin once so many records of each partition are written: starting is over by then.
const WARM: i64 = 4_000;

/// How much comes in.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// Records for each partition and second.
    Steady(u64),
    /// More than is written, always.
    Backlog,
    Over,
}

/// Sends rows to all partitions until it is told to stop; returns how many each has.
async fn send(scene: &Scene<'_>, load: watch::Receiver<Load>) -> u64 {
    let (mut sent, start) = (0, Instant::now());
    let mut turns = tokio::time::interval(Duration::from_millis(5));
    loop {
        turns.tick().await;
        let wanted = *load.borrow();
        let until = match wanted {
            Load::Steady(rate) => u64::try_from(start.elapsed().as_millis()).unwrap() * rate / 1_000,
            Load::Backlog => {
                let written = scene.positions().await.values().copied().max().unwrap_or_default();
                u64::try_from(written).unwrap() + AHEAD
            }
            Load::Over => return sent,
        };
        while sent < until {
            for n in sent..sent + AT_ONCE {
                for p in 0..PARTITIONS {
                    let value =
                        format!(r#"{{"effects":[{{"op":"insert","target":"log","columns":{{"p":{p},"n":{n}}}}}]}}"#);
                    scene.producer.send(&scene.names.topic, p, None, Some(value.as_bytes()), &[]);
                }
            }
            sent += AT_ONCE;
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until each partition has rows of this version that are newer than `since`.
async fn until_all_write(scene: &Scene<'_>, stamp: &str, since: &str, processes: &[Forebay]) {
    let sql = format!("select count(distinct p)::text from log where stamp = '{stamp}' and at > '{since}'");
    let all = async || scene.text(&sql).await == PARTITIONS.to_string();
    let tails = || processes.iter().map(Forebay::tail).collect::<Vec<_>>().join("\n---\n");
    wait::until_or_dump(MINUTE, &format!("all partitions to be written by {stamp}"), all, tails).await;
}

async fn now(scene: &Scene<'_>) -> String {
    scene.text("select clock_timestamp()::text").await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_swaps_under_a_steady_load_change_each_partition_once_at_the_offset_that_is_said() {
    // What these two cores hold in the dev profile, and in the release profile.
    let rate = if std::env::var_os("FOREBAY_WHOLE").is_some() { 20_000 } else { 12_000 };
    ten_swaps("hot_swap", Load::Steady(rate / u64::from(PARTITIONS.unsigned_abs()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_swaps_while_a_backlog_is_drained_change_each_partition_once_at_the_offset_that_is_said() {
    ten_swaps("hot_swap_backlog", Load::Backlog).await;
}

async fn ten_swaps(base: &str, load: Load) {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), base, PARTITIONS, LOG).await;
    let manifest = scene.manifest(&[("log", "")]);
    let files = [with(&manifest, "v0", "").write(), with(&manifest, "v1", "").write()];
    with(&manifest, "v0", "").rewrite(&files[1]);
    let processes = [Forebay::start(&files[0], &[]), Forebay::start(&files[1], &[])];
    for process in &processes {
        process.until(MINUTE, "half of the partitions", |status| owned(status) == 3).await;
    }
    // On a backlog what is fetched ahead comes and goes by tens of MiB.
    let margin = if load == Load::Backlog { 128 } else { 64 };
    let (load, loads) = watch::channel(load);
    let swaps = async {
        let mut resident = Vec::new();
        let flows = async || scene.positions().await.values().filter(|it| **it >= WARM).count() == PARTITIONS as usize;
        wait::until_or_dump(MINUTE, "records to flow", flows, || processes[0].tail()).await;
        for swap in 1..=SWAPS {
            let (stamp, since) = (format!("v{}", swap % 2), now(&scene).await);
            let said = tokio::join!(swap_to(&manifest, &stamp, &files[0]), swap_to(&manifest, &stamp, &files[1]));
            for said in [said.0, said.1] {
                assert!(said.contains("plugin `scripted` sha256:") && said.contains(" -> sha256:"), "{said}");
            }
            until_all_write(&scene, &stamp, &since, &processes).await;
            until_all_write(&scene, &stamp, &now(&scene).await, &processes).await;
            resident
                .push(processes.iter().map(|process| Memory::of(process.pid()).unwrap().resident).sum::<u64>() >> 20);
        }
        load.send_replace(Load::Over);
        resident
    };
    let (count, resident) = tokio::join!(send(&scene, loads), swaps);
    let settled = async || {
        scene.text("select count(*)::text from log").await == (count * u64::from(PARTITIONS.unsigned_abs())).to_string()
    };
    wait::until_or_dump(MINUTE, "every row", settled, || processes[0].tail()).await;

    for partition in 0..PARTITIONS {
        let stamps = scene.texts(&format!("select stamp from log where p = {partition} order by n, at")).await;
        assert_eq!(stamps.len() as u64, count, "partition {partition}");
        let changes: Vec<(usize, &String)> =
            stamps.iter().enumerate().filter(|(n, it)| *n == 0 || stamps[n - 1] != **it).collect();
        assert_eq!(changes.len(), SWAPS + 1, "partition {partition}: {changes:?}");
        let told = versions(&files[0], partition).await;
        let from: Vec<i64> = changes.iter().map(|(n, _)| i64::try_from(*n).unwrap()).collect();
        assert_eq!(told.iter().map(|(from, _)| *from).collect::<Vec<_>>(), from, "partition {partition}");
        assert_eq!(told.iter().step_by(2).map(|(_, digest)| digest).collect::<BTreeSet<_>>().len(), 1);
        assert_ne!(told[0].1, told[1].1);
    }
    let numbers = scene.text("select count(distinct (p, n))::text from log").await;
    assert_eq!(numbers, (count * 6).to_string(), "each once");
    let pauses = async |which: &str| {
        let sql = format!(
            "select string_agg(format('p%s %s ms', (q * 100)::int, (extract(epoch from gap) * 1000)::int), ', ') \
            from (select q, percentile_disc(q) within group (order by gap) as gap from (values (0.5), (0.99)) as qs (q), \
            (select p, n, stamp, lag(stamp) over w as before, at - lag(at) over w as gap from log \
            window w as (partition by p order by n)) it where {which} group by q) them"
        );
        scene.text(&sql).await
    };
    println!(
        "{SWAPS} swaps over {count} records a partition; pauses {}; between other batches {}; MiB of both: {resident:?}",
        pauses("stamp <> before").await,
        pauses("stamp = before and gap > '2 ms'").await
    );
    assert!(resident[SWAPS - 1] < resident[1] + margin, "what was replaced is gone: {resident:?}");
    assert_eq!(scene.letters().await.len(), 0);
    for process in &processes {
        process.stop(Duration::from_secs(25)).await;
    }
}

async fn swap_to(manifest: &Manifest, stamp: &str, file: &ManifestFile) -> String {
    with(manifest, stamp, "").rewrite(file);
    reloaded(file).await
}

fn owned(status: &Value) -> usize {
    forebay_tests::forebay::partitions_of(status).filter(|partition| partition["state"] != "starting").count()
}

/// Returns from which offsets on which digests wrote a partition, as `position show` says.
async fn versions(file: &ManifestFile, partition: i32) -> Vec<(i64, String)> {
    let binding = std::fs::read_to_string(&file.path).unwrap();
    let binding =
        binding.lines().find_map(|line| line.strip_prefix("topic = \"")?.strip_suffix('"')).unwrap().to_owned();
    let number = partition.to_string();
    let args = ["position", "show", &binding, file.arg(), "--partition", &number, "--output", "json"];
    let output = Forebay::run_once(&args, &[]).await;
    assert!(output.status.success(), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let versions = shown["partitions"][0]["versions"].as_array().unwrap_or_else(|| panic!("no versions: {shown}"));
    versions.iter().map(|it| (it["from"].as_i64().unwrap(), it["digest"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_loaded_is_refused_and_what_ran_goes_on() {
    let scene = Scene::shared("hot_swap_refused", LOG).await;
    let manifest = with(&scene.manifest(&[("log", "")]), "v0", "");
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    scene.put_each([row(0, 0)]).await;
    scene.until_at_end(&forebay).await;
    let before = forebay.status().await["bindings"][0]["digest"].clone();

    manifest.clone().plugin("scripted", Plugin::new(place::component("not-a-component"))).rewrite(&file);
    refused(&file, 65, &["not-a-component"]).await;
    manifest.clone().plugin("scripted", Plugin::new(place::component("traps-init"))).rewrite(&file);
    refused(&file, 65, &["init"]).await;
    manifest.clone().plugin("scripted", Plugin::new(PathBuf::from("gone.wasm"))).rewrite(&file);
    refused(&file, 78, &["gone.wasm"]).await;
    manifest.clone().set("batch", "{ max-record = 3 }").rewrite(&file);
    refused(&file, 78, &["max-record"]).await;
    manifest.clone().target("none", "{ sink = \"warehouse\", table = \"public.none\" }").rewrite(&file);
    refused(&file, 78, &["public.none"]).await;
    manifest.clone().kafka_key("name", "\"another\"").rewrite(&file);
    refused(&file, 78, &["[kafka] is read once, at the start; restart the process to change it"]).await;

    scene.put_each([row(0, 1)]).await;
    scene.until_at_end(&forebay).await;
    assert_eq!(forebay.status().await["bindings"][0]["digest"], before);
    assert_eq!(scene.texts("select stamp from log").await, ["v0", "v0"]);
    manifest.rewrite(&file);
    assert_eq!(reloaded(&file).await, "nothing is different\n");
    // Somebody edits a copy: the process that answers there has read its own file again.
    let copy = manifest.folder().join("copy.toml");
    std::fs::copy(&file.path, &copy).unwrap();
    let output = Forebay::run_once(&["reload", copy.to_str().unwrap()], &[]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("runs another manifest") && said.contains(file.arg()), "{said}");
    forebay.stop(Duration::from_secs(25)).await;
    refused(&file, 69, &["no process answers", "start `forebay run`"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_records_all_fail_halts_and_the_old_one_takes_them() {
    let scene = Scene::shared("hot_swap_broken", LOG).await;
    let manifest = scene.manifest(&[("log", "")]).set("batch", "{ max-records = 500, linger = \"200ms\" }");
    let file = with(&manifest, "v0", "").write();
    let forebay = Forebay::start(&file, &[]);
    scene.put_each((0..100).map(|n| row(0, n))).await;
    scene.until_at_end(&forebay).await;

    with(&manifest, "v1", ", broken = true").rewrite(&file);
    forebay.sighup();
    forebay.until(MINUTE, "the broken version", |status| status["plugins"][0]["digest"] != json!(null)).await;
    let digest = |status: &Value| status["bindings"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let first = versions(&file, 0).await[0].1.clone();
    forebay.until(MINUTE, "the broken version", |status| digest(status) != first).await;
    scene.put_each((100..200).map(|n| row(0, n))).await;
    scene.until_halted(&forebay, &["a version that is broken", "fail alike"]).await;
    assert_eq!(scene.letters().await.len(), 0);

    with(&manifest, "v0", "").rewrite(&file);
    assert!(reloaded(&file).await.contains("plugin `scripted`"));
    // At once: nobody waits for a probe.
    scene.until_at_end_within(Duration::from_secs(15), &forebay).await;
    assert_eq!(scene.text("select count(*)::text from log where stamp = 'v0'").await, "200");
    assert_eq!(scene.letters().await.len(), 0);
    assert_eq!(versions(&file, 0).await.len(), 1, "the broken one wrote nothing");
    scene.rest(&forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_and_bindings_come_and_go() {
    let scene = Scene::shared("hot_swap_bindings", LOG).await;
    let other = Scene::shared("hot_swap_other", "create table log (n int)").await;
    let manifest = with(&scene.manifest(&[("log", "")]), "v0", "");
    let file = manifest.write();
    let forebay = Forebay::start_with(&file, &["--watch"], &[]);
    scene.put_each((0..10).map(|n| row(0, n))).await;
    scene.until_at_end(&forebay).await;

    let batch = manifest.clone().set("batch", "{ max-records = 1 }");
    batch.rewrite(&file);
    let is_taken = async || forebay.log().contains("other settings");
    wait::until_or_dump(MINUTE, "the edited manifest to be taken", is_taken, || forebay.tail()).await;
    let batches = async || forebay.metrics().await.sum("forebay_batch_records_count", &[]);
    let before = batches().await;
    scene.put_each((10..60).map(|n| row(0, n))).await;
    scene.until_at_end(&forebay).await;
    assert_eq!(batches().await - before, 50.0, "a batch for each");

    let skipping = forebay_tests::manifest::Binding::new(&other.names, "scripted")
        .target("log", "{ sink = \"warehouse\", table = \"public.log\" }");
    batch.clone().binding(skipping).rewrite(&file);
    let said = reload(&file).await;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("is new") || said.contains("nothing is different"), "{said}");
    let names = |status: &Value| {
        let bindings = status["bindings"].as_array().into_iter().flatten();
        bindings.map(|binding| binding["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    forebay.until(MINUTE, "two bindings", |status| names(status).len() == 2).await;
    other.put_each([row(7, 1)]).await;
    let has_come = async || scene.text("select count(*)::text from log where p = 7").await == "1";
    wait::until_or_dump(MINUTE, "the new binding's row", has_come, || forebay.tail()).await;

    batch.rewrite(&file);
    forebay.until(MINUTE, "one binding", |status| names(status).len() == 1 && owned(status) == 1).await;
    scene.put_each([row(0, 60)]).await;
    let has_come = async || scene.text("select count(*)::text from log where p = 0").await == "61";
    wait::until_or_dump(MINUTE, "the other goes on", has_come, || forebay.tail()).await;
    forebay.stop(Duration::from_secs(25)).await;
}
