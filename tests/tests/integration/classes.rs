//! Every class and code of failure once, in one topic, among good records: each gets the treatment that is promised for it,
//! its letter is right in every byte and header, and the metrics say the same.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use forebay_tests::forebay::{FAILPOINTS, Forebay};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, Plugin};
use forebay_tests::metrics::Metrics;
use forebay_tests::names::Names;
use forebay_tests::oracle::{self, DeadLetter};
use forebay_tests::place;
use forebay_tests::postgres::Postgres;
use forebay_tests::record::{Header, Record};
use forebay_tests::{reader, wait};
use serde_json::{Value, json};

use crate::letters;
use crate::scene::{MINUTE, Scene, effect, table};

const PARTITIONS: i32 = 3;
const LETTER_PARTITIONS: i32 = 2;
/// What takes the process down, in the last partition, where no other partition reaches.
const CRASH: i64 = 60;
const LAST: i32 = PARTITIONS - 1;

const SCHEMA: &str = "
create table log (n int not null);
create domain positive as int check (value > 0);
create table parent (id int primary key);
create table t (
    id int primary key, small smallint, word varchar(3), must int not null default 1, body text,
    email text unique, amount int check (amount >= 0), p positive, during int4range, note text,
    parent int references parent, exclude using gist (during with &&));
create function complain() returns trigger language plpgsql as $$ begin
    if new.note = 'bad' then raise exception 'no such note'; end if;
    return new;
end $$;
create trigger complain before insert or update on t for each row execute function complain();
insert into t (id, email, during) values (0, 'taken', '[1,9)')";

/// A record, and what must become of it.
struct Case {
    value: Vec<u8>,
    class: &'static str,
    code: &'static str,
    /// A part of the message.
    says: &'static str,
    /// How often it is run.
    runs: u32,
}

fn case(value: &Value, (class, code): (&'static str, &'static str), says: &'static str) -> Case {
    let runs = match class {
        "trap" | "cpu" | "memory" | "contract" => 2,
        "crash" => 3,
        _ => 1,
    };
    Case { value: value.to_string().into_bytes(), class, code, says, runs }
}

/// A case whose last effect is at fault; the good one before it must fall with it.
fn row(op: &str, target: &str, columns: Value, verdict: (&'static str, &'static str), says: &'static str) -> Case {
    let good = effect("insert", "log", json!({ "n": -1 }));
    case(&json!({ "effects": [good, effect(op, target, columns)] }), verdict, says)
}

