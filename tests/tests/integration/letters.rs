//! Dead letters as a reader sees them: every byte of the record, every header that is promised, and what happens to one
//! that its topic does not take.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, Plugin};
use forebay_tests::names::Names;
use forebay_tests::oracle::{self, DeadLetter};
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::record::{Header, Record};
use forebay_tests::{place, reader};
use serde_json::Value;

use crate::scene::noise;

const STOP: Duration = Duration::from_secs(25);

/// The promised headers, behind the record's own.
const PROMISED: [&str; 15] = [
    "__dlq.errors.topic",
    "__dlq.errors.partition",
    "__dlq.errors.offset",
    "__dlq.errors.group",
    "__dlq.errors.delivery.count",
    "__dlq.errors.message",
    "forebay.failure.class",
    "forebay.failure.code",
    "forebay.binding",
    "forebay.plugin",
    "forebay.plugin.digest",
    "forebay.failed-at",
    "forebay.origin.timestamp-ms",
    "forebay.id",
    "forebay.redrives",
];

/// What all letters of a scenario must say.
pub(crate) struct Expected<'a> {
    pub(crate) names: &'a Names,
    /// The plugin's digest.
    pub(crate) digest: String,
    /// How many partitions the dead-letter topic has.
    pub(crate) partitions: i32,
}

impl<'a> Expected<'a> {
    /// Takes the digest from `/status`.
    pub(crate) async fn new(names: &'a Names, forebay: &Forebay, partitions: i32) -> Self {
        let status = forebay.status().await;
        let digest = status["plugins"][0]["digest"].as_str().expect("a plugin has a digest").to_owned();
        assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
        Self { names, digest, partitions }
    }

    /// Panics unless the letter is the record, byte for byte and first, with exactly the promised headers behind it.
    pub(crate) fn assert_letter(&self, letter: &DeadLetter, origin: &Record) {
        self.assert_headers(letter, origin, &[]);
        assert!(letter.record.value == origin.value, "the value differs: {}", letter.id);
    }

    fn assert_headers(&self, letter: &DeadLetter, origin: &Record, further: &[&str]) {
        let record = &letter.record;
        assert!(record.key == origin.key, "the key differs: {}", letter.id);
        let (own, added) = record.headers.split_at(origin.headers.len().min(record.headers.len()));
        assert!(own == origin.headers, "the record's own headers do not come first and unchanged: {}", letter.id);
        let mut names: Vec<&str> = added.iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
        let mut promised = [&PROMISED[..], further].concat();
        names.sort_unstable();
        promised.sort_unstable();
        assert_eq!(names, promised, "{}", letter.id);
        assert!(added.iter().all(|(_, value)| std::str::from_utf8(value.as_deref().unwrap()).is_ok()));
        let at = format!("{}/{}/{}", origin.topic, origin.partition, origin.offset);
        let timestamp = origin.timestamp_ms.unwrap();
        let says = [
            ("__dlq.errors.topic", origin.topic.clone()),
            ("__dlq.errors.partition", origin.partition.to_string()),
            ("__dlq.errors.offset", origin.offset.to_string()),
            ("__dlq.errors.group", self.names.group.clone()),
            ("forebay.binding", self.names.topic.clone()),
            ("forebay.plugin", "scripted".to_owned()),
            ("forebay.plugin.digest", self.digest.clone()),
            ("forebay.origin.timestamp-ms", timestamp.to_string()),
            ("forebay.id", format!("{at}/dlq")),
            ("forebay.redrives", "0".to_owned()),
        ];
        for (name, value) in says {
            assert_eq!(record.header(name), Some(&*value), "`{name}` of {at}");
        }
        let failed_at = record.header("forebay.failed-at").unwrap();
        assert!(failed_at.len() >= 20 && failed_at.as_bytes()[10] == b'T' && failed_at.ends_with('Z'), "{failed_at}");
        assert!(!record.header("__dlq.errors.message").unwrap().is_empty(), "{at} says nothing");
        assert_eq!(record.partition, origin.partition % self.partitions, "the partition of {at}'s letter");
        assert!(record.timestamp_ms.unwrap() >= timestamp, "a letter's timestamp is the time of its failure");
    }
}

/// Returns a topic's records by partition and offset.
pub(crate) async fn by_offset(kafka: &Kafka, topic: &str) -> BTreeMap<(i32, i64), Record> {
    let records = reader::read_all(kafka, topic).await.into_iter();
    records.map(|record| ((record.partition, record.offset), record)).collect()
}

