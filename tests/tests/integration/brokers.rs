//! A broker under fire, and logs that are not as smooth as usual: killed, frozen and shut down under load, every codec,
//! holes, aborted transactions, damaged batches, and partitions that are added.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::{oracle, reader, wait};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use serde_json::{Value, json};

use crate::orders::Orders;
use crate::scene::{MINUTE, PROBE, Scene, effect};

const STOP: Duration = Duration::from_secs(25);

/// Makes every transaction last a while, so that the load lasts on any machine.
const DAWDLE: &str = "
create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.02); return null; end $$;
create trigger dawdle after insert on order_audit for each statement execute function dawdle()";

/// How far the load is ahead of the runtime, about.
const AHEAD: i64 = 8_000;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// A record of a MiB less 4 KiB is noise, and enough of one letter that packing it is worth it: the client leaves a batch
/// that does not shrink as it is.
const FILLER: usize = 8 * 1024;
const NOISE: usize = (1024 - 4) * 1024 - FILLER;
/// Bytes of a batch before its records.
const HEAD: usize = 61;

async fn position(postgres: &Postgres, names: &Names) -> i64 {
    let Ok(client) = postgres.try_connect(&names.database).await else { return 0 };
    // Before the first start there is no ledger.
    let row = client.query_one("select coalesce(sum(next_offset), 0)::bigint from forebay.ledger", &[]).await;
    row.map_or(0, |row| row.get(0))
}

/// Produces that many orders, never far ahead: whatever happens meanwhile, happens under load.
async fn load(orders: &mut Orders<'_>, count: u32) {
    let (postgres, names) = (orders.postgres, orders.names.clone());
    for produced in (2_500..=count).step_by(2_500) {
        orders.produce(2_500).await;
        let is_near = async || position(postgres, &names).await > i64::from(produced) - AHEAD;
        wait::until(3 * MINUTE, "the runtime to follow", is_near).await;
    }
}

/// Orders of a broker that is nobody else's, and the runtime that reads them.
async fn start<'a>(kafka: &'a Kafka, postgres: &'a Postgres, base: &str) -> (Orders<'a>, ManifestFile, Forebay) {
    let orders = Orders::new(kafka, postgres, base).await;
    postgres.execute(&orders.names.database, DAWDLE).await;
    let file = orders.manifest().set("batch", "{ max-records = 100 }").write();
    let forebay = Forebay::start(&file, &[]);
    (orders, file, forebay)
}

/// Waits until everything is applied, stops the runtime, and looks at everything.
async fn finish(orders: &Orders<'_>, forebay: &Forebay) {
    orders.until_at_end(2 * MINUTE, forebay).await;
    assert!(forebay.exit().is_none(), "the same process went through all of it");
    wait::until_or_dump(MINUTE, "it to be ready", async || forebay.ready().await, || forebay.tail()).await;
    forebay.stop(STOP).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_twice_under_load_costs_nothing_but_time() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::shared().await);
    let (mut orders, _file, forebay) = start(&kafka, postgres, "broker_killed").await;
    let names = orders.names.clone();
    let strikes = async {
        for moment in [15_000, 35_000] {
            let is_busy = async || position(postgres, &names).await > moment;
            wait::until_or_dump(MINUTE, "it to be busy", is_busy, || forebay.tail()).await;
            kafka.kill();
            let says_so = |status: &Value| {
                status["bindings"][0]["why"].as_str().is_some_and(|why| why.contains("no broker answers"))
            };
            forebay.until(MINUTE, "it to say that the brokers are away", says_so).await;
            let position = position(postgres, &names).await;
            assert!(position < 55_000, "killed under load: {position} of 60000");
            kafka.restart().await;
        }
    };
    tokio::join!(load(&mut orders, 60_000), strikes);
    finish(&orders, &forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_frozen_for_a_minute_under_load_is_waited_for() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::shared().await);
    let (mut orders, _file, forebay) = start(&kafka, postgres, "broker_frozen").await;
    let names = orders.names.clone();
    // How often it said to be ready, although its partitions are lost; one look takes 25 ms.
    let mut blind = 0;
    let strike = async {
        let is_busy = async || position(postgres, &names).await > 10_000;
        wait::until_or_dump(MINUTE, "it to be busy", is_busy, || forebay.tail()).await;
        kafka.stop_process();
        let frozen = Instant::now();
        let is_over = async || {
            let status = forebay.status().await;
            blind += i32::from(status["ready"] == true && partitions_of(&status).next().is_none());
            frozen.elapsed() >= MINUTE
        };
        wait::until(2 * MINUTE, "the minute to pass", is_over).await;
        let position = position(postgres, &names).await;
        assert!(position < 25_000, "frozen under load: {position} of 30000");
        assert_eq!(forebay.get("/livez").await.unwrap().status, 200, "a broker that is silent is no reason to die");
        kafka.cont_process();
    };
    tokio::join!(load(&mut orders, 30_000), strike);
    finish(&orders, &forebay).await;
    assert!(blind < 40, "ready without a partition while no broker answers: in {blind} looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_shut_down_and_started_again_while_nothing_happens_is_noticed_and_no_more() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::shared().await);
    let (mut orders, _file, forebay) = start(&kafka, postgres, "broker_restarted").await;
    for _ in 0..2 {
        orders.produce(2_000).await;
        orders.until_at_end(MINUTE, &forebay).await;
        forebay.until_caught_up(MINUTE, 6).await;
        kafka.shut_down().await;
        wait::until_or_dump(MINUTE, "it to notice", async || !forebay.ready().await, || forebay.tail()).await;
        kafka.restart().await;
    }
    orders.produce(2_000).await;
    finish(&orders, &forebay).await;
}

