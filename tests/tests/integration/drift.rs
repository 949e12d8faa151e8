//! What drifts away under load while the runtime works: a column, a right, a partition of a table, the handler. The binding
//! halts and names it, another binding of the same process flows on all the while, and after the cure everything is exact.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, Plugin};
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::{oracle, place, reader, wait};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::scene::{MINUTE, Scene, effect, table};

const PARTITIONS: i32 = 6;
const CALM_PARTITIONS: i32 = 2;
/// Rows that are written over and over; each always by one partition.
const KEYS: i32 = 60;
/// Between two rounds of the producer: one record for each partition.
const ROUND: Duration = Duration::from_millis(20);
/// How long a drift stays: past a halted partition's first probe.
const HELD: Duration = Duration::from_secs(33);
/// When the next probe must have come, and a little for a test machine.
const RESUMED: Duration = Duration::from_secs(35);

const SCHEMA: &str = "
create table log (n int not null);
create table calm (n int not null);
create table t (id int primary key, a int, b text);
create table events (n int not null, at timestamptz not null) partition by range (at);
create table events_then partition of events for values from ('1970-01-01') to ('1970-01-02');
create table orders (
    order_id text primary key, customer_id text, amount numeric, quantity int, status text, updated_at timestamptz);";

/// Two bindings of one process, and a producer that keeps both busy.
struct Drift<'a> {
    scene: Scene<'a>,
    calm: Names,
    /// What the record of that number says.
    record: fn(i32) -> Value,
    sent: AtomicI32,
    calm_sent: AtomicI32,
    is_over: AtomicBool,
}

