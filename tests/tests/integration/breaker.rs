//! A sink that is out of reach under load: one of all its lanes knocks at a time, what needs no sink flows on, and all lanes are
//! back soon after it is.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, ManifestFile, quoted};
use forebay_tests::names::Names;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::proxy::Proxy;
use forebay_tests::{oracle, reader};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::flow::{self, Load, assert_rows, clock, median, per_second, row, sized, until_rows, until_written};
use crate::scene::{MINUTE, Scene};

const PARTITIONS: i32 = 12;
/// Records a second for the binding with the sink, and for the one without.
const LOAD: u64 = 1_200;
const FREE: u64 = 200;
/// The seconds before the sink is away.
const BEFORE: u64 = 5;
/// How often a person looks, and how many looks make a second.
const LOOK: Duration = Duration::from_millis(250);
const SECOND: usize = 4;
/// How soon it goes as fast as before, in seconds.
const RECOVERED: u64 = 10;

/// What was seen while the database was away.
#[derive(Default)]
struct Seen {
    breakers: BTreeSet<String>,
    /// What the metric said, as whole numbers.
    metrics: BTreeSet<i64>,
    /// How many messages the binding without a sink had published at each look.
    published: Vec<f64>,
    /// Connections that were tried, and in how many seconds.
    connections: u64,
    seconds: f64,
}

/// A scene with another binding, which publishes to a topic and has no sink.
struct Both<'a> {
    scene: Scene<'a>,
    free: Names,
    proxy: Proxy,
}

fn breaker(status: &Value) -> &str {
    status["sinks"][0]["breaker"].as_str().expect("the sink has a breaker")
}

/// Returns a record that becomes one message.
fn message(n: u64) -> String {
    json!({ "effects": [{ "op": "publish", "target": "out", "key": "k", "value": n.to_string() }] }).to_string()
}

impl Both<'_> {
    async fn new(postgres: &Postgres) -> Both<'_> {
        let kafka = Kafka::shared().await;
        let scene = Scene::new((kafka, postgres), "breaker", PARTITIONS, &flow::log("orders")).await;
        let free = Names::new("breaker_free");
        for (topic, partitions) in [(&free.topic, 2), (&free.dead_letters, 1), (&free.published, 1)] {
            kafka.create_topic(topic, partitions, &[]).await;
        }
        Both { scene, free, proxy: Proxy::start(postgres.port()) }
    }

    fn manifest(&self) -> ManifestFile {
        let url = self.proxy.url_as("postgres", &self.scene.names.database);
        let out = format!("{{ topic = {} }}", quoted(&self.free.published));
        let manifest = self.scene.manifest(&[("orders", "")]).warehouse(&url);
        manifest.binding(Binding::new(&self.free, "scripted")).target("out", &out).write()
    }

    /// Stops the database for a while, and looks all the while.
    async fn away(&self, forebay: &Forebay) -> Seen {
        let (before, start) = (self.proxy.connections(), Instant::now());
        self.scene.postgres.stop(Stop::Fast).await;
        forebay.until(MINUTE, "the breaker to open", |status| breaker(status) != "closed").await;
        let mut seen = Seen::default();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while start.elapsed() < Duration::from_secs(sized(60, 10)) {
            looks.tick().await;
            seen.breakers.insert(breaker(&forebay.status().await).to_owned());
            let metrics = forebay.metrics().await;
            seen.metrics.insert(metrics.sum("forebay_breaker_state", &[("sink", "warehouse")]) as i64);
            seen.published.push(metrics.sum("forebay_publishes_total", &[("binding", &self.free.topic)]));
        }
        (seen.connections, seen.seconds) = (self.proxy.connections() - before, start.elapsed().as_secs_f64());
        self.scene.postgres.start_again().await;
        seen
    }

    /// Both bindings under load, and the database away in the middle; returns when it went and came, and how much there was.
    async fn under_load(&self, forebay: &Forebay) -> ((f64, f64), Seen, [u64; 2]) {
        let stop = watch::Sender::new(false);
        let fault = async {
            until_rows(&self.scene, "orders", LOAD, MINUTE, forebay).await;
            until_written(&self.scene, &self.scene.names.topic, MINUTE, forebay).await;
            tokio::time::sleep(Duration::from_secs(BEFORE)).await;
            let went = clock();
            let seen = self.away(forebay).await;
            let came = clock();
            tokio::time::sleep(Duration::from_secs(RECOVERED)).await;
            stop.send_replace(true);
            ((went, came), seen)
        };
        let bound = Load::new(&self.scene, &self.scene.names.topic, PARTITIONS, LOAD);
        let free = Load::new(&self.scene, &self.free.topic, 2, FREE);
        let (orders, messages, (when, seen)) = tokio::join!(
            bound.run(|partition, n| row("orders", partition, n), &stop),
            free.run(|_, n| message(n), &stop),
            fault
        );
        (when, seen, [orders, messages])
    }

    async fn assert_recovers(&self, (went, came): (f64, f64)) {
        let before = per_second(&self.scene, "orders", went - BEFORE as f64, BEFORE).await;
        let after = per_second(&self.scene, "orders", came, RECOVERED).await;
        let firsts = "select count(*) || ' of them, after ' || round(max(first) - CAME, 2) || ' s' from \
            (select extract(epoch from min(at)) as first from orders where at >= to_timestamp(CAME) and \
            at < to_timestamp(CAME + 10) group by p) firsts";
        let firsts = self.scene.text(&firsts.replace("CAME", &came.to_string())).await;
        println!("rows by second before: {before:?}, and once it was back: {after:?}; partitions with rows: {firsts}");
        let (usual, best) = (median(before), *after.iter().max().unwrap());
        assert!(usual >= LOAD * 8 / 10, "{usual}/s before: it did not keep up with {LOAD}/s");
        assert!(best >= usual * 8 / 10, "{best}/s at the most within {RECOVERED} s, {usual}/s before");
        assert!(firsts.starts_with(&format!("{PARTITIONS} ")), "partitions with rows: {firsts}");
    }
}

