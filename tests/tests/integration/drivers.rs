//! Locations of drivers at a steady rate, three partitions hotter than the others and some of them malformed: each driver's row is
//! the last it said, before a stop, and after what came meanwhile was caught up with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::location::{COMPONENT, Location, PARTITIONS, PLUGIN, TARGET, is_probe};
use forebay_tests::manifest::{Binding, Manifest, Plugin};
use forebay_tests::postgres::Postgres;

use crate::flow::{clock, owned, sized, until_written};
use crate::scene::{MINUTE, Scene};

/// Malformed ones, spread over all records.
const MALFORMED: u64 = 47;
/// How often what is due is handed over.
const TICK: Duration = Duration::from_millis(20);

/// With the time at which a row came there: a probe's row is written once.
const TABLE: &str = "create table drivers (driver_id text primary key, lat float8 not null, lon float8 not null,
    at timestamptz not null, written timestamptz not null default clock_timestamp()) with (fillfactor = 50)";

/// The producer, and what each driver said last.
struct Offering<'a> {
    scene: &'a Scene<'a>,
    rate: u64,
    every: u64,
    next: u64,
    malformed: usize,
    last: BTreeMap<String, i64>,
}

impl Offering<'_> {
    async fn run(&mut self, time: Duration) {
        let (start, first, mut ticks) = (Instant::now(), self.next, tokio::time::interval(TICK));
        while start.elapsed() < time {
            ticks.tick().await;
            let due = first + (start.elapsed().as_secs_f64() * self.rate as f64) as u64;
            while self.next < due {
                self.send(self.next);
                self.next += 1;
            }
        }
        self.scene.producer.flush().await;
    }

    fn send(&mut self, number: u64) {
        let at = (clock() * 1e3) as i64;
        let is_malformed = number % self.every == 1 && !is_probe(number) && self.malformed < MALFORMED as usize;
        let location = Location::new(number, at, is_malformed);
        let (key, value) = (location.key.as_bytes(), location.value.as_bytes());
        self.scene.producer.send(&self.scene.names.topic, location.partition, Some(key), Some(value), &[]);
        match is_malformed {
            true => self.malformed += 1,
            false => drop(self.last.insert(location.key, at)),
        }
    }
}

/// The seconds from what a probe's record says to its row, sorted.
async fn staleness(scene: &Scene<'_>) -> Vec<f64> {
    let sql =
        "select extract(epoch from written - at)::text from drivers where driver_id like 'p-%' order by written - at";
    scene.texts(sql).await.iter().map(|seconds| seconds.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_driver_is_where_it_said_last_and_a_stop_is_caught_up_with() {
    let (rate, time, stopped) = sized((50_000, 60, 30), (5_000, 6, 3));
    let partitions = i32::try_from(PARTITIONS).unwrap();
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "drivers", partitions, TABLE).await;
    let (name, target) = TARGET.trim().split_once(" = ").unwrap();
    let (key, config) = PLUGIN.trim().split_once(" = ").unwrap();
    let plugin = Plugin::new(PathBuf::from(COMPONENT)).set(key, config);
    let manifest =
        Manifest::new(scene.kafka).warehouse(&scene.postgres.url(&scene.names.database)).plugin("json", plugin);
    let manifest =
        manifest.binding(Binding::new(&scene.names, "json")).target(name, &target.replace("\"db\"", "\"warehouse\""));
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    forebay.until(MINUTE, "all partitions", |status| owned(status) == PARTITIONS as usize).await;
    let every = rate * time / (MALFORMED + 1);
    let mut offering = Offering { scene: &scene, rate, every, next: 0, malformed: 0, last: BTreeMap::new() };
    offering.run(Duration::from_secs(time)).await;
    until_written(&scene, &scene.names.topic, MINUTE, &forebay).await;
    let stale = staleness(&scene).await;
    println!(
        "{rate}/s for {time} s: p50 {:.3} s, p99 {:.3} s stale",
        stale[stale.len() / 2],
        stale[stale.len() * 99 / 100]
    );

    forebay.stop(Duration::from_secs(25)).await;
    offering.run(Duration::from_secs(stopped)).await;
    let forebay = Forebay::start(&file, &[]);
    let took = until_written(&scene, &scene.names.topic, 2 * MINUTE, &forebay).await;
    println!("stopped for {stopped} s, caught up {:.1} s after it was started", took.as_secs_f64());
    scene.rest(&forebay).await;

    let letters = scene.letters().await;
    assert_eq!((letters.len(), offering.malformed), (MALFORMED as usize, MALFORMED as usize));
    assert!(letters.iter().all(|letter| letter.class == "rejected"), "{:?}", letters.first());
    let sql = "select driver_id || ' ' || (extract(epoch from at) * 1000)::int8 from drivers order by driver_id collate \"C\"";
    let rows = scene.texts(sql).await;
    let wanted: Vec<String> = offering.last.iter().map(|(driver, at)| format!("{driver} {at}")).collect();
    assert_eq!(rows.len(), wanted.len());
    let other = rows.iter().zip(&wanted).find(|(row, wanted)| row != wanted);
    assert_eq!(other, None, "a driver's row and what it said last");
}
