//! `forebay dlq list` and `show` on what a real run left: counts, filters, and letters to look at.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::memory::{Sampler, mebibytes};
use forebay_tests::names::Names;
use forebay_tests::producer::Producer;
use forebay_tests::record::Header;
use forebay_tests::{place, reader};
use serde_json::{Value, json};

use crate::scene::{Scene, effect};

/// What the command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Panics unless it ended with 0, and returns the JSON it printed.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Panics unless it ended with 0 and printed all of these.
    pub(crate) fn shows(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(0), "{self:?}");
        for part in parts {
            assert!(self.out.contains(part), "no {part:?} in:\n{}", self.out);
        }
    }

    /// Panics unless it ended so, with all of these in its sentences.
    pub(crate) fn refuses(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in {self:?}");
        }
    }
}

/// Runs `forebay dlq` to its end.
pub(crate) async fn dlq(args: &[&str]) -> Said {
    let output = Forebay::run_once(&[&["dlq"], args].concat(), &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Returns class, code and count of each group of the only topic.
fn groups(list: &Value) -> Vec<(&str, &str, u64)> {
    assert_eq!(list["topics"].as_array().map(Vec::len), Some(1), "{list}");
    let groups = list["topics"][0]["groups"].as_array().unwrap().iter();
    let group = |group: &Value| group["letters"].as_u64().unwrap();
    groups.map(|it| (it["class"].as_str().unwrap(), it["code"].as_str().unwrap(), group(it))).collect()
}

const NUMBERS: &str =
    r#"{"z":18446744073709551615,"a":1.10,"text":"\u001b[2J","reject":{"code":"bad","message":"no good"}}"#;
const HOSTILE: &[u8] = b"\x1b]0;mine\x07 \xc2\x9b2J text";
const BYTES: &[u8] = b"\xff\x00\xfe0123456789abcdef";

/// Six dead letters in one partition: `bad` twice, `malformed` twice, two traps; and records that are applied.
async fn six_letters() -> Scene<'static> {
    let scene = Scene::shared("dlq", "create table log (n int)").await;
    let headers: Vec<Header> = vec![
        (b"trace".to_vec(), Some(b"a\x1b[31m".to_vec())),
        (vec![0xff], None),
        (b"forebay.id".to_vec(), Some(b"the sender's".to_vec())),
    ];
    let values: [&[u8]; 6] =
        [NUMBERS.as_bytes(), HOSTILE, BYTES, br#"{"trap":true}"#, NUMBERS.as_bytes(), br#"{"trap":true}"#];
    for value in values {
        scene.put(0, &[effect("insert", "log", json!({ "n": 1 }))]);
        scene.producer.send(&scene.names.topic, 0, Some(b"key"), Some(value), &headers);
    }
    scene.run_through(&scene.manifest(&[("log", "")])).await;
    assert_eq!(scene.letters().await.len(), 6);
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_by_class_and_code_and_each_letter_once() {
    let scene = six_letters().await;
    let (binding, letters) = (scene.names.topic.as_str(), scene.names.dead_letters.as_str());
    let file = scene.manifest(&[("log", "")]).write();
    // A crash between sending and remembering repeats a letter.
    let records = reader::read_all(scene.kafka, letters).await;
    let first = &records[0];
    let producer = Producer::new(scene.kafka);
    producer.send_one(letters, 0, first.key.as_deref(), first.value.as_deref(), &first.headers).await;

    let all = dlq(&["list", binding, file.arg(), "--output", "json"]).await.json();
    assert_eq!(groups(&all), [("rejected", "bad", 2), ("rejected", "malformed", 2), ("trap", "unreachable", 2)]);
    let topic = &all["topics"][0];
    assert_eq!((&topic["topic"], &topic["letters"], &topic["repeats"]), (&json!(letters), &json!(6), &json!(1)));
    let group = &topic["groups"][0];
    assert_eq!((&group["binding"], &group["partition"]), (&json!(binding), &json!(0)));
    assert_eq!(group["first"].as_str(), first.header("forebay.failed-at"));
    assert!(group["last"].as_str() >= group["first"].as_str(), "{group}");
    // The manifest alone, first or as an option, means every binding of it.
    assert_eq!(dlq(&["list", file.arg(), "--output", "json"]).await.json(), all);
    assert_eq!(dlq(&["list", "--manifest", file.arg(), "--output", "json"]).await.json(), all);
    assert_eq!(dlq(&["list", file.arg(), "--topic", letters, "--output", "json"]).await.json(), all);

    let text = dlq(&["list", binding, file.arg()]).await;
    text.shows(&[&format!("{letters}: 6 letters; 1 repeat is left out\n"), "BINDING", "FIRST", "LAST"]);
    let line = text.out.lines().find(|line| line.contains("unreachable")).expect("a line for traps");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[..5], [binding, "trap", "unreachable", "0", "2"]);

    let since = first.header("forebay.failed-at").unwrap();
    let filters: [(&[&str], u64); 10] = [
        (&["--class", "rejected"], 4),
        (&["--class", "rejected", "--code", "bad"], 2),
        (&["--class", "data"], 0),
        (&["--binding", binding], 6),
        (&["--binding", "another"], 0),
        (&["--partition", "0", "--offset", "3"], 1),
        (&["--limit", "5"], 5),
        (&["--since", "1h"], 6),
        (&["--since", since], 6),
        (&["--since", "2099-01-01T00:00:00Z"], 0),
    ];
    for (filter, count) in filters {
        let list = dlq(&[&["list", binding, file.arg(), "--output", "json"], filter].concat()).await.json();
        assert_eq!(list["topics"][0]["letters"], count, "{filter:?}");
    }
    dlq(&["list", binding, file.arg(), "--class", "data"]).await.shows(&[": no letters\n"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_a_letter_with_all_that_is_known_of_it() {
    let scene = six_letters().await;
    let (binding, letters) = (scene.names.topic.as_str(), scene.names.dead_letters.as_str());
    let file = scene.manifest(&[("log", "")]).write();
    let records = reader::read_all(scene.kafka, letters).await;
    let at = |value: &[u8]| {
        let record = records.iter().find(|record| record.value.as_deref() == Some(value)).expect("its letter is there");
        record.offset.to_string()
    };
    let show = async |offset: &str, more: &[&str]| {
        let place = ["show", binding, file.arg(), "--partition", "0", "--offset", offset];
        dlq(&[&place, more].concat()).await
    };
    let said = show(&at(NUMBERS.as_bytes()), &[]).await;
    let origin = format!("{} [0] offset 1, of 20", scene.names.topic);
    said.shows(&[&format!("{letters} [0] offset"), &origin, &format!("read by group {}", scene.names.group)]);
    said.shows(&["rejected\n", "bad\n", "no good\n", "scripted\n", "sha256:", "delivery count", "redrives"]);
    said.shows(&["key (3 bytes, text):\nkey\n", "headers (3):\n  trace: a\\u{1b}[31m\n  \\xff: null\n"]);
    said.shows(&["  forebay.id: the sender's\n"]);
    // Neither rounded nor sorted, and nothing in it acts on a terminal.
    said.shows(&["{\n  \"z\": 18446744073709551615,\n  \"a\": 1.10,\n  \"text\": \"\\u001b[2J\",\n  \"reject\": {\n"]);
    for offset in [at(HOSTILE), at(BYTES), at(br#"{"trap":true}"#)] {
        let said = show(&offset, &[]).await;
        assert!(!said.out.contains(|char: char| char.is_control() && char != '\n'), "{said:?}");
    }
    show(&at(HOSTILE), &[]).await.shows(&["text):\n\\u{1b}]0;mine\\u{7} \\u{9b}2J text\n"]);
    let hex = "00000000  ff 00 fe 30 31 32 33 34 35 36 37 38 39 61 62 63  |...0123456789abc|\n00000010  64 65 66 ";
    show(&at(BYTES), &[]).await.shows(&["value (19 bytes, bytes):\n", hex]);

    let facts = show(&at(BYTES), &["--output", "json"]).await.json();
    let letter = &facts["letters"][0];
    let expected = [
        ("topic", json!(letters)),
        ("family", json!("forebay")),
        ("class", json!("rejected")),
        ("code", json!("malformed")),
        ("binding", json!(binding)),
        ("plugin", json!("scripted")),
        ("redrives", json!(0)),
        ("delivery_count", json!(1)),
        ("key", json!("key")),
        ("key_encoding", json!("utf-8")),
        ("value", json!("/wD+MDEyMzQ1Njc4OWFiY2RlZg==")),
        ("value_encoding", json!("base64")),
        ("value_from", json!("topic")),
    ];
    for (name, value) in expected {
        assert_eq!(letter[name], value, "{name}");
    }
    assert_eq!(letter["origin"]["topic"], json!(scene.names.topic));
    assert_eq!(letter["origin"]["group"], json!(scene.names.group));
    let id = letter["id"].as_str().unwrap();
    assert_eq!(id, format!("{}/0/{}/dlq", scene.names.topic, letter["origin"]["offset"]));
    assert_eq!(
        letter["headers"][1],
        json!({"name": "/w==", "name_encoding": "base64", "value": null, "value_encoding": null})
    );
    assert_eq!(letter["headers"].as_array().map(Vec::len), Some(3));
    assert_eq!(letter["failure_headers"].as_array().map(Vec::len), Some(15));
    // By its id, and by what it is.
    let by_id = dlq(&["show", binding, file.arg(), "--id", id, "--output", "json"]).await.json();
    assert_eq!(by_id, facts);
    let traps = ["show", binding, file.arg(), "--class", "trap", "--limit", "9", "--output", "json"];
    let traps = dlq(&traps).await.json();
    let offsets: Vec<_> = traps["letters"].as_array().unwrap().iter().map(|it| &it["origin"]["offset"]).collect();
    assert_eq!(offsets, [7, 11]);
    let first = dlq(&["show", binding, file.arg(), "--output", "json"]).await.json();
    assert_eq!(first["letters"].as_array().map(Vec::len), Some(1));
    assert_eq!(first["letters"][0]["offset"], 0);
    show("99", &[]).await.refuses(2, &["there is no letter at", "offset 99"]);
    dlq(&["show", binding, file.arg(), "--partition", "7"]).await.refuses(2, &["has no partition 7; it has 0 to 0"]);
    dlq(&["show", binding, file.arg(), "--id", "nobody's"]).await.refuses(2, &["there is no letter `nobody's`"]);
}

/// How many letters a large topic has, each of which was sent twice for every hundredth.
const MANY: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_letters_are_counted_in_little_memory() {
    let scene = Scene::shared("dlq_many", "create table log (n int)").await;
    let names = Names::new("dlq_many");
    scene.kafka.create_topic(&names.dead_letters, 3, &[]).await;
    let mut expected: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for number in 0..MANY {
        let (partition, code) = (i32::try_from(number % 3).unwrap(), format!("code-{}", number % 7));
        let headers = block(&scene.names.topic, number, &code);
        for _ in 0..=usize::from(number.is_multiple_of(100)) {
            scene.producer.send(&names.dead_letters, partition, Some(b"key"), Some(&[b'v'; 300]), &headers);
        }
        *expected.entry((code, i64::from(partition))).or_default() += 1;
    }
    scene.producer.flush().await;
    let file = scene.manifest(&[("log", "")]).write();
    let mut command = Command::new(place::forebay());
    command.args(["dlq", "list", file.arg(), "--topic", &names.dead_letters, "--output", "json"]);
    let start = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let sampler = Sampler::start(i32::try_from(child.id()).unwrap());
    let output = child.wait_with_output().expect("the binary ends");
    let (took, (_, memory)) = (start.elapsed(), sampler.largest());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "no bar where no terminal is: {said}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let topic = &list["topics"][0];
    assert_eq!((&topic["letters"], &topic["repeats"]), (&json!(MANY), &json!(MANY / 100)));
    let groups = topic["groups"].as_array().unwrap().iter();
    let counted = groups.map(|it| {
        let code = it["code"].as_str().unwrap().to_owned();
        ((code, it["partition"].as_i64().unwrap()), it["letters"].as_u64().unwrap())
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected);
    println!("{MANY} letters in {took:?}, {} MiB", mebibytes(memory.anonymous));
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(memory.anonymous > 0 && memory.anonymous < 128 << 20, "{memory:?}");
}

/// The headers of a letter, as Forebay writes them.
fn block(topic: &str, number: usize, code: &str) -> Vec<Header> {
    let text = |name: &str, value: &str| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    vec![
        text("__dlq.errors.topic", topic),
        text("__dlq.errors.partition", "0"),
        text("__dlq.errors.offset", &number.to_string()),
        text("__dlq.errors.group", "g"),
        text("__dlq.errors.message", "the order has no customer, and nobody knows whose it is"),
        text("forebay.failure.class", "rejected"),
        text("forebay.failure.code", code),
        text("forebay.binding", "orders"),
        text("forebay.plugin.digest", &format!("sha256:{}", "0".repeat(64))),
        text("forebay.failed-at", "2026-01-01T00:00:00Z"),
        text("forebay.id", &format!("{topic}/0/{number}/dlq")),
        text("forebay.redrives", "0"),
    ]
}

/// Not started: whoever only looks needs no plugin and no database.
pub(crate) fn kafka_only(kafka: &Kafka, names: &Names) -> forebay_tests::manifest::Manifest {
    use forebay_tests::manifest::{Binding, Manifest, Plugin};
    Manifest::new(kafka)
        .plugin("scripted", Plugin::new(place::component("scripted")))
        .binding(Binding::new(names, "scripted").target("out", &format!("{{ topic = \"{}\" }}", names.published)))
}