/// The table of failures, but for `crash`.
fn cases() -> Vec<Case> {
    const CONTRACT: fn(&'static str) -> (&'static str, &'static str) = |code| ("contract", code);
    const DATA: fn(&'static str) -> (&'static str, &'static str) = |code| ("data", code);
    let upsert = |columns: Value, verdict, says| row("upsert", "t", columns, verdict, says);
    let mut cases = vec![
        case(&json!({ "reject": { "code": "credit", "message": "no more" } }), ("rejected", "credit"), "no more"),
        case(&json!({ "trap": "no customer" }), ("trap", "unreachable"), "no customer"),
        case(&json!({ "unreachable": true }), ("trap", "unreachable"), ""),
        case(&json!({ "recurse": true }), ("trap", "stack-overflow"), ""),
        case(&json!({ "spin": true }), ("cpu", "cpu-limit"), "limits.cpu"),
        case(&json!({ "hog": true }), ("memory", "memory-limit"), "limits.memory"),
        row("insert", "lag", json!({ "n": 1 }), CONTRACT("unknown-target"), "lag"),
        upsert(json!({ "id": 1, "wrod": 1 }), CONTRACT("unknown-column"), "wrod"),
        upsert(json!({ "id": true }), CONTRACT("type"), "integer"),
        upsert(json!({ "id": 1, "small": 40_000 }), CONTRACT("range"), "smallint"),
        upsert(json!({ "id": 1, "word": "four" }), CONTRACT("length"), "3"),
        upsert(json!({ "id": 1, "must": null }), CONTRACT("null"), "must"),
        upsert(json!({ "id": 1, "body": "a\0b" }), CONTRACT("nul-byte"), "NUL"),
        upsert(json!({ "body": "x" }), CONTRACT("missing-key"), "id"),
        row("delete", "t", json!({ "id": 1, "body": "x" }), CONTRACT("extra-columns"), ""),
        case(&json!({ "huge": 17, "target": "t" }), CONTRACT("output-too-large"), "16 MiB"),
        case(&json!({ "many": 10_001, "target": "t" }), CONTRACT("too-many-effects"), "10001"),
        upsert(json!({ "id": 1, "email": "taken" }), DATA("23505"), "t_email_key"),
        row("insert", "t", json!({ "id": 0 }), DATA("23505"), "t_pkey"),
        upsert(json!({ "id": 1, "amount": -1 }), DATA("23514"), "t_amount_check"),
        upsert(json!({ "id": 1, "during": "[5,6)" }), DATA("23P01"), "t_during_excl"),
        upsert(json!({ "id": 1, "parent": 404 }), DATA("23503"), "t_parent_fkey"),
        upsert(json!({ "id": 1, "note": "bad" }), DATA("P0001"), "no such note"),
        upsert(json!({ "id": 1, "p": 0 }), DATA("23514"), "positive"),
        row("update", "t", json!({ "id": 404, "body": "x" }), DATA("missing-row"), "not there"),
    ];
    // No JSON: the handler in `scripted` says so, that in `bad-utf8` answers with text that is none.
    for value in ["bad-utf8", "bad-utf8-column"] {
        let value = value.as_bytes().to_vec();
        cases.push(Case { value, class: "rejected", code: "malformed", says: "", runs: 1 });
    }
    cases
}

fn headers() -> Vec<Header> {
    vec![
        (b"own".to_vec(), Some(b"\xff\0".to_vec())),
        (b"own".to_vec(), None),
        (vec![0xfe], Some(Vec::new())),
        (b"forebay.id".to_vec(), Some(b"the sender's".to_vec())),
    ]
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// What a binding's letters must say.
struct Wanted<'a> {
    names: &'a Names,
    binding: &'a str,
    plugin: &'a str,
    digest: String,
    /// When the runtime started and was done.
    span: (i64, i64),
}

impl Wanted<'_> {
    /// The letter is the record, then exactly the promised headers in their order.
    fn assert_letter(&self, letter: &DeadLetter, origin: &Record, case: &Case) {
        let (record, at) = (&letter.record, format!("{}/{}/{}", origin.topic, origin.partition, origin.offset));
        let text = |name: &str| record.header(name).unwrap_or_else(|| panic!("no `{name}` in {letter:?}")).to_owned();
        let (message, failed_at) = (text("__dlq.errors.message"), text("forebay.failed-at"));
        assert_eq!((&*letter.class, &*letter.code), (case.class, case.code), "{at}: {message}");
        assert!(!message.is_empty() && message.contains(case.says), "{at} says nothing of `{}`: {message}", case.says);
        let promised = [
            ("__dlq.errors.topic", origin.topic.clone()),
            ("__dlq.errors.partition", origin.partition.to_string()),
            ("__dlq.errors.offset", origin.offset.to_string()),
            ("__dlq.errors.group", self.names.group.clone()),
            ("__dlq.errors.delivery.count", case.runs.to_string()),
            ("__dlq.errors.message", message),
            ("forebay.failure.class", case.class.to_owned()),
            ("forebay.failure.code", case.code.to_owned()),
            ("forebay.binding", self.binding.to_owned()),
            ("forebay.plugin", self.plugin.to_owned()),
            ("forebay.plugin.digest", self.digest.clone()),
            ("forebay.failed-at", failed_at),
            ("forebay.origin.timestamp-ms", origin.timestamp_ms.unwrap().to_string()),
            ("forebay.id", format!("{at}/dlq")),
            ("forebay.redrives", "0".to_owned()),
        ];
        let promised = promised.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.into_bytes())));
        let shown = |headers: &[Header]| -> Vec<String> {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            headers.iter().map(|(name, value)| format!("{}: {:?}", text(name), value.as_deref().map(text))).collect()
        };
        let wanted = [&origin.headers[..], &promised[..]].concat();
        assert!(record.headers == wanted, "{at}: {:#?}\nwanted: {:#?}", shown(&record.headers), shown(&wanted));
        assert!(record.key == origin.key && record.value == origin.value, "{at}: key or value differ");
        assert_eq!(record.partition, origin.partition % LETTER_PARTITIONS, "the partition of {at}'s letter");
        let (timestamp, (start, end)) = (record.timestamp_ms.unwrap(), self.span);
        assert!((start..=end).contains(&timestamp), "{at}: a letter's timestamp is now: {start} {timestamp} {end}");
        assert!(origin.timestamp_ms.unwrap() < start, "{at} is older than its letter");
    }

    /// Every moment of failure is one of this run; returns them.
    async fn assert_moments(&self, scene: &Scene<'_>, letters: &[DeadLetter]) -> Vec<i64> {
        let mut moments = Vec::new();
        for letter in letters {
            let moment = letter.record.header("forebay.failed-at").unwrap();
            assert!(moment.ends_with('Z') && moment.as_bytes()[10] == b'T', "not RFC 3339: {moment}");
            let sql = format!("select floor(extract(epoch from timestamptz '{moment}') * 1000)::int8::text");
            let found: i64 = scene.text(&sql).await.parse().unwrap();
            assert!((self.span.0..=self.span.1).contains(&found), "{moment}");
            moments.push(found);
        }
        moments
    }
}