/// Waits until the position of every partition is the end of its log, as the broker says it.
pub(crate) async fn until_at_end(forebay: &Forebay, kafka: &Kafka, topic: &str) {
    let ends = oracle::log_ends(kafka, topic);
    let at_end = |status: &Value| {
        let place = |partition: &Value| Some((topic.to_owned(), i32::try_from(partition["partition"].as_i64()?).ok()?));
        let positions =
            partitions_of(status).map(|partition| Some((place(partition)?, partition["position"].as_i64()?)));
        positions.collect::<Option<BTreeMap<_, _>>>().is_some_and(|positions| positions == ends)
    };
    forebay.until(Duration::from_secs(120), "every position to be at its log's end", at_end).await;
}

/// Returns the delivery count.
pub(crate) fn runs(letter: &DeadLetter) -> u32 {
    letter.record.header("__dlq.errors.delivery.count").unwrap().parse().unwrap()
}

fn header(name: &[u8], value: Option<&[u8]>) -> Header {
    (name.to_vec(), value.map(<[u8]>::to_vec))
}

/// A scripted value of exactly `bytes` bytes, or as short as it can be.
fn padded(script: &str, bytes: usize) -> Vec<u8> {
    let bare = format!("{{\"pad\":\"\",{script}}}").len();
    format!("{{\"pad\":\"{}\",{script}}}", "p".repeat(bytes.saturating_sub(bare))).into_bytes()
}

type Bytes = Option<Vec<u8>>;