impl Seen {
    fn assert_one_knocks(&self) {
        let steps: Vec<f64> = self.published.windows(SECOND + 1).map(|looks| looks[SECOND] - looks[0]).collect();
        let least = steps.iter().copied().fold(f64::INFINITY, f64::min);
        println!(
            "away for {:.1} s: {} connections tried; breaker {:?}, metric {:?}; at least {least} messages in a second",
            self.seconds, self.connections, self.breakers, self.metrics
        );
        assert!(!self.breakers.contains("closed"), "{:?}", self.breakers);
        assert!(self.metrics.iter().all(|state| [1, 2].contains(state)), "{:?}", self.metrics);
        // One lane alone tries some seven times in ten seconds, and later every four seconds or so; twelve lanes would try as
        // often each. A dozen may have been about to when it went away.
        assert!((1.0..12.0 + self.seconds).contains(&(self.connections as f64)), "{} connections", self.connections);
        assert!(steps.len() > SECOND && least >= FREE as f64 / 2.0, "{FREE}/s come in, and these go out: {steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_twelve_lanes_knocks_at_a_database_that_is_away_and_all_are_back_with_it() {
    let postgres = Postgres::start().await;
    let both = Both::new(&postgres).await;
    let file = both.manifest();
    let forebay = Forebay::start(&file, &[]);
    let (when, seen, [orders, messages]) = both.under_load(&forebay).await;
    both.assert_recovers(when).await;

    let scene = &both.scene;
    scene.producer.flush().await;
    until_written(scene, &scene.names.topic, MINUTE, &forebay).await;
    let ends = oracle::log_ends(scene.kafka, &both.free.topic);
    let is_sent = |status: &Value| {
        let all = flow::of_binding(status, &both.free.topic);
        let committed = all.map(|one| one["committed"].as_i64().unwrap_or_default());
        committed.sum::<i64>() == ends.values().sum::<i64>()
    };
    forebay.until(MINUTE, "the binding without a sink to be at its end", is_sent).await;
    forebay.stop(Duration::from_secs(25)).await;
    assert_rows(scene, "orders", orders).await;
    let published = reader::read_all(scene.kafka, &both.free.published).await;
    let mut numbers: Vec<u64> = published.iter().map(|record| record.text().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers == (0..messages).collect::<Vec<u64>>(), "{} messages of {messages}", numbers.len());
    for letters in [&scene.names.dead_letters, &both.free.dead_letters] {
        assert_eq!(oracle::dead_letters(scene.kafka, letters).await, []);
    }
    seen.assert_one_knocks();
}