/// The metrics of a binding say what its letters do, and nothing else.
fn assert_metrics(metrics: &Metrics, binding: &str, letters: &[DeadLetter], (applied, skipped): (usize, usize)) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for letter in letters {
        *counts.entry((&letter.class, &letter.code)).or_default() += 1;
    }
    for ((class, code), count) in counts {
        let told = metrics.sum("forebay_failures_total", &[("binding", binding), ("class", class), ("code", code)]);
        assert_eq!(told, count as f64, "{binding}: {class}/{code}");
    }
    assert_eq!(metrics.sum("forebay_failures_total", &[("binding", binding)]), letters.len() as f64);
    let states = ["applied", "skipped", "dead-lettered"];
    let told = states.map(|state| metrics.sum("forebay_records_total", &[("binding", binding), ("state", state)]));
    assert_eq!(told, [applied as f64, skipped as f64, letters.len() as f64], "{binding}: {states:?}");
    let all = metrics.sum("forebay_records_total", &[("binding", binding)]);
    assert_eq!(all, told.iter().sum::<f64>(), "{binding}: every record is in one of these states");
}

/// The source: three deaths on one record first, then every case between two good records, and one that is skipped.
struct Source {
    good: i32,
    records: usize,
    /// Cases by place.
    cases: BTreeMap<(i32, i64), Case>,
}

fn good(scene: &Scene<'_>, partition: i32, n: i32) {
    scene.put(partition, &[effect("insert", "log", json!({ "n": n })), effect("upsert", "parent", json!({ "id": n }))]);
}

async fn produce_around_the_crash(scene: &Scene<'_>) -> i32 {
    let numbers = 0..i32::try_from(CRASH).unwrap() + 1;
    numbers.clone().filter(|n| i64::from(*n) != CRASH).for_each(|n| good(scene, LAST, n));
    // In its place by its offset; it is a good one but for that.
    let value = json!({ "effects": [effect("insert", "log", json!({ "n": -1 }))] }).to_string();
    scene.producer.send(&scene.names.topic, LAST, Some(b"\xfe\xff"), Some(value.as_bytes()), &headers());
    scene.producer.flush().await;
    numbers.end - 1
}

