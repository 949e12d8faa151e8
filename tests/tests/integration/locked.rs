//! A table that somebody has locked stops the binding that writes it, and no other one of its sink.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Binding;
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::postgres::Postgres;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::flow::{self, Load, assert_rows, clock, of_binding, per_second, row, sized, until_rows, until_written};
use crate::scene::{MINUTE, Scene, table};

const PARTITIONS: i32 = 6;
/// Records a second for each binding.
const LOAD: u64 = 300;
/// How often a person looks.
const LOOK: Duration = Duration::from_millis(100);
/// How soon what was held up is written.
const RECOVERED: Duration = Duration::from_secs(10);

/// What was seen while the table was locked.
#[derive(Default)]
struct Seen {
    looks: usize,
    breakers: BTreeSet<String>,
    /// Partitions of the binding that is held up which said that they wait for the database.
    waiting: BTreeSet<i64>,
    why: String,
    /// The most that the other binding was behind, in messages.
    lag: i64,
    /// What else than at work its partitions were.
    others: BTreeSet<String>,
}

/// The lock and what followed.
struct Fault {
    /// From when to when.
    when: (f64, f64),
    seen: Seen,
    /// How long the rest took.
    took: Duration,
    /// Tries in vain of both bindings.
    tries: [f64; 2],
}

impl Seen {
    fn look(&mut self, status: &Value, (held, free): (&str, &str)) {
        self.looks += 1;
        self.breakers.insert(status["sinks"][0]["breaker"].as_str().unwrap().to_owned());
        for partition in of_binding(status, held).filter(|partition| partition["state"] == "waiting") {
            let why = partition["why"].as_str().unwrap();
            assert!(why.starts_with("database: ") && why.contains("55P03"), "{why}");
            self.waiting.insert(partition["partition"].as_i64().unwrap());
            self.why = why.to_owned();
        }
        self.lag = self.lag.max(of_binding(status, free).map(|one| one["lag_messages"].as_i64().unwrap()).sum());
        let states = of_binding(status, free).map(|one| one["state"].as_str().unwrap().to_owned());
        self.others.extend(states.filter(|state| state != "running" && state != "idle"));
    }
}

/// Locks the table for so long, and looks all the while; returns when that was.
async fn lock(scene: &Scene<'_>, forebay: &Forebay, names: (&str, &str)) -> ((f64, f64), Seen) {
    let mut session = scene.postgres.connect(&scene.names.database).await;
    let lock = session.transaction().await.unwrap();
    lock.batch_execute("lock table held in access exclusive mode").await.unwrap();
    let (from, start, mut looks) = (clock(), Instant::now(), tokio::time::interval(LOOK));
    let mut seen = Seen::default();
    while start.elapsed() < Duration::from_secs(sized(20, 8)) {
        looks.tick().await;
        seen.look(&forebay.status().await, names);
    }
    let to = clock();
    lock.rollback().await.unwrap();
    ((from, to), seen)
}

/// Both bindings under load, and one table locked in the middle.
async fn under_load(scene: &Scene<'_>, (held, free): (&str, &str), forebay: &Forebay) -> (Fault, [u64; 2]) {
    let stop = watch::Sender::new(false);
    let fault = async {
        for name in ["held", "free"] {
            until_rows(scene, name, 2 * LOAD, MINUTE, forebay).await;
        }
        let (when, seen) = lock(scene, forebay, (held, free)).await;
        let took = until_written(scene, held, RECOVERED, forebay).await;
        let metrics = forebay.metrics().await;
        stop.send_replace(true);
        let tries = [held, free].map(|binding| metrics.sum("forebay_retries_total", &[("binding", binding)]));
        Fault { when, seen, took, tries }
    };
    let loads = [held, free].map(|topic| Load::new(scene, topic, PARTITIONS, LOAD));
    let (of_held, of_free, fault) = tokio::join!(
        loads[0].run(|partition, n| row("held", partition, n), &stop),
        loads[1].run(|partition, n| row("free", partition, n), &stop),
        fault
    );
    (fault, [of_held, of_free])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_stops_its_own_binding_and_no_other_of_the_sink() {
    let schema = flow::log("held") + &flow::log("free");
    let servers = (Kafka::shared().await, Postgres::shared().await);
    let scene = Scene::new(servers, "locked", PARTITIONS, &schema).await;
    let other = Names::new("locked_free");
    scene.kafka.create_topic(&other.topic, PARTITIONS, &[]).await;
    scene.kafka.create_topic(&other.dead_letters, 1, &[]).await;
    let manifest = scene.manifest(&[("held", "")]).binding(Binding::new(&other, "scripted"));
    let manifest = manifest.target("free", &table("free", ""));
    let manifest = manifest.sink_key("pool-size", "3").sink_key("timeouts", "{ lock = \"1s\" }");
    let (held, free) = (scene.names.topic.as_str(), other.topic.as_str());
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);

    let (fault, counts) = under_load(&scene, (held, free), &forebay).await;
    fault.assert_one_stops(&scene, &forebay).await;
    scene.producer.flush().await;
    for (topic, table, count) in [(held, "held", counts[0]), (free, "free", counts[1])] {
        until_written(&scene, topic, MINUTE, &forebay).await;
        assert_rows(&scene, table, count).await;
    }
    forebay.stop(Duration::from_secs(25)).await;
    for letters in [&scene.names.dead_letters, &other.dead_letters] {
        assert_eq!(oracle::dead_letters(scene.kafka, letters).await, []);
    }
}

impl Fault {
    async fn assert_one_stops(&self, scene: &Scene<'_>, forebay: &Forebay) {
        let (Seen { looks, breakers, waiting, why, lag, others }, [of_held, of_free]) = (&self.seen, self.tries);
        let (from, seconds) = (self.when.0, self.when.1 - self.when.0);
        let held = per_second(scene, "held", from, seconds as u64).await;
        let free = per_second(scene, "free", from, seconds as u64).await;
        println!("locked for {seconds:.1} s, {looks} looks: partitions {waiting:?} waited: {why}");
        println!("rows of the other table by second: {free:?}; at most {lag} messages behind");
        println!("{of_held} tries in vain; all of it written {:?} after the lock was gone", self.took);
        assert_eq!(*breakers, ["closed".to_owned()].into());
        assert!(!forebay.log().contains("the breaker opens"), "nor between two looks\n{}", forebay.tail());
        assert_eq!(waiting.len(), PARTITIONS as usize, "all partitions of the locked table say that they wait");
        assert_eq!(*others, BTreeSet::new(), "what else than at work the partitions of the other table were");
        assert_eq!(held.iter().sum::<u64>(), 0, "rows of the locked table");
        // A machine that is busy with other tests may miss a second; one that waits for the lock misses all of them.
        let (all, wanted) = (free.iter().sum::<u64>(), LOAD * free.len() as u64 / 2);
        assert!(all > wanted, "of {LOAD}/s that come in, these are written: {free:?}");
        assert!(*lag < 3 * LOAD as i64, "{lag} messages behind: more than those of three seconds");
        assert!(of_held >= 4.0, "only {of_held} tries in vain");
        assert_eq!(of_free, 0.0, "tries in vain of the other binding");
    }
}
