//! All groups of a manifest at work: started together, stopped together.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_core::budget::Budget;
use forebay_core::manifest::settings::Manifest;
use forebay_kafka::{Admin, Producer};
use forebay_plugin_host::{Host, Plugin};
use forebay_sink::Database;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::consumer::{Binding, Needs, Observer, Registry, Runner};
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::status::Board;

/// What the groups are made of: whatever can be found wrong without a server has been.
#[derive(Clone)]
pub struct Parts {
    /// What the manifest says.
    pub manifest: Arc<Manifest>,
    /// Runs handlers.
    pub host: Arc<Host>,
    /// The plugins by name.
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    /// The databases by name.
    pub sinks: BTreeMap<String, Database>,
    /// Who watches each record, if anybody does.
    pub observer: Option<Observer>,
}

/// The groups.
pub struct Consumers {
    /// What is told of lanes and groups.
    pub board: Arc<Board>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Every binding.
    pub bindings: Vec<Arc<Binding>>,
    /// The one byte budget.
    pub budget: Budget,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Consumers {
    /// Starts every group.
    ///
    /// # Errors
    /// Where a client can not be made of the manifest's settings.
    pub fn start(parts: &Parts, started_at: Timestamp) -> Result<Self, Error> {
        let manifest = &parts.manifest;
        let metrics =
            Metrics::new().map_err(|error| Error::new(ErrorKind::Internal, format!("register metrics: {error}")))?;
        let metrics = Arc::new(metrics);
        let producer = Producer::start(&manifest.kafka).map_err(|error| of_client(&error))?;
        let bindings = bindings(parts)?;
        let groups = Registry::by_group(bindings.clone());
        let board = Arc::new(Board::new(groups.keys().cloned()));
        // The clients' own queues are inside the sum: a quarter of it, shared by the groups.
        let client_bytes = manifest.buffered_bytes / 4;
        let budget = Budget::new(manifest.buffered_bytes - client_bytes);
        let client_bytes = client_bytes / groups.len().max(1);
        let owner: Arc<str> = owner(started_at).into();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        for (group, registry) in groups {
            let runner = Runner {
                group,
                registry,
                kafka: manifest.kafka.clone(),
                producer: producer.clone(),
                budget: budget.clone(),
                client_bytes,
                outbox_bytes: (manifest.buffered_bytes / 16).max(1 << 20),
                board: board.clone(),
                metrics: metrics.clone(),
                owner: owner.clone(),
                deadline: manifest.shutdown_deadline,
                observer: parts.observer.clone(),
            };
            tasks.spawn(runner.run(stop.clone()));
        }
        Ok(Self { board, metrics, bindings, budget, tasks, stop })
    }

    /// Stops every group gracefully: what is in flight is finished, written and committed, within the manifest's deadline.
    pub async fn stop(self) {
        self.board.stop();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn bindings(parts: &Parts) -> Result<Vec<Arc<Binding>>, Error> {
    let Parts { manifest, host, plugins, sinks, observer: _ } = parts;
    let admin = Admin::start(&manifest.kafka).map_err(|error| of_client(&error))?;
    let mut bindings = Vec::with_capacity(manifest.bindings.len());
    for settings in &manifest.bindings {
        let Some(plugin) = plugins.get(&settings.plugin) else {
            return Err(Error::new(ErrorKind::Internal, format!("plugin `{}` was not loaded", settings.plugin)));
        };
        let needs = Needs {
            host: host.clone(),
            plugin: plugin.clone(),
            sink: settings.sink().and_then(|sink| sinks.get(sink)).cloned(),
            admin: admin.clone(),
            source: manifest.kafka.name.clone(),
        };
        bindings.push(Arc::new(Binding::new(settings.clone(), needs)));
    }
    Ok(bindings)
}

fn of_client(error: &forebay_kafka::Error) -> Error {
    Error::new(ErrorKind::Config, error.to_string())
}

/// Who this process is, for people who look into the ledger.
fn owner(started_at: Timestamp) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{}", host.trim(), std::process::id(), started_at.as_second())
}
