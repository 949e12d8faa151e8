//! The same manifest with Kafka and PostgreSQL and with what `forebay dev` embeds: the tables are the same, as text, and so are
//! the messages that are published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forebay_core::manifest::settings::{DeadLetter, Manifest, TargetKind};
use forebay_core::manifest::{Environment, Origin};
use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::port::Port;
use forebay_tests::postgres::Postgres;
use forebay_tests::process::Process;
use forebay_tests::producer::Producer;
use forebay_tests::{place, reader, wait};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::dev::Copy;
use crate::scene::MINUTE;

/// A row as text, by column.
type Row = BTreeMap<String, Option<String>>;

/// A message that was published: its key and its value as text.
type Sent = (Option<String>, Option<String>);

/// What an example leaves behind, sorted.
#[derive(Debug, Default, PartialEq)]
struct Traces {
    tables: BTreeMap<String, Vec<Row>>,
    /// By topic.
    published: BTreeMap<String, Vec<Sent>>,
}

impl Traces {
    fn is_empty(&self) -> bool {
        self.tables.values().all(Vec::is_empty) && self.published.values().all(Vec::is_empty)
    }
}

/// The servers a manifest of an example names are others in a test; nothing else is.
struct Elsewhere<'a> {
    url: &'a str,
}

impl Environment for Elsewhere<'_> {
    fn variable(&self, _name: &str) -> Option<String> {
        Some(self.url.to_owned())
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        fs::read_to_string(path)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_gives_the_same_with_real_servers() {
    let mut examples: Vec<PathBuf> =
        fs::read_dir(place::root().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.retain(|path| path.join("forebay.toml").is_file());
    examples.sort_unstable();
    assert!(!examples.is_empty());
    for example in examples {
        let name = example.file_name().unwrap().to_str().unwrap();
        let copy = Copy::of(format!("examples/{name}").leak());
        let embedded = embedded(&copy).await;
        let real = real(&copy).await;
        assert!(!real.is_empty(), "{name} writes something");
        assert_eq!(embedded, real, "{name}: what `forebay dev` does (left) and what is done with the real servers");
    }
}

/// Returns what `forebay dev --once` says that it did.
async fn embedded(copy: &Copy) -> Traces {
    let said = copy.run(&["--once", "--output", "json"], "").await;
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{said:?}");
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.last().unwrap();
    let tables = end["tables"].as_object().unwrap().iter().map(|(name, table)| {
        let rows = table["rows"].as_array().unwrap();
        assert_eq!(table["count"], rows.len(), "all rows of {name} are shown");
        let row = |row: &Value| {
            let cells = row.as_object().unwrap().iter();
            cells.map(|(column, cell)| (column.clone(), cell.as_str().map(str::to_owned))).collect::<Row>()
        };
        let mut rows: Vec<Row> = rows.iter().map(row).collect();
        rows.sort_unstable();
        (name.clone(), rows)
    });
    let mut traces = Traces { tables: tables.collect(), ..Traces::default() };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for message in lines.iter().filter_map(|line| line["publishes"].as_array()).flatten() {
        let messages = traces.published.entry(text(&message["topic"]).unwrap()).or_default();
        messages.push((text(&message["key"]), text(&message["value"])));
    }
    traces.published.values_mut().for_each(|messages| messages.sort_unstable());
    traces
}

/// Runs the same manifest with Kafka and PostgreSQL, and returns what was done. A whole example is one binding's work.
async fn real(copy: &Copy) -> Traces {
    let (kafka, postgres, names) = (Kafka::shared().await, Postgres::shared().await, Names::new("example"));
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, &copy.read("schema.sql")).await;
    let url = postgres.url(&names.database);
    let text = copy.read("forebay.toml").replace("localhost:9092", &kafka.bootstrap());
    let admin = Port::free().release();
    copy.write("forebay.toml", format!("{text}\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n"));
    let origin = Origin::new("forebay.toml", copy.folder());
    let text = copy.read("forebay.toml");
    let manifest = forebay_core::manifest::parse(&text, &origin, &Elsewhere { url: &url }).unwrap();

    let topic = feed(copy, kafka, &manifest).await;
    let mut command = Command::new(place::forebay());
    command.arg("run").arg(copy.file("forebay.toml")).env("DATABASE_URL", &url).current_dir(copy.scratch.path());
    let forebay = Process::start("forebay", command, &copy.scratch.path().join("run.log"), libc::SIGKILL);
    let ends = oracle::log_ends(kafka, &topic);
    let group = manifest.bindings[0].group.clone();
    // The group follows behind the tables and the acknowledged messages.
    let at_end = async || {
        let committed = oracle::committed(kafka, &group, &topic);
        ends.iter()
            .all(|(place, end)| *end == 0 || committed.get(place).is_some_and(|committed| committed.offset == *end))
    };
    wait::until_or_dump(MINUTE, "the group to reach the log's end", at_end, || forebay.log_tail(60)).await;
    forebay.signal(libc::SIGTERM);
    assert_eq!(forebay.wait_exit(MINUTE).await.code(), Some(0));

    let client = postgres.connect(&names.database).await;
    let mut traces = Traces::default();
    for target in manifest.bindings.iter().flat_map(|binding| &binding.targets) {
        match &target.kind {
            TargetKind::Table(table) => {
                traces.tables.insert(table.table.clone(), rows(&client, &table.full_name()).await);
            }
            TargetKind::Topic(topic) => {
                let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let records = reader::read_all(kafka, topic).await.into_iter();
                let mut messages: Vec<_> = records.map(|record| (text(record.key), text(record.value))).collect();
                messages.sort_unstable();
                // Nothing is said of a topic to which nothing was published.
                if !messages.is_empty() {
                    traces.published.insert(topic.clone(), messages);
                }
            }
        }
    }
    traces
}

/// Makes the topics of a manifest, produces the samples as `forebay dev` does, and returns the topic they are in.
async fn feed(copy: &Copy, kafka: &Kafka, manifest: &Manifest) -> String {
    let topic = &manifest.bindings[0].topics[0];
    let samples = copy.read(&format!("{topic}.jsonl"));
    let records: Vec<BTreeMap<&str, &RawValue>> =
        samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |record: &BTreeMap<&str, &RawValue>, key: &str| {
        record.get(key).map(|raw| serde_json::from_str::<i64>(raw.get()).unwrap())
    };
    let partition = |record| i32::try_from(number(record, "partition").unwrap_or(0)).unwrap();
    let partitions = records.iter().map(partition).max().unwrap() + 1;
    for binding in &manifest.bindings {
        let published = binding.targets.iter().filter_map(|target| match &target.kind {
            TargetKind::Topic(topic) => Some(topic),
            TargetKind::Table(_) => None,
        });
        let letters = match &binding.dead_letter {
            DeadLetter::Topic { topic, .. } => Some(topic),
            DeadLetter::Drop => None,
        };
        for topic in binding.topics.iter().chain(published).chain(letters) {
            // The samples are older than a broker keeps records.
            kafka.create_topic(topic, partitions, &[("retention.ms", "-1")]).await;
        }
    }
    let producer = Producer::new(kafka);
    for record in &records {
        let (key, value) = (record.get("key").copied().and_then(bytes), record.get("value").copied().and_then(bytes));
        let both = (key.as_deref(), value.as_deref());
        producer.send_at(number(record, "timestamp"), topic, partition(record), both, &[]);
    }
    producer.flush().await;
    topic.clone()
}

/// A string stands for its text, null for null, and all else for its JSON as it is written.
fn bytes(raw: &RawValue) -> Option<Vec<u8>> {
    match serde_json::from_str::<Value>(raw.get()).unwrap() {
        Value::Null => None,
        Value::String(text) => Some(text.into_bytes()),
        _ => Some(raw.get().as_bytes().to_vec()),
    }
}

/// Returns a table's rows as text.
async fn rows(client: &Client, table: &str) -> Vec<Row> {
    let answers = client.simple_query(&format!("set timezone = 'UTC'; select * from {table}")).await;
    let rows = answers.unwrap_or_else(|error| panic!("read `{table}`: {error:?}")).into_iter();
    let rows = rows.filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let mut rows: Vec<Row> = rows
        .map(|row| {
            let cells = row.columns().iter().enumerate();
            cells.map(|(index, column)| (column.name().to_owned(), row.get(index).map(as_sqlite))).collect()
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// PostgreSQL shortens the offset of a time; it is the same text otherwise.
fn as_sqlite(cell: &str) -> String {
    let is_time = cell.len() >= "2025-11-20 08:00:00+00".len() && cell.as_bytes()[10] == b' ' && cell.ends_with("+00");
    if is_time { format!("{cell}:00") } else { cell.to_owned() }
}