/// A batch as it lies in a segment's file.
#[derive(Debug)]
struct Batch {
    bytes: Range<usize>,
    /// 0 to 4: none, gzip, snappy, lz4, zstd.
    codec: u8,
    is_transactional: bool,
    records: i32,
}

/// Reads the heads of a segment's batches: offset (8 bytes), length (4), epoch (4), magic (1), checksum (4), attributes (2),
/// and further on the number of records.
fn batches(log: &[u8]) -> Vec<Batch> {
    let number = |at: usize| i32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    let mut at = 0;
    while at + HEAD <= log.len() {
        let end = at + 12 + usize::try_from(number(at + 8)).unwrap();
        let attributes = log[at + 22];
        let (codec, is_transactional) = (attributes & 7, attributes & 16 != 0);
        found.push(Batch { bytes: at..end, codec, is_transactional, records: number(at + 57) });
        at = end;
    }
    found
}

/// Hands over records of a number each, by the library's own producer: the harness's transactional one has its codec.
struct Coded<'a> {
    client: ThreadedProducer<DefaultProducerContext>,
    topic: &'a str,
    random: u64,
}

impl<'a> Coded<'a> {
    fn new(kafka: &Kafka, topic: &'a str, codec: &str) -> Self {
        let mut config = kafka.client_config();
        config.set("compression.type", codec).set("transactional.id", format!("{topic}-{codec}"));
        config.set("message.max.bytes", "1500000").set("linger.ms", "20");
        let client: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        client.init_transactions(MINUTE).unwrap();
        Self { client, topic, random: 42 }
    }

