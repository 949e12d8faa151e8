//! The servers, the topics, and the commands of every side.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use forebay_tests::kafka::Kafka;
use forebay_tests::place;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::scratch::{OnFailure, Scratch};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::manifest::{Manifest, ManifestFile};
use crate::order::{self, Poison};
use crate::runtime::Runtime;
use crate::side::{Drain, Measured, Told, measure};

/// The database that every side writes.
pub(crate) const DATABASE: &str = "bench";

/// Which handler a side of the runtime runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// A component.
    Wasm(&'static str),
    /// The function compiled in, which takes the place of a component's.
    Native,
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// librdkafka's poll loop.
    Poll,
    /// The program written by hand.
    ByHand,
    /// The runtime: its handler, the table that rows go to, and how many batches an instance serves.
    Runtime(Handler, Option<&'static str>, Option<u32>),
    /// The runtime with so many connections to the database.
    Connections(u32),
}

/// A topic: its name, partitions and records, and which of them are bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) partitions: u64,
    pub(crate) records: usize,
    pub(crate) poison: Poison,
}

impl Topic {
    /// Whether the record is bad: partitions take turns.
    fn is_bad(&self, number: u64) -> bool {
        self.poison.hits(number / self.partitions)
    }

    /// Returns how many records end as rows.
    fn good(&self) -> usize {
        (0..self.records as u64).filter(|number| !self.is_bad(*number)).count()
    }
}

