//! Records that trap, spin, hog or break the contract among good ones: each ends alone, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Manifest, Plugin};
use forebay_tests::metrics::Metrics;
use forebay_tests::names::Names;
use forebay_tests::oracle::{self, DeadLetter};
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::record::Header;
use forebay_tests::{place, reader, wait};

use crate::letters::{self, Expected};

const RECORDS: usize = 20_000;
const PARTITIONS: usize = 4;
const LETTER_PARTITIONS: i32 = 3;
const KEYS: usize = 500;

const SCHEMA: &str = "
    create table log (
        id bigint not null check (id >= 0),
        small smallint, word varchar(8), day date, truth boolean, text text, must text not null default ''
    );
    create table latest (key text primary key, id bigint not null, amount numeric(10, 2));";

/// What the effects of a poisonous record are, behind good ones that must not be applied.
struct Poison {
    name: &'static str,
    /// The whole script, or with a leading `+` one more effect.
    script: &'static str,
    class: &'static str,
    code: &'static str,
    /// A part of the message.
    says: &'static str,
}

const fn poison(
    name: &'static str,
    script: &'static str,
    class: &'static str,
    code: &'static str,
    says: &'static str,
) -> Poison {
    Poison { name, script, class, code, says }
}

const POISONS: [Poison; 24] = [
    poison("not JSON", "{\"effects\":[{", "rejected", "malformed", ""),
    poison(
        "reject",
        r#"{"reject":{"code":"credit","message":"no more credit"}}"#,
        "rejected",
        "credit",
        "no more credit",
    ),
    poison("trap", r#"{"trap":true}"#, "trap", "unreachable", "scripted trap"),
    poison("words", r#"{"trap":"the order has no customer"}"#, "trap", "unreachable", "the order has no customer"),
    poison("unreachable", r#"{"unreachable":true}"#, "trap", "unreachable", ""),
    poison("spin", r#"{"spin":true}"#, "cpu", "cpu-limit", "limits.cpu"),
    poison("hog", r#"{"hog":true}"#, "memory", "memory-limit", "limits.memory"),
    poison("recurse", r#"{"recurse":true}"#, "trap", "stack-overflow", ""),
    poison("huge", r#"{"huge":17,"target":"log"}"#, "contract", "output-too-large", "16 MiB"),
    poison("alias", r#"{"alias":3000,"target":"log"}"#, "contract", "output-too-large", "16 MiB"),
    poison("many", r#"{"many":10001,"target":"log"}"#, "contract", "too-many-effects", "10001"),
    poison("target", r#"+{"op":"insert","target":"lag","columns":{"id":1}}"#, "contract", "unknown-target", "lag"),
    poison(
        "column",
        r#"+{"op":"insert","target":"log","columns":{"id":1,"wrod":"x"}}"#,
        "contract",
        "unknown-column",
        "wrod",
    ),
    poison(
        "NUL",
        r#"+{"op":"insert","target":"log","columns":{"id":1,"text":"a\u0000b"}}"#,
        "contract",
        "nul-byte",
        "NUL",
    ),
    poison(
        "range",
        r#"+{"op":"insert","target":"log","columns":{"id":1,"small":40000}}"#,
        "contract",
        "range",
        "smallint",
    ),
    poison("type", r#"+{"op":"insert","target":"log","columns":{"id":true}}"#, "contract", "type", "bigint"),
    poison(
        "length",
        r#"+{"op":"insert","target":"log","columns":{"id":1,"word":"nine char"}}"#,
        "contract",
        "length",
        "8",
    ),
    poison("null", r#"+{"op":"insert","target":"log","columns":{"id":1,"must":null}}"#, "contract", "null", "must"),
    poison("key", r#"+{"op":"upsert","target":"latest","columns":{"id":1}}"#, "contract", "missing-key", "key"),
    poison(
        "delete",
        r#"+{"op":"delete","target":"latest","columns":{"key":"k","id":1}}"#,
        "contract",
        "extra-columns",
        "",
    ),
    poison(
        "reserved",
        r#"+{"op":"publish","target":"out","headers":[["forebay.id","x"]]}"#,
        "contract",
        "reserved-header",
        "forebay.id",
    ),
    poison("check", r#"+{"op":"insert","target":"log","columns":{"id":-1}}"#, "data", "23514", ""),
    poison("syntax", r#"+{"op":"insert","target":"log","columns":{"id":1,"day":"tomorrowish"}}"#, "data", "22007", ""),
    poison(
        "missing row",
        r#"+{"op":"update","target":"latest","columns":{"key":"nobody","id":1}}"#,
        "data",
        "missing-row",
        "",
    ),
];

/// What becomes of the record of that number.
#[derive(Clone, Copy)]
enum Fate {
    Applied,
    Skipped,
    Poisoned(&'static Poison),
}

/// One of a hundred is poisonous, never at a regular distance; the very first one is malformed.
fn fate(number: usize) -> Fate {
    let hundred = number / 100;
    match number % 100 {
        0 if number == 0 => Fate::Poisoned(&POISONS[0]),
        within if number > 99 && within == hundred * 37 % 97 => Fate::Poisoned(&POISONS[hundred % POISONS.len()]),
        98 => Fate::Skipped,
        _ => Fate::Applied,
    }
}

fn effects(number: usize) -> String {
    let publish = format!(r#",{{"op":"publish","target":"out","key":"k","value":"{number}"}}"#);
    format!(
        r#"{{"op":"insert","target":"log","columns":{{"id":{number}}}}},{{"op":"upsert","target":"latest","columns":{{"key":"k{}","id":{number}}}}}{}"#,
        number % KEYS,
        if is_published(number) { publish.as_str() } else { "" }
    )
}

/// Every poisonous record would publish as well.
fn is_published(number: usize) -> bool {
    number.is_multiple_of(10) || matches!(fate(number), Fate::Poisoned(_))
}

fn value(number: usize) -> String {
    match fate(number) {
        Fate::Applied => format!(r#"{{"effects":[{}]}}"#, effects(number)),
        Fate::Skipped => r#"{"skip":"test"}"#.to_owned(),
        Fate::Poisoned(poison) => match poison.script.strip_prefix('+') {
            Some(effect) => format!(r#"{{"effects":[{},{effect}]}}"#, effects(number)),
            None => poison.script.to_owned(),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_a_hundred_is_poison_and_ends_alone() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("poison");
    kafka.create_topic(&names.topic, PARTITIONS as i32, &[]).await;
    kafka.create_topic(&names.dead_letters, LETTER_PARTITIONS, &[]).await;
    kafka.create_topic(&names.published, 2, &[]).await;
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, SCHEMA).await;
    let producer = Producer::new(kafka);
    for number in 0..RECORDS {
        let partition = (number % KEYS % PARTITIONS) as i32;
        let headers: Vec<Header> =
            vec![(b"n".to_vec(), Some(number.to_string().into_bytes())), (b"n".to_vec(), None), (vec![0xfe], None)];
        let key = format!("k{}", number % KEYS);
        producer.send(&names.topic, partition, Some(key.as_bytes()), Some(value(number).as_bytes()), &headers);
    }
    let acks = producer.flush().await;
    let limits = "{ cpu = \"20ms\", memory = \"24MiB\" }";
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .plugin("scripted", Plugin::new(place::component("scripted")).set("limits", limits))
        .target("log", "{ sink = \"warehouse\", table = \"public.log\" }")
        .target("latest", "{ sink = \"warehouse\", table = \"public.latest\", key = [\"key\"] }")
        .target("out", &format!("{{ topic = \"{}\" }}", names.published))
        .write();
    let forebay = Forebay::start(&manifest, &[]);
    letters::until_at_end(&forebay, kafka, &names.topic).await;
    let expected = Expected::new(&names, &forebay, LETTER_PARTITIONS).await;
    let metrics = forebay.metrics().await;
    // What was counted against the budget is given back.
    let is_empty = async || forebay.metrics().await.sum("forebay_buffered_bytes", &[]) == 0.0;
    wait::until_or_dump(Duration::from_secs(10), "nothing to be buffered", is_empty, || forebay.tail()).await;
    forebay.stop(Duration::from_secs(25)).await;

    let numbers: BTreeMap<(i32, i64), usize> =
        acks.iter().enumerate().map(|(number, ack)| ((ack.partition, ack.offset), number)).collect();
    let letters = oracle::dead_letters(kafka, &names.dead_letters).await;
    assert_metrics(&metrics, &letters);
    let source = letters::by_offset(kafka, &names.topic).await;
    for letter in &letters {
        let place = (letter.origin.1, letter.origin.2);
        expected.assert_letter(letter, &source[&place]);
        assert_verdict(letter, numbers[&place]);
    }
    let dead_lettered = letters.iter().map(|letter| numbers[&(letter.origin.1, letter.origin.2)]).collect();
    assert_fates(postgres, &names, dead_lettered).await;
    assert_published(kafka, &names).await;
    let client = postgres.connect(&names.database).await;
    oracle::assert_at_rest(kafka, &client, &names.group, &[&names.topic]).await;
}

fn count(is_meant: impl Fn(Fate) -> bool) -> f64 {
    (0..RECORDS).filter(|number| is_meant(fate(*number))).count() as f64
}

fn assert_metrics(metrics: &Metrics, letters: &[DeadLetter]) {
    let records = |state: &str| metrics.sum("forebay_records_total", &[("state", state)]);
    let poisoned = count(|fate| matches!(fate, Fate::Poisoned(_)));
    assert_eq!(poisoned, 200.0, "1 % of the records");
    assert_eq!(records("dead-lettered"), poisoned);
    assert_eq!(records("applied"), count(|fate| matches!(fate, Fate::Applied)));
    assert_eq!(records("skipped"), count(|fate| matches!(fate, Fate::Skipped)));
    let verdicts: BTreeSet<(&str, &str)> = letters.iter().map(|letter| (&*letter.class, &*letter.code)).collect();
    for (class, code) in verdicts {
        let own = letters.iter().filter(|letter| (&*letter.class, &*letter.code) == (class, code)).count();
        let told = metrics.sum("forebay_failures_total", &[("class", class), ("code", code)]);
        assert_eq!(told, own as f64, "{class}/{code}");
    }
}

/// Touching much memory takes time as well: on a slow machine more than the limit.
fn is_hungry(poison: &Poison) -> bool {
    matches!(poison.name, "hog" | "huge" | "many")
}

fn assert_verdict(letter: &DeadLetter, number: usize) {
    let Fate::Poisoned(poison) = fate(number) else { panic!("record {number} is not poisonous: {letter:?}") };
    let message = letter.record.header("__dlq.errors.message").unwrap();
    let verdict = (&*letter.class, &*letter.code);
    if is_hungry(poison) && verdict == ("cpu", "cpu-limit") {
        return assert_eq!(letters::runs(letter), 2, "{} is confirmed alone", poison.name);
    }
    assert_eq!(verdict, (poison.class, poison.code), "record {number} ({}): {message}", poison.name);
    assert!(message.contains(poison.says), "`{}` says nothing of `{}`: {message}", poison.name, poison.says);
    match poison.class {
        "rejected" => assert_eq!(letters::runs(letter), 1, "{}", poison.name),
        "data" => assert!(letters::runs(letter) >= 1),
        _ => assert_eq!(letters::runs(letter), 2, "{} is confirmed alone", poison.name),
    }
}

async fn assert_fates(postgres: &Postgres, names: &Names, dead_lettered: Vec<usize>) {
    let rows = postgres.query(&names.database, "select id from log", &[]).await;
    let fates = oracle::Fates {
        acknowledged: (0..RECORDS).collect(),
        applied: rows.iter().map(|row| usize::try_from(row.get::<_, i64>(0)).unwrap()).collect(),
        dead_lettered,
        skipped: (0..RECORDS).filter(|number| matches!(fate(*number), Fate::Skipped)).collect(),
    };
    fates.assert_exact();
    let mut latest: BTreeMap<String, i64> = BTreeMap::new();
    for number in (0..RECORDS).filter(|number| matches!(fate(*number), Fate::Applied)) {
        latest.insert(format!("k{}", number % KEYS), number as i64);
    }
    let rows = postgres.query(&names.database, "select key, id from latest", &[]).await;
    let found: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(found == latest, "the last good record of each key stands in `latest`");
}

async fn assert_published(kafka: &Kafka, names: &Names) {
    let records = reader::read_all(kafka, &names.published).await;
    let published: Vec<usize> = records.iter().map(|record| record.text().parse().unwrap()).collect();
    let wanted = (0..RECORDS).filter(|number| is_published(*number) && matches!(fate(*number), Fate::Applied));
    assert_eq!(published.len(), wanted.clone().count(), "nothing is published twice without a crash");
    assert!(
        published.into_iter().collect::<BTreeSet<_>>() == wanted.collect(),
        "what good records publish, and no more"
    );
}
