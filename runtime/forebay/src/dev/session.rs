//! One trial: a cluster in this process, SQLite files, and the groups at work between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_core::manifest::settings::{Manifest, SinkKind, TargetKind};
use forebay_kafka::Producer;
use forebay_kafka::mock::Broker;
use forebay_plugin_host::Host;
use forebay_sink::{Database, Sqlite};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::consumer::{Accesses, Consumers, Parts, Terminal};
use crate::dev::room::Room;
use crate::dev::{embed, of_verdict};
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::status::Board;

/// Terminal records that may wait to be printed: more than the feed lets be under way.
const TERMINALS: usize = 1024;

/// The trial.
pub(super) struct Session {
    /// Records that reached their terminal state.
    pub(super) terminals: mpsc::Receiver<Terminal>,
    /// Sends what is fed.
    pub(super) producer: Producer,
    /// Plugins by name, with their digests.
    pub(super) plugins: BTreeMap<String, String>,
    /// What is told of lanes and groups.
    pub(super) board: Arc<Board>,
    /// None only while one stops and the next has not started.
    consumers: Option<Consumers>,
    parts: Parts,
    sinks: BTreeMap<String, Sqlite>,
    broker: Broker,
    partitions: i32,
}

impl Session {
    /// Starts everything, with empty topics and tables. The tables of an earlier session in this room must be closed.
    ///
    /// # Errors
    /// What is wrong with the manifest's components or the tables' script.
    pub(super) async fn start(
        manifest: Manifest,
        room: &Room,
        host: Arc<Host>,
        (partitions, script): (i32, Option<&str>),
    ) -> Result<Self, Error> {
        let plugins = load::plugins(&manifest, &host)?;
        if let Some(script) = script {
            room.try_script(script).await?;
        }
        room.clear()?;
        let of_client = |error: forebay_kafka::Error| Error::new(ErrorKind::Internal, error.to_string());
        let broker = Broker::start(1).map_err(of_client)?;
        let manifest = embed::embed(manifest, broker.settings(), &room.folder)?;
        for topic in embed::topics(&manifest) {
            broker.create_topic(&topic, partitions).map_err(of_client)?;
        }
        let sinks = sinks(&manifest);
        for sink in sinks.values() {
            if let Some(script) = script {
                sink.execute_script(script).await.map_err(|verdict| of_verdict(&verdict))?;
            }
        }
        let producer = Producer::start(&manifest.kafka).map_err(of_client)?;
        let (observer, terminals) = mpsc::channel(TERMINALS);
        let databases = sinks.iter().map(|(name, sink)| (name.clone(), Database::Sqlite(sink.clone()))).collect();
        let manifest = Arc::new(manifest);
        let parts = Parts {
            manifest,
            host,
            plugins,
            sinks: databases,
            accesses: Accesses::default(),
            observer: Some(observer),
        };
        let consumers = Consumers::start(&parts, Timestamp::now())?;
        let (plugins, board) = (digests(&parts), consumers.board.clone());
        let consumers = Some(consumers);
        Ok(Self { terminals, producer, plugins, board, consumers, parts, sinks, broker, partitions })
    }

    /// Goes on with a changed manifest or component where the old one stopped; the old one goes on if the new one can not
    /// be loaded.
    ///
    /// # Errors
    /// What is wrong with the new one.
    pub(super) async fn swap(&mut self, manifest: Manifest, room: &Room) -> Result<(), Error> {
        let next = self.next(manifest, room)?;
        if let Some(before) = self.consumers.take() {
            before.stop().await;
        }
        for topic in embed::topics(&next.manifest) {
            // One that is there stays.
            let _it_is_there = self.broker.create_topic(&topic, self.partitions);
        }
        let consumers = Consumers::start(&next, Timestamp::now())?;
        self.board = consumers.board.clone();
        (self.plugins, self.parts, self.consumers) = (digests(&next), next, Some(consumers));
        Ok(())
    }

    fn next(&self, manifest: Manifest, room: &Room) -> Result<Parts, Error> {
        let plugins = load::plugins(&manifest, &self.parts.host)?;
        let manifest = embed::embed(manifest, self.broker.settings(), &room.folder)?;
        if let Some(name) = manifest.sinks.keys().find(|name| !self.sinks.contains_key(*name)) {
            let message = format!("sink `{name}` is new; end `forebay dev` and start it again");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Parts { manifest: Arc::new(manifest), plugins, ..self.parts.clone() })
    }

    /// Returns the tables that the bindings write to, each once, in the manifest's order.
    pub(super) fn tables(&self) -> Vec<(String, Sqlite)> {
        let mut tables: Vec<(String, Sqlite)> = Vec::new();
        for target in self.parts.manifest.bindings.iter().flat_map(|binding| &binding.targets) {
            let TargetKind::Table(table) = &target.kind else { continue };
            let Some(sink) = self.sinks.get(&table.sink) else { continue };
            if !tables.iter().any(|(name, other)| *name == table.table && other.name() == sink.name()) {
                tables.push((table.table.clone(), sink.clone()));
            }
        }
        tables
    }

    /// Finishes what is in flight and closes everything.
    pub(super) async fn stop(&mut self) {
        if let Some(consumers) = self.consumers.take() {
            consumers.stop().await;
        }
    }
}

fn digests(parts: &Parts) -> BTreeMap<String, String> {
    parts.plugins.iter().map(|(name, plugin)| (name.clone(), plugin.digest().to_owned())).collect()
}

fn sinks(manifest: &Manifest) -> BTreeMap<String, Sqlite> {
    let files = manifest.sinks.iter().filter_map(|(name, sink)| match &sink.kind {
        SinkKind::Sqlite(path) => Some((name.clone(), Sqlite::watching(name, path, sink.timeouts.lock))),
        SinkKind::Postgres => None,
    });
    files.collect()
}
