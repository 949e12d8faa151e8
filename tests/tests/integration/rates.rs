//! A rate that no second breaks: with a backlog, with two processes, while one of them is killed and replaced, and after a reload.

use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, ManifestFile, Plugin, quoted};
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::{place, wait};

use crate::flow::{self, Load, assert_rows, between, clock, owned, row, sized, until_rows};
use crate::scene::{MINUTE, Scene, table, until_state};

const PARTITIONS: i32 = 6;
/// How old the first record of the backlog is.
const AGE: Duration = Duration::from_secs(6 * 3_600);
const STOP: Duration = Duration::from_secs(25);

async fn scene(base: &str, partitions: i32) -> Scene<'static> {
    let servers = (Kafka::shared().await, Postgres::shared().await);
    Scene::new(servers, base, partitions, &flow::log("orders")).await
}

/// What a killed process held is given to others after three seconds.
fn with_rate(scene: &Scene<'_>, rate: &str) -> Manifest {
    let manifest = scene.manifest(&[("orders", "")]).property("session.timeout.ms", "3000");
    manifest.property("heartbeat.interval.ms", "300").set("rate", rate)
}

/// Produces orders whose timestamps are spread evenly over the hours before now.
async fn produce(scene: &Scene<'_>, count: u64) {
    let now = (clock() * 1e3) as i64;
    let age = i64::try_from(AGE.as_millis()).unwrap();
    for n in 0..count {
        let partition = i32::try_from(n).unwrap() % PARTITIONS;
        let (key, value) = (format!("o-{n}"), row("orders", partition, n));
        let timestamp = now - age + i64::try_from(n).unwrap() * age / i64::try_from(count).unwrap();
        let record = (Some(key.as_bytes()), Some(value.as_bytes()));
        scene.producer.send_at(Some(timestamp), &scene.names.topic, partition, record, &[]);
    }
    scene.producer.flush().await;
}

/// Waits until each of two processes is at work on half of the partitions; returns when that was.
async fn until_halves(processes: [&Forebay; 2]) -> f64 {
    for process in processes {
        process.until(MINUTE, "half of the partitions", |status| owned(status) == PARTITIONS as usize / 2).await;
    }
    clock()
}