impl Drift<'_> {
    async fn new(base: &str, record: fn(i32) -> Value) -> Drift<'static> {
        let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
        let scene = Scene::new((kafka, postgres), base, PARTITIONS, SCHEMA).await;
        let calm = Names::new(&format!("{base}_calm"));
        kafka.create_topic(&calm.topic, CALM_PARTITIONS, &[]).await;
        kafka.create_topic(&calm.dead_letters, 1, &[]).await;
        let (sent, calm_sent, is_over) = (AtomicI32::new(0), AtomicI32::new(0), AtomicBool::new(false));
        Drift { scene, calm, record, sent, calm_sent, is_over }
    }

    /// Adds the binding that must not be disturbed.
    fn with_calm(&self, manifest: Manifest) -> Manifest {
        let calm = Binding::new(&self.calm, "scripted");
        manifest
            .plugin("scripted", Plugin::new(place::component("scripted")))
            .binding(calm)
            .target("calm", &table("calm", ""))
    }

    /// Produces until it is over.
    async fn load(&self) {
        let producer = &self.scene.producer;
        while !self.is_over.load(Ordering::Relaxed) {
            for partition in 0..PARTITIONS {
                let value = (self.record)(self.sent.fetch_add(1, Ordering::Relaxed)).to_string();
                producer.send(&self.scene.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
            }
            for partition in 0..CALM_PARTITIONS {
                let n = self.calm_sent.fetch_add(1, Ordering::Relaxed);
                let value = json!({ "effects": [effect("insert", "calm", json!({ "n": n }))] }).to_string();
                producer.send(&self.calm.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
            }
            sleep(ROUND).await;
        }
    }

    async fn positions(&self, topic: &str) -> BTreeMap<i32, i64> {
        let all = self.scene.positions().await.into_iter();
        all.filter(|((own, _), _)| own == topic).map(|((_, partition), position)| (partition, position)).collect()
    }

    /// Waits until each of a topic's partitions is at least `by` records further than `before`; returns where they are.
    async fn until_moved(
        &self,
        (topic, before): (&str, &BTreeMap<i32, i64>),
        (by, deadline): (i64, Duration),
        forebay: &Forebay,
    ) -> BTreeMap<i32, i64> {
        let count = if topic == self.calm.topic { CALM_PARTITIONS } else { PARTITIONS };
        let find = async || {
            let now = self.positions(topic).await;
            let has_moved =
                |partition| now.get(&partition) >= Some(&(before.get(&partition).copied().unwrap_or_default() + by));
            (0..count).all(has_moved).then_some(now)
        };
        let what = format!("all partitions of `{topic}` to move by {by} from {before:?}");
        wait::some_or_dump(deadline, &what, find, || forebay.tail()).await
    }

    /// Both bindings work.
    async fn until_flowing(&self, forebay: &Forebay) {
        for topic in [&self.scene.names.topic, &self.calm.topic] {
            let before = self.positions(topic).await;
            self.until_moved((topic, &before), (20, MINUTE), forebay).await;
        }
    }

    /// Waits until every partition of the drifting binding is halted and says all of `words`; returns what one says.
    async fn until_halted(&self, forebay: &Forebay, words: &[&str]) -> String {
        let what = format!("every partition to be halted with {words:?}");
        let mut said = String::new();
        let is_halted = |status: &Value| {
            let own = self.whys(status);
            said = own.first().map(|(_, why)| why.clone()).unwrap_or_default();
            let says = |why: &str| words.iter().all(|word| why.contains(word));
            own.len() == PARTITIONS as usize && own.iter().all(|(state, why)| state == "halted" && says(why))
        };
        forebay.until(MINUTE, &what, is_halted).await;
        said
    }

    /// State and sentence of the drifting binding's partitions.
    fn whys(&self, status: &Value) -> Vec<(String, String)> {
        let bindings = status["bindings"].as_array().into_iter().flatten();
        let own = bindings.filter(|binding| binding["name"] == self.scene.names.topic.as_str());
        let partitions = own.flat_map(|binding| binding["partitions"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        partitions.map(|partition| (text(&partition["state"]), text(&partition["why"]))).collect()
    }

    /// For `time` the one binding stands where it is and the other moves on; returns where the one stands.
    async fn stands_while_calm_flows(&self, time: Duration, forebay: &Forebay) -> BTreeMap<i32, i64> {
        let (start, stands) = (Instant::now(), self.positions(&self.scene.names.topic).await);
        let mut calm = self.positions(&self.calm.topic).await;
        let mut moves = 0;
        while start.elapsed() < time {
            let second = Duration::from_secs(5);
            calm = self.until_moved((&self.calm.topic, &calm), (10, second), forebay).await;
            assert_eq!(self.positions(&self.scene.names.topic).await, stands, "a halted partition moved");
            moves += 1;
        }
        assert!(moves >= 10, "the other binding moved {moves} times only in {time:?}");
        assert!(self.letters().await.is_empty(), "dead letters during the halt: {:?}", self.letters().await);
        assert!(!forebay.ready().await, "a halted partition is not ready");
        stands
    }

    /// Class, code and origin of all dead letters of both bindings.
    async fn letters(&self) -> Vec<(String, String, (String, i32, i64))> {
        let mut letters = Vec::new();
        for topic in [&self.scene.names.dead_letters, &self.calm.dead_letters] {
            letters.extend(reader::read_all(self.scene.kafka, topic).await.into_iter().map(oracle::DeadLetter::read));
        }
        letters.into_iter().map(|letter| (letter.class, letter.code, letter.origin)).collect()
    }

    /// Waits until both are at their ends, stops, and looks that nothing is left, lost, doubled or dead.
    async fn assert_done(&self, forebay: &Forebay) {
        self.scene.producer.flush().await;
        for topic in [&self.scene.names.topic, &self.calm.topic] {
            let ends: BTreeMap<i32, i64> =
                oracle::log_ends(self.scene.kafka, topic).into_iter().map(|((_, part), end)| (part, end)).collect();
            let is_done = async || self.positions(topic).await == ends;
            wait::until_or_dump(MINUTE, &format!("`{topic}` to be done"), is_done, || forebay.tail()).await;
        }
        self.scene.rest(forebay).await;
        let client = self.scene.postgres.connect(&self.scene.names.database).await;
        oracle::assert_at_rest(self.scene.kafka, &client, &self.calm.group, &[&self.calm.topic]).await;
        assert_eq!(self.letters().await, []);
        self.assert_each_once("calm", self.calm_sent.load(Ordering::Relaxed)).await;
    }

    async fn assert_each_once(&self, table: &str, count: i32) {
        let sql = format!("select count(*) || ' ' || count(distinct n) || ' ' || max(n) from {table}");
        assert_eq!(self.scene.text(&sql).await, format!("{count} {count} {}", count - 1), "{table}");
    }
}

fn row(n: i32) -> Value {
    json!({ "effects": [
        effect("insert", "log", json!({ "n": n })),
        effect("upsert", "t", json!({ "id": n % KEYS, "a": n, "b": null })),
        effect("insert", "events", json!({ "n": n, "at": { "micros": n } })),
    ] })
}

/// What somebody does to the tables, and what is said of it.
struct Damage {
    name: &'static str,
    words: &'static [&'static str],
    /// What is named for as long as it lasts.
    object: &'static [&'static str],
    /// `ROLE` stands for the runtime's role.
    breaks: &'static str,
    mends: &'static str,
}

const DAMAGES: [Damage; 4] = [
    Damage {
        name: "column",
        words: &["schema: ", "42703"],
        object: &["\"a\"", "\"t\""],
        breaks: "alter table t drop column a",
        mends: "alter table t add column a int",
    },
    Damage {
        name: "not_null",
        words: &["schema: ", "23502"],
        object: &["\"b\"", "\"t\""],
        breaks: "lock table t; update t set b = ''; alter table t alter b set not null",
        mends: "alter table t alter b drop not null",
    },
    Damage {
        name: "right",
        words: &["permission: ", "42501"],
        object: &["table t"],
        breaks: "revoke insert on t from ROLE",
        mends: "grant insert on t to ROLE",
    },
    Damage {
        name: "partition",
        words: &["schema: ", "create the partition"],
        object: &["\"events\""],
        breaks: "alter table events detach partition events_then",
        mends: "alter table events attach partition events_then for values from ('1970-01-01') to ('1970-01-02')",
    },
];

async fn halts_alone(damage: &Damage) {
    let drift = Drift::new(&format!("drift_{}", damage.name), row).await;
    let scene = &drift.scene;
    let role = scene.names.database.clone();
    scene.execute(&format!("create role {role} login; grant create on database {role} to {role}")).await;
    scene.execute(&format!("grant select, insert, update on log, calm, t, events to {role}")).await;
    let targets = [("log", ""), ("t", "key = [\"id\"]"), ("events", "")];
    let manifest = scene.manifest(&targets).warehouse(&scene.postgres.url_as(&role, &role));
    let file = drift.with_calm(manifest).write();
    let forebay = Forebay::start(&file, &[]);
    let steps = async {
        drift.until_flowing(&forebay).await;
        scene.execute(&damage.breaks.replace("ROLE", &role)).await;
        let broken = Instant::now();
        let said = drift.until_halted(&forebay, &[damage.words, damage.object].concat()).await;
        println!("{}: halted after {:?}: {said}", damage.name, broken.elapsed());
        let stands = drift.stands_while_calm_flows(HELD, &forebay).await;
        let said = drift.until_halted(&forebay, damage.object).await;
        println!("{}: still halted: {said}", damage.name);
        scene.execute(&damage.mends.replace("ROLE", &role)).await;
        let mended = Instant::now();
        drift.until_moved((&scene.names.topic, &stands), (1, RESUMED), &forebay).await;
        println!("{}: all partitions go on {:?} after the cure", damage.name, mended.elapsed());
        drift.until_flowing(&forebay).await;
        drift.is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(drift.load(), steps);
    drift.assert_done(&forebay).await;
    let sent = drift.sent.load(Ordering::Relaxed);
    drift.assert_each_once("log", sent).await;
    drift.assert_each_once("events", sent).await;
    let last = format!("select count(*)::text from t where a = (select max(n) from log where n % {KEYS} = id)");
    assert_eq!(scene.text(&last).await, KEYS.to_string(), "{}: each row is its last record's", damage.name);
}

/// All of them at once: each waits for probes.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_drifts_halts_its_binding_alone_and_loses_nothing() {
    let [column, not_null, right, partition] = &DAMAGES;
    tokio::join!(halts_alone(column), halts_alone(not_null), halts_alone(right), halts_alone(partition));
}

/// An order for the one handler, and a trap for the other.
fn order(n: i32) -> Value {
    let id = format!("o{n}");
    json!({ "order_id": id, "customer_id": "c", "amount": "1.50", "quantity": n, "status": "new", "updated_at": n,
        "trap": "no customer" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_traps_on_everything_halts_its_binding_alone_and_loses_nothing() {
    let drift = Drift::new("drift_handler", order).await;
    let scene = &drift.scene;
    let manifest = |component: &str| {
        let manifest = Manifest::new(scene.kafka)
            .warehouse(&scene.postgres.url(&scene.names.database))
            .plugin("drifting", Plugin::new(place::component(component)))
            .binding(Binding::new(&scene.names, "drifting"))
            .set("batch", "{ linger = \"500ms\" }")
            .target("orders", &table("orders", "key = [\"order_id\"]"));
        drift.with_calm(manifest).write()
    };
    let (right, wrong) = (manifest("order"), manifest("scripted"));
    let steps = async {
        let forebay = Forebay::start(&right, &[]);
        drift.until_flowing(&forebay).await;
        forebay.stop(Duration::from_secs(25)).await;
        // A trickle may lose its first ones: there is a batch for each partition.
        let stands = drift.positions(&scene.names.topic).await;
        let has_batch = async || {
            let ends = oracle::log_ends(scene.kafka, &scene.names.topic);
            ends.into_iter().all(|((_, partition), end)| end >= stands[&partition] + 60)
        };
        wait::until(MINUTE, "a batch to wait in each partition", has_batch).await;
        let forebay = Forebay::start(&wrong, &[]);
        let words = ["plugin: ", "fail alike", "trap", "unreachable", "no customer"];
        let said = drift.until_halted(&forebay, &words).await;
        println!("handler: {said}");
        assert_eq!(drift.stands_while_calm_flows(HELD, &forebay).await, stands);
        drift.until_halted(&forebay, &words).await;
        forebay.stop(Duration::from_secs(25)).await;
        let forebay = Forebay::start(&right, &[]);
        drift.until_moved((&scene.names.topic, &stands), (1, RESUMED), &forebay).await;
        drift.until_flowing(&forebay).await;
        drift.is_over.store(true, Ordering::Relaxed);
        forebay
    };
    let ((), forebay) = tokio::join!(drift.load(), steps);
    drift.assert_done(&forebay).await;
    let sent = drift.sent.load(Ordering::Relaxed);
    let orders = "select count(*) || ' ' || count(distinct quantity) || ' ' || max(quantity) from orders";
    assert_eq!(scene.text(orders).await, format!("{sent} {sent} {}", sent - 1));
}