    /// One transaction: a large record among the small ones.
    fn transact(&mut self, records: &[(String, i32)], commits: bool) {
        self.client.begin_transaction().unwrap();
        for (index, (key, n)) in records.iter().enumerate() {
            let (noise, filler) = if index == 3 { (NOISE, FILLER) } else { (100, 0) };
            let (noise, filler) = (self.noise(noise), "x".repeat(filler));
            let effects = [effect("insert", "log", json!({ "n": n }))];
            let value = json!({ "effects": effects, "filler": filler }).to_string();
            let header = Header { key: "noise", value: Some(&noise) };
            let record = BaseRecord::to(self.topic).key(key).payload(&value).partition(0);
            let record = record.headers(OwnedHeaders::new().insert(header));
            self.client.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.client.flush(MINUTE).unwrap();
        if commits {
            self.client.commit_transaction(MINUTE).unwrap();
        } else {
            self.client.abort_transaction(MINUTE).unwrap();
        }
    }

    /// Bytes that no codec makes fewer.
    fn noise(&mut self, length: usize) -> Vec<u8> {
        let byte = |random: &mut u64| {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*random >> 56) as u8
        };
        (0..length).map(|_| byte(&mut self.random)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_with_aborted_transactions_and_compacted_holes_gives_exactly_what_is_visible() {
    let servers = (Kafka::shared().await, Postgres::shared().await);
    let mut scene = Scene::new(servers, "broker_codecs", 1, "create table log (n int)").await;
    scene.names.topic.push_str(".compacted");
    let config = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "1500000"),
        ("segment.bytes", "2097152"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    scene.kafka.create_topic(&scene.names.topic, 1, &config).await;
    let topic = scene.names.topic.clone();
    let mut coded = CODECS.map(|codec| Coded::new(scene.kafka, &topic, codec));
    let mut visible = BTreeSet::new();
    let mut last = BTreeMap::new();
    let mut numbers = 0..;
    // Seven keys again and again, so that the cleaner has something to do.
    for round in 0..3 {
        for coded in &mut coded {
            let mut some = |count| -> Vec<(String, i32)> {
                numbers.by_ref().take(count).map(|n| (format!("k{}", n % 7), n)).collect()
            };
            coded.transact(&some(9), round == 1);
            let committed = some(25);
            coded.transact(&committed, true);
            last.extend(committed);
        }
    }
    let holes = async || {
        // A segment is closed by a record that comes after its time.
        let n = numbers.next().unwrap();
        coded[0].transact(&[(format!("tick-{n}"), n)], true);
        visible.insert(n);
        let records = reader::read_all(scene.kafka, &topic).await;
        records.len() == visible.len() + last.len()
    };
    wait::until(MINUTE, "the cleaner to leave one record for each key", holes).await;
    visible.extend(last.values());
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    scene.until_at_end(&forebay).await;
    // And everything once more while it is read; every key is its own, so that nothing goes.
    for round in 0..4 {
        for coded in &mut coded {
            let some: Vec<(String, i32)> = numbers.by_ref().take(30).map(|n| (format!("n-{n}"), n)).collect();
            coded.transact(&some, round % 2 == 0);
            visible.extend(some.iter().map(|(_, n)| *n).filter(|_| round % 2 == 0));
        }
    }
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    let applied: Vec<i32> =
        scene.texts("select n::text from log order by log.n").await.iter().map(|n| n.parse().unwrap()).collect();
    assert_eq!(applied, visible.into_iter().collect::<Vec<_>>());
    assert_eq!(scene.letter_codes().await, []);
    // A segment may be cleaned away while the folder is read.
    let logs = scene.kafka.segments(&topic, 0).into_iter().filter_map(|path| fs::read(path).ok());
    let found: BTreeSet<u8> = logs
        .flat_map(|log| batches(&log))
        .filter(|batch| batch.is_transactional && batch.bytes.len() > NOISE)
        .map(|batch| batch.codec)
        .collect();
    assert_eq!(found, BTreeSet::from([0, 1, 2, 3, 4]), "codecs of the large transactional batches in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_its_checksum_halts_its_partition_and_is_passed_by_hand() {
    let kafka = Kafka::start().await;
    let servers = (&kafka, Postgres::shared().await);
    let scene = Scene::new(servers, "broker_damaged", 2, "create table log (p int, n int)").await;
    let producer = Producer::with(&kafka, &[("compression.type", "none"), ("linger.ms", "100")]);
    let put = |partition: i32, n: i32| {
        let value = json!({ "effects": [effect("insert", "log", json!({ "p": partition, "n": n }))] }).to_string();
        producer.send(&scene.names.topic, partition, Some(b"k"), Some(value.as_bytes()), &[]);
    };
    for batch in 0..3 {
        for n in batch * 10..(batch + 1) * 10 {
            put(0, n);
            put(1, n);
        }
        producer.flush().await;
    }
    // After an orderly end the log is not looked through at the start.
    kafka.shut_down().await;
    let segment = kafka.segments(&scene.names.topic, 0).remove(0);
    let mut log = fs::read(&segment).unwrap();
    let found = batches(&log);
    assert_eq!(found.iter().map(|batch| batch.records).collect::<Vec<_>>(), [10, 10, 10], "{found:?}");
    let middle = (found[1].bytes.start + HEAD + found[1].bytes.end) / 2;
    log[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&segment, log).unwrap();
    kafka.restart().await;
    let file = scene.manifest(&[("log", "")]).write();
    let forebay = Forebay::start(&file, &[]);
    let words = ["position: ", "damaged", "offset 10"];
    scene.until_halted(&forebay, &words).await;
    let applied = async |partition: i32| {
        let texts = scene.texts(&format!("select n::text from log where p = {partition} order by log.n")).await;
        texts.iter().map(|n| n.parse().unwrap()).collect::<Vec<i32>>()
    };
    (30..40).for_each(|n| put(1, n));
    producer.flush().await;
    let goes_on = async || applied(1).await.len() == 40;
    wait::until_or_dump(MINUTE, "the other partition to go on", goes_on, || forebay.tail()).await;
    // What lies before the damage is as good as ever; whoever passes the damaged batch by hand must not lose it.
    let is_applied = async || applied(0).await == (0..10).collect::<Vec<_>>();
    wait::until_or_dump(PROBE, "the batch before the damaged one to be applied", is_applied, || forebay.tail()).await;
    scene.until_halted(&forebay, &words).await;
    assert_eq!(scene.positions().await[&(scene.names.topic.clone(), 0)], 10);
    assert_eq!(scene.letter_codes().await, [], "what can not be read is nobody's dead letter");
    // The way out as the sentence has it, with the offset behind the batch.
    let path = file.path.display().to_string();
    let partition = ["--topic", scene.names.topic.as_str(), "--partition", "0", "--to", "20", "--manifest", &path];
    let set = [&["position", "set", scene.names.topic.as_str()][..], &partition].concat();
    assert!(Forebay::run_once(&set, &[]).await.status.success());
    scene.until_at_end_within(PROBE, &forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(applied(0).await, (0..10).chain(20..30).collect::<Vec<_>>());
    assert_eq!(applied(1).await, (0..40).collect::<Vec<_>>());
    assert_eq!(scene.letter_codes().await, []);
    assert!(
        forebay.log().contains("a batch in the log is damaged"),
        "what a person must mend stands in the log as well"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_added_under_load_are_read_from_their_first_record_on() {
    let servers = (Kafka::shared().await, Postgres::shared().await);
    let mut scene = Scene::new(servers, "broker_widened", 2, "create table log (n int)").await;
    let manifest = scene.manifest(&[("log", "")]).set("start", "\"latest\"").set("batch", "{ max-records = 50 }");
    let file = manifest.write();
    let forebay = Forebay::start(&file, &[]);
    forebay.until_caught_up(MINUTE, 2).await;
    let owned = async || partitions_of(&forebay.status().await).count();
    let (mut produced, mut early, mut since) = (0, 0, 0);
    // Ten rounds with two partitions, and with five until ten rounds after it has found them.
    for round in 0.. {
        let partitions = if round < 10 { 2 } else { 5 };
        if round == 10 {
            scene.kafka.add_partitions(&scene.names.topic, 5).await;
            // The old one learns of them late.
            scene.producer = Producer::new(scene.kafka);
        }
        for n in produced..produced + 100 {
            scene.put(n % partitions, &[effect("insert", "log", json!({ "n": n }))]);
        }
        produced += 100;
        scene.producer.flush().await;
        let owned = owned().await;
        early += i32::from(partitions == 5 && owned == 2);
        since += i32::from(owned == 5);
        let is_near = async || {
            let old = scene.positions().await.into_iter().filter(|((_, partition), _)| *partition < 2);
            let ends = oracle::log_ends(scene.kafka, &scene.names.topic);
            old.map(|(at, position)| ends[&at] - position).sum::<i64>() < 1_000
        };
        wait::until_or_dump(MINUTE, "the runtime to follow", is_near, || forebay.tail()).await;
        if since == 10 {
            break;
        }
    }
    assert!(early > 0, "records were in the new partitions before they were found");
    forebay.until_caught_up(MINUTE, 5).await;
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    let counts = scene.text("select count(*) || ' ' || count(distinct n) from log").await;
    assert_eq!(counts, format!("{produced} {produced}"));
    assert_eq!(scene.letter_codes().await, []);
}
