//! The servers, the topics, and the commands of every side.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use forebay_tests::kafka::Kafka;
use forebay_tests::place;
use forebay_tests::port::Port;
use forebay_tests::postgres::Postgres;
use forebay_tests::scratch::{OnFailure, Scratch};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::order::{self, Poison};
use crate::side::{Measured, Told, measure};

const DATABASE: &str = "bench";

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
    rounds: AtomicUsize,
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
        Self { kafka, postgres, scratch, rounds: AtomicUsize::new(0) }
    }

    /// Makes a topic and fills it with orders.
    pub(crate) async fn fill(&self, topic: &Topic) -> anyhow::Result<()> {
        self.kafka.create_topic(topic.name, i32::try_from(topic.partitions)?, &[]).await;
        let mut config = self.kafka.client_config();
        config.set("linger.ms", "20").set("batch.size", "500000").set("queue.buffering.max.messages", "100000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        for number in 0..topic.records as u64 {
            let (id, value) = order::message(number, topic.records as u64, topic.poison, topic.is_bad(number));
            let partition = i32::try_from(number % topic.partitions)?;
            let mut record = BaseRecord::to(topic.name).key(&id).payload(&value).partition(partition);
            while let Err((_, back)) = producer.send(record) {
                record = back;
                producer.poll(std::time::Duration::from_millis(5));
            }
        }
        producer.flush(std::time::Duration::from_secs(60)).context("fill a topic")
    }

    /// Runs one round of a side, from an empty table, as a group of its own.
    pub(crate) async fn round(&self, side: Side, topic: &Topic) -> anyhow::Result<Measured> {
        self.postgres.execute(DATABASE, "truncate public.orders, public.checked").await;
        self.postgres.execute(DATABASE, "checkpoint").await;
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        let group = format!("bench-{round}");
        let (command, told) = match side {
            Side::Poll => self.own("poll", topic, &group)?,
            Side::ByHand => self.own("by-hand", topic, &group)?,
            Side::Runtime(handler, table, reuse) => {
                let admin = Port::free().release();
                let manifest = self.manifest(topic.name, &group, (handler, table, reuse), admin)?;
                let mut command = match handler {
                    Handler::Wasm(_) => Command::new(place::forebay()),
                    Handler::Native => Command::new(std::env::current_exe()?),
                };
                command.arg(if handler == Handler::Native { "native" } else { "run" }).arg(&manifest);
                (command, Told::Metrics(admin))
            }
        };
        let measured = measure(command, self.scratch.path(), &told, topic.records).await?;
        let (table, wanted) = match side {
            Side::ByHand => ("public.orders", topic.good()),
            Side::Runtime(_, Some(table), _) => (table, topic.good()),
            Side::Poll | Side::Runtime(_, None, _) => ("public.orders", 0),
        };
        let rows = self.postgres.query(DATABASE, &format!("select count(*) from {table}"), &[]).await;
        let rows: i64 = rows.first().context("a count")?.get(0);
        anyhow::ensure!(rows == i64::try_from(wanted)?, "{side:?} wrote {rows} rows of {wanted}");
        Ok(measured)
    }

    fn own(&self, name: &str, topic: &Topic, group: &str) -> anyhow::Result<(Command, Told)> {
        let progress = self.scratch.path().join(format!("{group}.progress"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([name, "--bootstrap", &self.kafka.bootstrap(), "--topic", topic.name, "--group", group]);
        command.args(["--records", &topic.records.to_string(), "--url", &self.postgres.url(DATABASE)]);
        command.arg("--progress").arg(&progress);
        Ok((command, Told::File(progress)))
    }

    fn manifest(
        &self,
        topic: &str,
        group: &str,
        (handler, table, reuse): (Handler, Option<&str>, Option<u32>),
        admin: u16,
    ) -> anyhow::Result<PathBuf> {
        let component = match handler {
            Handler::Wasm(name) => place::component(name),
            Handler::Native => place::component("nothing"),
        };
        let instances = reuse.map_or("\"per-batch\"".to_owned(), |reuse| format!("{{ reuse = {reuse} }}"));
        let (bootstrap, url) = (self.kafka.bootstrap(), self.postgres.url(DATABASE));
        let mut text = format!(
            "manifest-version = 1\n[kafka]\nbootstrap-servers = [\"{bootstrap}\"]\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [plugins.handler]\ncomponent = \"{}\"\ninstances = {instances}\n[sinks.db]\nkind = \"postgres\"\nurl = \"{url}\"\n\
             [[bindings]]\ntopic = \"{topic}\"\ngroup = \"{group}\"\nplugin = \"handler\"\nheaders = \"none\"\n\
             dead-letter = {{ topic = \"dead\", pause-above = \"100% of 1m\" }}\n",
            component.display()
        );
        if let Some(table) = table {
            let table = format!("{{ sink = \"db\", table = \"{table}\", key = [\"order_id\"] }}");
            let _infallible = write!(text, "[bindings.targets]\norders = {table}\n");
        }
        let path = self.scratch.path().join(format!("{group}.toml"));
        std::fs::write(&path, text)?;
        Ok(path)
    }
}