async fn produce(scene: &Scene<'_>, first: i32) -> Source {
    let (mut good_ones, mut places) = (first, Vec::new());
    let mut put_good = |partition| {
        good(scene, partition, good_ones);
        good_ones += 1;
    };
    for (index, case) in cases().into_iter().enumerate() {
        let partition = i32::try_from(index).unwrap() % PARTITIONS;
        put_good(partition);
        let key: Option<&[u8]> = [Some(&b"\xff\0key"[..]), None, Some(b"")][index / 3 % 3];
        let ticket = scene.producer.send(&scene.names.topic, partition, key, Some(&case.value), &headers());
        places.push((ticket, case));
        put_good(partition);
    }
    scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(br#"{"skip":"test"}"#), &[]);
    let acks = scene.producer.flush().await;
    let cases = places.into_iter().map(|(ticket, case)| ((acks[ticket].partition, acks[ticket].offset), case));
    let mut cases: BTreeMap<(i32, i64), Case> = cases.collect();
    let value = json!({ "effects": [effect("insert", "log", json!({ "n": -1 }))] });
    cases.insert((LAST, CRASH), case(&value, ("crash", "crash"), ""));
    let records = usize::try_from(good_ones).unwrap() + cases.len() + 1;
    Source { good: good_ones, records, cases }
}

/// Both groups are at the end of every partition.
async fn until_done(scene: &Scene<'_>, forebay: &Forebay) {
    let ends: i64 = oracle::log_ends(scene.kafka, &scene.names.topic).into_values().sum();
    let sum = async || scene.text("select coalesce(sum(next_offset), 0)::text from forebay.ledger").await;
    let is_done = async || sum().await == (2 * ends).to_string();
    wait::until_or_dump(2 * MINUTE, "both groups to be at the log's end", is_done, || forebay.tail()).await;
    let is_empty = async || scene.text("select count(*)::text from forebay.outbox").await == "0";
    wait::until_or_dump(MINUTE, "all letters to be sent", is_empty, || forebay.tail()).await;
}

fn manifest(scene: &Scene<'_>) -> Manifest {
    let limits = "{ cpu = \"200ms\", memory = \"24MiB\" }";
    let key = "key = [\"id\"]";
    scene
        .manifest(&[("log", ""), ("parent", key), ("t", key)])
        .plugin("scripted", Plugin::new(place::component("scripted")).set("limits", limits))
        .set("retry", "{ attempts = 3, backoff = \"1s..1s\" }")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_class_and_code_of_failure_gets_exactly_what_is_promised_for_it() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let mut scene = Scene::new((kafka, postgres), "classes", PARTITIONS, SCHEMA).await;
    scene.names.dead_letters = format!("{}.wide", scene.names.dead_letters);
    let other = Names::new("classes_utf8");
    kafka.create_topic(&scene.names.dead_letters, LETTER_PARTITIONS, &[]).await;
    kafka.create_topic(&other.dead_letters, LETTER_PARTITIONS, &[]).await;
    let manifest = manifest(&scene);

    let first = produce_around_the_crash(&scene).await;
    let file = manifest.write();
    for death in 1..=3 {
        Forebay::start(&file, &[(FAILPOINTS, &format!("record-{CRASH}"))]).wait_exit(MINUTE).await;
        assert_eq!(scene.texts("select n::text from log").await, [""; 0], "after death {death}");
        assert_eq!(scene.letters().await, [], "after death {death}");
    }
    let source = produce(&scene, first).await;
    // A topic of one binding is read by another group as well, by a handler that gives back what is no text.
    let names = Names { topic: scene.names.topic.clone(), ..other };
    let binding = Binding::new(&names, "bad-utf8").set("name", "\"utf8\"").target("orders", &table("log", ""));
    let plugin = Plugin::new(place::component("bad-utf8"));
    let file = manifest.plugin("bad-utf8", plugin).binding(binding).write();
    wait::until(MINUTE, "the next millisecond", {
        let now = now_ms();
        async move || now_ms() > now
    })
    .await;
    let start = now_ms();
    let forebay = Forebay::start(&file, &[]);
    until_done(&scene, &forebay).await;
    let (metrics, status) = (forebay.metrics().await, forebay.status().await);
    forebay.stop(MINUTE).await;
    let span = (start, now_ms());
    let digest = |plugin: &str| {
        let plugins = status["plugins"].as_array().unwrap();
        let found = plugins.iter().find(|found| found["name"] == plugin).unwrap_or_else(|| panic!("{status}"));
        found["digest"].as_str().unwrap().to_owned()
    };
    let records = letters::by_offset(kafka, &scene.names.topic).await;
    assert_eq!(records.len(), source.records);

    let wanted = Wanted {
        names: &scene.names,
        binding: &scene.names.topic,
        plugin: "scripted",
        digest: digest("scripted"),
        span,
    };
    let found = letters_of(kafka, &scene.names).await;
    let places: Vec<_> = found.iter().map(place_of).collect();
    assert_eq!(places, source.cases.keys().copied().collect::<Vec<_>>(), "a letter for each case, and for no other");
    for letter in &found {
        wanted.assert_letter(letter, &records[&place_of(letter)], &source.cases[&place_of(letter)]);
    }
    let moments = wanted.assert_moments(&scene, &found).await;
    assert_waited(&found, &moments);
    let good = usize::try_from(source.good).unwrap();
    assert_metrics(&metrics, &scene.names.topic, &found, (good, 1));

    let bad_text: Vec<_> =
        source.cases.iter().filter(|(_, case)| case.value.starts_with(b"bad-utf8")).map(|(place, _)| *place).collect();
    let wanted = Wanted { names: &names, binding: "utf8", plugin: "bad-utf8", digest: digest("bad-utf8"), span };
    let found = letters_of(kafka, &names).await;
    assert_eq!(found.iter().map(place_of).collect::<Vec<_>>(), bad_text);
    for letter in &found {
        let case = Case { value: Vec::new(), class: "contract", code: "not-utf8", says: "UTF-8", runs: 2 };
        wanted.assert_letter(letter, &records[&place_of(letter)], &case);
    }
    wanted.assert_moments(&scene, &found).await;
    assert_metrics(&metrics, "utf8", &found, (source.records - bad_text.len(), 0));

    assert_rows(&scene, good).await;
    let client = postgres.connect(&scene.names.database).await;
    for names in [&scene.names, &names] {
        oracle::assert_at_rest(kafka, &client, &names.group, &[&names.topic]).await;
    }
}

/// The good ones once each, and nothing of any other.
async fn assert_rows(scene: &Scene<'_>, good: usize) {
    let log =
        scene.text("select count(*) || ' ' || count(distinct n) || ' ' || min(n) || ' ' || max(n) from log").await;
    assert_eq!(log, format!("{good} {good} 0 {}", good - 1));
    assert_eq!(scene.text("select count(*)::text from parent").await, good.to_string());
    assert_eq!(scene.texts("select concat_ws(' ', id, email, during) from t").await, ["0 taken [1,9)"]);
}

/// The foreign key has waited twice, each time for half a second at least; what came before it has not.
fn assert_waited(letters: &[DeadLetter], moments: &[i64]) {
    let orphan = letters.iter().position(|letter| letter.code == "23503").unwrap();
    let waited = moments[orphan] - moments[orphan - 1];
    assert!(waited >= 950 && letters[orphan - 1].origin.1 == letters[orphan].origin.1, "waited {waited} ms");
}

/// All of a topic's letters, in the order of their origins, repeats and all.
async fn letters_of(kafka: &Kafka, names: &Names) -> Vec<DeadLetter> {
    let letters = reader::read_all(kafka, &names.dead_letters).await.into_iter().map(DeadLetter::read);
    let mut letters: Vec<DeadLetter> = letters.collect();
    letters.sort_by_key(place_of);
    letters
}

fn place_of(letter: &DeadLetter) -> (i32, i64) {
    (letter.origin.1, letter.origin.2)
}