/// Every odd thing that a record may be, and what must become of it: applied, skipped, or a dead letter's code.
fn oddities() -> Vec<(Bytes, Bytes, Vec<Header>, &'static str)> {
    const APPLY: &str = r#""effects":[{"op":"insert","target":"log","columns":{"id":1}}]"#;
    const REJECT: &str = r#""reject":{"code":"bad","message":"no"}"#;
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let thousand: Vec<Header> = (0..1000).map(|n| header(format!("h{}", n % 7).as_bytes(), Some(b"value"))).collect();
    let odd = vec![
        header(b"\xff\xfe", Some(b"name is not UTF-8")),
        header(b"twice", Some(b"\0\xff")),
        header(b"twice", None),
        header(b"empty", Some(b"")),
        // One of the host's own: the sender's stays as it is.
        header(b"forebay.id", Some(b"\xc3")),
    ];
    let mut records = vec![
        (None, None, odd.clone(), "skipped"),
        (some(b"gone"), None, Vec::new(), "applied"),
        (some(b""), None, Vec::new(), "applied"),
        (some(b"\xff\xfe"), None, odd.clone(), "malformed"),
        (None, some(b""), Vec::new(), "malformed"),
        (some(b""), some(b""), odd.clone(), "malformed"),
        (some(b"k"), some(b"\xff\x00\xfe"), thousand.clone(), "malformed"),
        (some(b"k"), Some(vec![b'x'; 1 << 20]), Vec::new(), "malformed"),
        (some(b"k"), Some(vec![b'['; 1 << 20]), Vec::new(), "malformed"),
    ];
    let keys = [None, some(b""), some(b"\xff\xfe\0"), some(b"plain"), Some(vec![b'k'; 10_000])];
    for key in keys {
        for (script, fate) in [(APPLY, "applied"), (REJECT, "bad")] {
            records.push((key.clone(), Some(padded(script, 0)), odd.clone(), fate));
            records.push((key.clone(), Some(padded(script, 1 << 20)), Vec::new(), fate));
            records.push((key.clone(), Some(padded(script, 0)), thousand.clone(), fate));
        }
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bytes() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("bad_bytes");
    let large = [("max.message.bytes", "4194304")];
    kafka.create_topic(&names.topic, 3, &large).await;
    kafka.create_topic(&names.dead_letters, 2, &large).await;
    postgres.create_database(&names.database).await;
    postgres
        .execute(&names.database, "create table log (id bigint not null); create table t (id text primary key)")
        .await;
    let producer = Producer::new(kafka);
    let oddities = oddities();
    for (index, (key, value, headers, _)) in oddities.iter().enumerate() {
        let partition = i32::try_from(index % 3).unwrap();
        producer.send(&names.topic, partition, key.as_deref(), value.as_deref(), headers);
    }
    let acks = producer.flush().await;
    let plugin = Plugin::new(place::component("scripted")).set("config", "{ tombstone-target = \"rows\" }");
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .plugin("scripted", plugin)
        .target("log", "{ sink = \"warehouse\", table = \"public.log\" }")
        .target("rows", "{ sink = \"warehouse\", table = \"public.t\", key = [\"id\"] }")
        .write();
    let forebay = Forebay::start(&manifest, &[]);
    until_at_end(&forebay, kafka, &names.topic).await;
    let expected = Expected::new(&names, &forebay, 2).await;
    let metrics = forebay.metrics().await;
    forebay.stop(STOP).await;

    let source = by_offset(kafka, &names.topic).await;
    let letters = oracle::dead_letters(kafka, &names.dead_letters).await;
    let letters: BTreeMap<(i32, i64), DeadLetter> =
        letters.into_iter().map(|letter| ((letter.origin.1, letter.origin.2), letter)).collect();
    let mut applied = 0;
    for (ack, (_, value, _, fate)) in acks.iter().zip(&oddities) {
        let place = (ack.partition, ack.offset);
        match (*fate, letters.get(&place)) {
            ("applied" | "skipped", None) => applied += i64::from(*fate == "applied" && value.is_some()),
            ("malformed" | "bad", Some(letter)) => {
                assert_eq!((&*letter.class, &*letter.code), ("rejected", *fate));
                assert_eq!(runs(letter), 1, "what a handler says is not asked twice");
                expected.assert_letter(letter, &source[&place]);
            }
            (fate, letter) => panic!("{place:?} should be {fate}, its letter is {:?}", letter.map(|letter| &letter.id)),
        }
    }
    let rows: i64 = postgres.query(&names.database, "select count(*) from log", &[]).await[0].get(0);
    assert_eq!(rows, applied);
    assert_eq!(metrics.sum("forebay_records_total", &[("state", "skipped")]), 1.0);
    assert_eq!(metrics.sum("forebay_records_total", &[]), acks.len() as f64);
    let client = postgres.connect(&names.database).await;
    oracle::assert_at_rest(kafka, &client, &names.group, &[&names.topic]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_too_large_for_its_topic_goes_without_its_value_which_is_kept() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("large_letters");
    kafka.create_topic(&names.topic, 1, &[]).await;
    kafka.create_topic(&names.dead_letters, 1, &[("max.message.bytes", "4000")]).await;
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, "create table log (id bigint not null)").await;
    let producer = Producer::new(kafka);
    let reject = |pad: &str| format!(r#"{{"pad":"{pad}","reject":{{"code":"bad","message":"no"}}}}"#);
    let apply = r#"{"effects":[{"op":"insert","target":"log","columns":{"id":1}}]}"#.to_owned();
    let (small, large) = (reject("small"), reject(&noise(50_000)));
    let wide = vec![header(b"wide", Some(noise(6_000).as_bytes()))];
    let headers = vec![header(b"own", Some(b"\xff"))];
    let sends = [(&small, &headers), (&large, &headers), (&small, &wide), (&apply, &headers), (&small, &headers)];
    for (value, headers) in sends {
        producer.send(&names.topic, 0, Some(b"key"), Some(value.as_bytes()), headers);
    }
    producer.flush().await;
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .target("log", "{ sink = \"warehouse\", table = \"public.log\" }")
        .write();
    for _ in 0..2 {
        // The second run sends nothing again: what is kept is not pending.
        let forebay = Forebay::start(&manifest, &[]);
        until_at_end(&forebay, kafka, &names.topic).await;
        let expected = Expected::new(&names, &forebay, 1).await;
        forebay.stop(STOP).await;
        let source = by_offset(kafka, &names.topic).await;
        let letters = reader::read_all(kafka, &names.dead_letters).await.into_iter().map(DeadLetter::read);
        let letters: BTreeMap<i64, DeadLetter> = letters.map(|letter| (letter.origin.2, letter)).collect();
        // That of offset 2 is too large without a value, too.
        assert_eq!(letters.keys().copied().collect::<Vec<_>>(), [0, 1, 4]);
        expected.assert_letter(&letters[&0], &source[&(0, 0)]);
        expected.assert_letter(&letters[&4], &source[&(0, 4)]);
        expected.assert_headers(&letters[&1], &source[&(0, 1)], &["forebay.value-kept"]);
        assert_eq!(letters[&1].record.value, None);
        let note = letters[&1].record.header("forebay.value-kept").unwrap();
        assert!(note.contains(&large.len().to_string()) && note.contains("forebay.outbox"), "{note}");
        assert_kept(postgres, &names, &[large.as_bytes(), noise(6_000).as_bytes()]).await;
        let client = postgres.connect(&names.database).await;
        oracle::assert_at_rest(kafka, &client, &names.group, &[&names.topic]).await;
    }
    let rows: i64 = postgres.query(&names.database, "select count(*) from log", &[]).await[0].get(0);
    assert_eq!(rows, 1);
}

/// All of `wanted` is in rows that are kept, and nothing is pending.
async fn assert_kept(postgres: &Postgres, names: &Names, wanted: &[&[u8]]) {
    let rows = postgres.query(&names.database, "select state, payload from forebay.outbox", &[]).await;
    let states: BTreeSet<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(states, BTreeSet::from(["kept"]), "states of rows in the outbox");
    for wanted in wanted {
        let holds =
            |row: &tokio_postgres::Row| row.get::<_, &[u8]>(1).windows(wanted.len()).any(|part| part == *wanted);
        assert!(rows.iter().any(holds), "{} bytes are not in the outbox", wanted.len());
    }
}