/// Everything that the sides share.
pub(crate) struct Stage {
    kafka: Kafka,
    postgres: Postgres,
    scratch: Scratch,
    /// How many groups there were.
    groups: AtomicUsize,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let (kafka, postgres) = (Kafka::start().await, Postgres::start().await);
        postgres.create_database(DATABASE).await;
        // Checkpoints come when a round starts, not in the middle of one side's.
        for setting in ["max_wal_size = '8GB'", "checkpoint_timeout = '30min'", "autovacuum = off"] {
            postgres.execute(DATABASE, &format!("alter system set {setting}")).await;
        }
        postgres.execute(DATABASE, "select pg_reload_conf()").await;
        postgres.execute(DATABASE, order::TABLES).await;
        kafka.create_topic("dead", 1, &[]).await;
        let scratch = Scratch::new("bench", OnFailure::Keep);
        Self { kafka, postgres, scratch, groups: AtomicUsize::new(0) }
    }

    /// Restarts the database so that it notes when each transaction was committed, and cleans its tables by itself.
    pub(crate) async fn note_commit_times(&self) {
        for setting in ["track_commit_timestamp = on", "autovacuum = on"] {
            self.postgres.execute(DATABASE, &format!("alter system set {setting}")).await;
        }
        self.postgres.stop(Stop::Fast).await;
        self.postgres.start_again().await;
    }

    /// Makes a topic and fills it with orders.
    pub(crate) async fn fill(&self, topic: &Topic) -> anyhow::Result<()> {
        let message = |number| order::message(number, topic.records as u64, topic.poison, topic.is_bad(number));
        self.fill_with(topic.name, topic.partitions, topic.records, message).await
    }

    /// Makes a topic and fills it with keys and messages by their number; partitions take turns.
    pub(crate) async fn fill_with(
        &self,
        topic: &str,
        partitions: u64,
        records: usize,
        message: impl Fn(u64) -> (String, String),
    ) -> anyhow::Result<()> {
        self.kafka.create_topic(topic, i32::try_from(partitions)?, &[]).await;
        let mut config = self.kafka.client_config();
        config.set("linger.ms", "20").set("batch.size", "500000").set("queue.buffering.max.messages", "100000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        for number in 0..records as u64 {
            let (key, value) = message(number);
            let partition = i32::try_from(number % partitions)?;
            let mut record = BaseRecord::to(topic).key(&key).payload(&value).partition(partition);
            while let Err((_, back)) = producer.send(record) {
                record = back;
                producer.poll(std::time::Duration::from_millis(5));
            }
        }
        producer.flush(std::time::Duration::from_secs(60)).context("fill a topic")
    }

    /// Runs one round of a side, from an empty table, as a group of its own.
    pub(crate) async fn round(&self, side: Side, topic: &Topic) -> anyhow::Result<Measured> {
        self.empty("public.orders, public.checked").await;
        let group = self.group("bench");
        let (command, told) = match side {
            Side::Poll => self.own("side-poll", topic.name, &group, topic.records)?,
            Side::ByHand => self.own("side-by-hand", topic.name, &group, topic.records)?,
            Side::Connections(count) => {
                let sink = format!("pool-size = {count}\n");
                let given = (Handler::Wasm("order"), Some("public.orders"), None, sink.as_str());
                let manifest = self.manifest(topic.name, &group, given)?;
                (Runtime::command(&manifest), Told::Metrics(manifest.admin))
            }
            Side::Runtime(handler, table, reuse) => {
                let manifest = self.manifest(topic.name, &group, (handler, table, reuse, ""))?;
                let command = match handler {
                    Handler::Wasm(_) => Runtime::command(&manifest),
                    Handler::Native => native(&manifest)?,
                };
                (command, Told::Metrics(manifest.admin))
            }
        };
        let measured = measure(command, self.folder(), &told, topic.records).await?.measured;
        let (table, wanted) = match side {
            Side::ByHand | Side::Connections(_) => ("public.orders", topic.good()),
            Side::Runtime(_, Some(table), _) => (table, topic.good()),
            Side::Poll | Side::Runtime(_, None, _) => ("public.orders", 0),
        };
        self.has_rows(table, wanted).await.with_context(|| format!("{side:?}"))?;
        Ok(measured)
    }

    /// Runs `forebay run` with a manifest until so many records are done.
    pub(crate) async fn drain(&self, manifest: &ManifestFile, records: usize) -> anyhow::Result<Drain> {
        measure(Runtime::command(manifest), self.folder(), &Told::Metrics(manifest.admin), records).await
    }

    /// Returns the command of a side in this binary, and how it tells its count.
    pub(crate) fn own(&self, name: &str, topic: &str, group: &str, records: usize) -> anyhow::Result<(Command, Told)> {
        let progress = self.folder().join(format!("{group}.progress"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([name, "--bootstrap", &self.kafka.bootstrap(), "--topic", topic, "--group", group]);
        command.args(["--records", &records.to_string(), "--url", &self.url()]);
        command.arg("--progress").arg(&progress);
        Ok((command, Told::File(progress)))
    }

    /// Writes a manifest into the run's folder.
    pub(crate) fn write(&self, manifest: &Manifest<'_>) -> anyhow::Result<ManifestFile> {
        manifest.write(self.folder(), &self.kafka.bootstrap(), &self.url())
    }

    /// Empties tables; the checkpoint after it does not fall into what is measured next.
    pub(crate) async fn empty(&self, tables: &str) {
        self.postgres.execute(DATABASE, &format!("truncate {tables}")).await;
        self.postgres.execute(DATABASE, "checkpoint").await;
    }

    /// Fails unless a table has so many rows.
    pub(crate) async fn has_rows(&self, table: &str, wanted: usize) -> anyhow::Result<()> {
        let rows = self.postgres.query(DATABASE, &format!("select count(*) from {table}"), &[]).await;
        let rows: i64 = rows.first().context("a count")?.get(0);
        anyhow::ensure!(rows == i64::try_from(wanted)?, "`{table}` has {rows} rows instead of {wanted}");
        Ok(())
    }

    /// Returns the name of a consumer group that is nobody's yet.
    pub(crate) fn group(&self, name: &str) -> String {
        format!("{name}-{}", self.groups.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the folder of this run.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns the URL of the database.
    pub(crate) fn url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    /// Returns the broker.
    pub(crate) fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// Returns the database server.
    pub(crate) fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    fn manifest(
        &self,
        topic: &str,
        group: &str,
        (handler, table, reuse, sink): (Handler, Option<&str>, Option<u32>, &str),
    ) -> anyhow::Result<ManifestFile> {
        let component = match handler {
            Handler::Wasm(name) => component(name),
            Handler::Native => component("nothing"),
        };
        let plugin = reuse.map_or(String::new(), |reuse| format!("instances = {{ reuse = {reuse} }}\n"));
        let targets = table.map_or(String::new(), order::target);
        self.write(&Manifest {
            topic,
            group,
            component: &component,
            plugin: &plugin,
            sink,
            binding: "",
            dead_letter: "{ topic = \"dead\", pause-above = \"100% of 1m\" }",
            targets: &targets,
        })
    }
}

/// Returns the path of one of the tests' components.
pub(crate) fn component(name: &str) -> String {
    place::component(name).display().to_string()
}

/// Returns the command of the runtime in this binary, with the handler compiled in.
fn native(manifest: &ManifestFile) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("side-native").arg(&manifest.path);
    Ok(command)
}
