//! All groups of a manifest at work: started together, stopped together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
use crate::watchdog::{Turns, Watchdog};

/// How often the runtime shows that it runs tasks.
const BEAT: Duration = Duration::from_secs(1);

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
    _watchdog: Arc<Watchdog>,
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
        // One sum: half of it for records, a quarter for what is made of them, a quarter for what the clients fetch ahead.
        // The shares lend nothing to each other, or all could be records that wait for room to become rows.
        let quarter = manifest.buffered_bytes / 4;
        let bindings = bindings(parts, quarter)?;
        let groups = Registry::by_group(bindings.clone());
        let board = Arc::new(Board::new(groups.keys().cloned()));
        let budget = Budget::new(manifest.buffered_bytes - 2 * quarter);
        let client_bytes = quarter / groups.len().max(1);
        let owner: Arc<str> = owner(started_at).into();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let no_thread = |error| Error::new(ErrorKind::Internal, format!("start the watchdog: {error}"));
        let watchdog = Watchdog::start().map_err(no_thread)?;
        tasks.spawn(beat(watchdog.turns("the async runtime"), stop.clone()));
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
                watchdog: watchdog.clone(),
            };
            tasks.spawn(runner.run(stop.clone()));
        }
        Ok(Self { board, metrics, bindings, budget, tasks, stop, _watchdog: watchdog })
    }

    /// Stops every group gracefully: what is in flight is finished, written and committed, within the manifest's deadline.
    pub async fn stop(self) {
        self.board.stop();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Turns once a second, as long as tasks are run.
async fn beat(turns: Turns, stop: CancellationToken) {
    while !stop.is_cancelled() {
        turns.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

fn bindings(parts: &Parts, room_bytes: usize) -> Result<Vec<Arc<Binding>>, Error> {
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
        bindings.push(Arc::new(Binding::new(settings.clone(), needs, room_bytes / manifest.bindings.len().max(1))));
    }
    Ok(bindings)
}

fn of_client(error: &forebay_kafka::Error) -> Error {
    Error::new(ErrorKind::Config, error.to_string())
}

/// Returns the name of this machine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Who this process is, for people who look into the ledger.
fn owner(started_at: Timestamp) -> String {
    format!("{}:{}:{}", host_name(), std::process::id(), started_at.as_second())
}