/// Returns the most rows of any second, wherever it is cut, the first one that has so many, and how many there are in all.
async fn fullest_second(scene: &Scene<'_>) -> (u64, String) {
    let sql = "select rows || ' ' || at from (select at, count(*) over (order by at range between current row and \
        '999999 microseconds' following) as rows from orders) seconds order by rows desc, at limit 1";
    let found = scene.text(sql).await;
    let (rows, at) = found.split_once(' ').unwrap();
    (rows.parse().unwrap(), at.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_of_a_backlog_breaks_the_rate_while_a_process_is_killed_and_replaced() {
    let count = sized(360_000, 36_000);
    let scene = scene("rates", PARTITIONS).await;
    produce(&scene, count).await;
    let manifest = with_rate(&scene, "{ max = \"1000/s\" }");
    let files = [manifest.write(), manifest.write(), manifest.write()];
    let (first, second) = (Forebay::start(&files[0], &[]), Forebay::start(&files[1], &[]));
    let both = until_halves([&first, &second]).await;
    until_rows(&scene, "orders", count / 3, Duration::from_millis(count) + MINUTE, &first).await;
    first.kill9();
    let killed = clock();
    let third = Forebay::start(&files[2], &[]);
    let replaced = until_halves([&second, &third]).await;
    scene.until_at_end_within(Duration::from_millis(count) + MINUTE, &second).await;
    third.stop(STOP).await;
    scene.rest(&second).await;

    assert_rows(&scene, "orders", count).await;
    assert_eq!(scene.letter_codes().await, []);
    // Until then no partition is at its end: each process has enough to do.
    let sql = "select min(last)::text from (select extract(epoch from max(at)) as last from orders group by p) ends";
    let first_end: f64 = scene.text(sql).await.parse().unwrap();
    let (most, at) = fullest_second(&scene).await;
    println!("{count} orders; the fullest second has {most} rows, from {at}");
    for (name, from, to) in [("before the kill", both, killed), ("after it", replaced, first_end)] {
        let average = between(&scene, "orders", from, to).await / (to - from);
        println!("two processes {name}: {average:.0}/s over {:.1} s", to - from);
        assert!(to - from > sized(60.0, 5.0), "{name}: too short to say anything");
        // Pacing saves nothing up, so a machine that is busy with other tests costs some of it.
        assert!(average >= 600.0, "{name}: two processes together keep to the rate, and use it: {average}/s");
    }
    println!("one process alone: {:.1} s", replaced - killed);
    assert!(most <= 1_050, "{most} rows in the second from {at}");
}

/// Returns each process's share of the rate, as its metric says.
async fn shares(processes: &[Forebay]) -> Vec<f64> {
    let mut shares = Vec::new();
    for process in processes {
        shares.push(process.metrics().await.sum("forebay_rate_limit_records_per_second", &[]));
    }
    shares
}

/// Waits for a quarter of so many rows, in which the rate before may still be felt, then for all of them, and returns how many
/// that were in a second.
async fn average(scene: &Scene<'_>, rows: u64, running: &Forebay) -> f64 {
    let before: u64 = scene.text("select count(*)::text from orders").await.parse().unwrap();
    until_rows(scene, "orders", before + rows / 4, MINUTE, running).await;
    let from = clock();
    until_rows(scene, "orders", before + rows / 4 + rows, MINUTE, running).await;
    let to = clock();
    between(scene, "orders", from, to).await / (to - from)
}

async fn reload(manifest: &Manifest, files: &[ManifestFile]) {
    for file in files {
        manifest.rewrite(file);
        let output = Forebay::run_once(&["reload", file.arg()], &[]).await;
        assert!(output.status.success(), "{output:?}");
    }
}

/// Five partitions, so that the shares of two processes are not alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_each_processs_or_shared_by_partitions_and_a_reload_changes_it() {
    let scene = scene("rates_scope", 5).await;
    Load::new(&scene, &scene.names.topic, 5, 0).backlog(|partition, n| row("orders", partition, n), 30_000).await;
    let manifest = with_rate(&scene, "{ max = \"400/s\", scope = \"process\" }");
    let files = [manifest.write(), manifest.write()];
    let processes = files.each_ref().map(|file| Forebay::start(file, &[]));
    for process in &processes {
        process.until(MINUTE, "a partition", |status| owned(status) > 0).await;
    }
    let at_work = async || {
        let all = [owned(&processes[0].status().await), owned(&processes[1].status().await)];
        (all == [2, 3] || all == [3, 2]).then_some(all)
    };
    let all = wait::some_or_dump(MINUTE, "both to share the partitions", at_work, || processes[0].tail()).await;
    let started = processes[0].status().await["started_at"].clone();

    let why = until_state(&processes[0], "waiting", &["rate", "400"]).await;
    println!("{why}");
    assert!(why.starts_with("rate: "), "{why}");
    assert_eq!(shares(&processes).await, [400.0, 400.0]);
    let each = average(&scene, 3_200, &processes[0]).await;

    reload(&manifest.clone().set("rate", "{ max = \"600/s\" }"), &files).await;
    let wanted: Vec<f64> = all.iter().map(|own| *own as f64 * 120.0).collect();
    assert_eq!(shares(&processes).await, wanted, "two fifths and three fifths");
    let together = average(&scene, 2_400, &processes[0]).await;

    reload(&manifest.clone().set("rate", "{ max = \"1200/s\" }"), &files).await;
    let faster = average(&scene, 4_800, &processes[0]).await;
    println!("400/s for each of two: {each:.0}/s; 600/s for both: {together:.0}/s; 1200/s for both: {faster:.0}/s");
    for (found, wanted) in [(each, 800.0), (together, 600.0), (faster, 1_200.0)] {
        // Less on a busy machine, where transactions take long: what is under way counts as well. It is still told apart.
        assert!((0.7 * wanted..=1.05 * wanted).contains(&found), "{found}/s, not about {wanted}/s");
    }
    reload(&manifest.clone().set("rate", "{ max = \"1000000/s\" }"), &files).await;
    let start = Instant::now();
    scene.until_at_end(&processes[0]).await;
    println!("the rest, as fast as it goes, in {:?}", start.elapsed());
    assert_eq!(processes[0].status().await["started_at"], started, "it is the same process");
    processes[1].stop(STOP).await;
    scene.rest(&processes[0]).await;
    assert_rows(&scene, "orders", 30_000).await;
    assert_eq!(scene.letter_codes().await, []);
}

/// Two topics of one partition each, for two processes: each owns one partition, and none of the other topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_shared_by_the_partitions_of_all_topics_also_of_those_that_a_process_has_none_of() {
    let scene = scene("rates_topics", 1).await;
    let other = Names::new("rates_topics_other");
    scene.kafka.create_topic(&other.topic, 1, &[]).await;
    for topic in [&scene.names.topic, &other.topic] {
        Load::new(&scene, topic, 1, 0).backlog(|partition, n| row("orders", partition, n), 2_000).await;
    }
    let names = &scene.names;
    let binding = format!(
        "[[bindings]]\nname = \"both\"\ntopics = [{}, {}]\ngroup = {}\nplugin = \"scripted\"\n\
         dead-letter = {{ topic = {} }}\nrate = {{ max = \"500/s\" }}\n[bindings.targets]\norders = {}",
        quoted(&names.topic),
        quoted(&other.topic),
        quoted(&names.group),
        quoted(&names.dead_letters),
        table("orders", "")
    );
    let manifest = Manifest::new(scene.kafka)
        .warehouse(&scene.postgres.url(&names.database))
        .plugin("scripted", Plugin::new(place::component("scripted")))
        .extra(&binding);
    let files = [manifest.write(), manifest.write()];
    let processes = files.each_ref().map(|file| Forebay::start(file, &[]));
    for process in &processes {
        process.until(MINUTE, "one partition", |status| partitions_of(status).count() == 1).await;
    }
    let are_shares = async || shares(&processes).await == [250.0, 250.0];
    wait::until_or_dump(MINUTE, "each process to have half of the rate", are_shares, || processes[0].tail()).await;
    until_rows(&scene, "orders", 4_000, MINUTE, &processes[0]).await;
    for process in &processes {
        process.stop(STOP).await;
    }
}
