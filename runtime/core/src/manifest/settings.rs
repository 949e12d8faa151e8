//! What a manifest says, checked and in the runtime's own terms. Whoever holds these need not check them again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use super::secret::Secret;
use crate::policy::flood::PauseAbove;
use crate::policy::rate::Rate;

/// A whole manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The cluster that every binding reads from.
    pub kafka: Kafka,
    /// Where metrics, health and status are served.
    pub admin: Admin,
    /// How long a stop may take.
    pub shutdown_deadline: Duration,
    /// The limit of the one byte budget.
    pub buffered_bytes: usize,
    /// Databases by name.
    pub sinks: BTreeMap<String, Sink>,
    /// Plugins by name.
    pub plugins: BTreeMap<String, Plugin>,
    /// Topics bound to plugins, in the manifest's order.
    pub bindings: Vec<Binding>,
}

impl Manifest {
    /// Returns a binding by its name.
    ///
    /// # Errors
    /// A sentence with the names there are.
    pub fn binding(&self, name: &str) -> Result<&Binding, String> {
        self.bindings.iter().find(|binding| binding.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.bindings.iter().map(|binding| binding.name.as_str()).collect();
            format!("the manifest has no binding `{name}`; it has {}", names.join(", "))
        })
    }
}

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// What the ledger calls this cluster.
    pub name: String,
    /// `host:port` each.
    pub bootstrap_servers: Vec<String>,
    /// Allowed librdkafka settings.
    pub properties: BTreeMap<String, Secret>,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Needed off loopback.
    pub token: Option<Secret>,
}

/// `[sinks.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name in the manifest.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// Where it is, credentials included.
    pub url: Secret,
    /// The most connections this process opens.
    pub pool_size: NonZeroUsize,
    /// How long each step may take.
    pub timeouts: Timeouts,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// A PostgreSQL server.
    Postgres,
    /// A SQLite file, resolved against the manifest's folder.
    Sqlite(PathBuf),
}

/// `sinks.NAME.timeouts`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// To wait for a lock.
    pub lock: Duration,
    /// For a silent peer, and for a transaction that does nothing.
    pub idle: Duration,
}

/// `[plugins.NAME]`
#[derive(Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its name in the manifest.
    pub name: String,
    /// Where its component is.
    pub component: Component,
    /// The digest it must have, in lower-case hex.
    pub sha256: Option<String>,
    /// Its `config` table as one JSON object.
    pub config: String,
    /// What an instance may use.
    pub limits: PluginLimits,
    /// How long an instance lives.
    pub instances: Instances,
}

/// Where a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    /// A file, resolved against the manifest's folder.
    File(PathBuf),
    /// One that comes with forebay.
    BuiltIn(BuiltIn),
}

/// A component that comes with forebay: `builtin:NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Fields of JSON to columns, by configuration.
    JsonToRows,
    /// Messages to topics, by a field.
    Router,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::JsonToRows, Self::Router];

    /// Returns what it is called in a manifest, `builtin:` included.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonToRows => "builtin:json-to-rows",
            Self::Router => "builtin:router",
        }
    }

    /// Returns the one of this name, `builtin:` included.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|built_in| built_in.name() == name)
    }
}

impl Component {
    /// Returns its file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::BuiltIn(_) => None,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::BuiltIn(built_in) => formatter.write_str(built_in.name()),
        }
    }
}

/// What an instance may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginLimits {
    /// Bytes over all memories and tables of the instance.
    pub memory: usize,
    /// CPU time per message.
    pub cpu: Duration,
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// A fresh instance for each batch.
    PerBatch,
    /// An instance serves this many batches.
    Reuse(NonZeroU32),
}

/// `[[bindings]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its name; the first topic where none is given.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The plugin's name.
    pub plugin: String,
    /// Where to start if neither ledger nor group has a position.
    pub start: Start,
    /// Which headers the handler gets.
    pub headers: Headers,
    /// Upper bounds of a batch.
    pub batch: BatchLimits,
    /// For what may heal by waiting for another record.
    pub retry: Retry,
    /// How fast it may go.
    pub rate: Rate,
    /// Where records go that can not be applied.
    pub dead_letter: DeadLetter,
    /// Targets in the manifest's order, which is the order of statements.
    pub targets: Vec<Target>,
}

/// Where a partition without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the log's start.
    Earliest,
    /// At the log's end.
    Latest,
    /// Nowhere: halt and ask.
    Error,
    /// At the first record not older than this, in milliseconds since the Unix epoch.
    Timestamp(i64),
}

/// Which headers a handler gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headers {
    /// Every one.
    All,
    /// None.
    None,
    /// Those of these names.
    Only(Vec<String>),
}

/// `batch`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most records.
    pub max_records: NonZeroUsize,
    /// The most bytes of keys, values and headers; one record alone may be larger.
    pub max_bytes: NonZeroUsize,
    /// How long a batch waits for more.
    pub linger: Duration,
}

/// `retry`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often a record is tried, the first time included.
    pub attempts: NonZeroU32,
    /// The first wait.
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

/// `dead-letter`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetter {
    /// Sent to this topic.
    Topic {
        /// The topic's name.
        topic: String,
        /// Whether to make the topic at the start if it is missing.
        create: bool,
        /// From which share of dead letters on the binding is paused.
        pause_above: PauseAbove,
    },
    /// Counted and dropped, as the manifest says aloud.
    Drop,
}

/// One of `[bindings.targets]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The logical name that handlers use.
    pub name: String,
    /// What it stands for.
    pub kind: TargetKind,
}

/// What a target stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// A table of a sink.
    Table(Table),
    /// A topic of the same cluster.
    Topic(String),
}

/// A table target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The sink's name.
    pub sink: String,
    /// The schema, where the manifest names one.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The key's columns; empty for a target that only takes `insert`.
    pub key: Vec<String>,
    /// The columns a handler may name; every one if `None`.
    pub columns: Option<Vec<String>>,
    /// What an upsert does to a row that is there.
    pub on_conflict: OnConflict,
    /// What an update does when its row is not there.
    pub missing: Missing,
    /// Whether rows of one key may be merged in a batch.
    pub fold: Fold,
}

/// What an upsert does to a row that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnConflict {
    /// Changes the given columns.
    Overwrite,
    /// Leaves it.
    Keep,
    /// Changes the given columns unless the row's value of this column is greater.
    Newest(String),
}

/// What an update does when its row is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing.
    Ignore,
    /// The record is dead-lettered.
    Reject,
}

/// Whether rows of one key may be merged in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Only where nothing could have refused the row merged away.
    Auto,
    /// Wherever the result is the same.
    Always,
}

/// The config is hidden: `${env:…}` and `${file:…}` may have put a secret into it.
impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, component, sha256, config: _, limits, instances } = self;
        formatter
            .debug_struct("Plugin")
            .field("name", name)
            .field("component", component)
            .field("sha256", sha256)
            .field("config", &format_args!("[secret]"))
            .field("limits", limits)
            .field("instances", instances)
            .finish()
    }
}

impl Binding {
    /// Returns the name of the sink that holds this binding's tables, `None` if it has no table.
    pub fn sink(&self) -> Option<&str> {
        self.targets.iter().find_map(|target| match &target.kind {
            TargetKind::Table(table) => Some(table.sink.as_str()),
            TargetKind::Topic(_) => None,
        })
    }
}

impl Table {
    /// Returns the table's name as the manifest writes it.
    pub fn full_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.table),
            None => self.table.clone(),
        }
    }
}
