//! The running process: what it loads, what it starts, how it stops.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::budget::Budget;
use forebay_core::manifest::settings::Manifest;
use forebay_kafka::{Admin, Producer};
use forebay_plugin_host::{Host, HostSettings, Plugin};
use forebay_sink::Postgres;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::admin::{self, Site};
use crate::consumer::{Binding, Needs, Registry, Runner};
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::metrics::Metrics;
use crate::shutdown::Signals;
use crate::status::Board;

/// A process that is ready to run: whatever can be found wrong without a server has been.
pub struct App {
    manifest: Manifest,
    host: Arc<Host>,
    plugins: BTreeMap<String, Arc<Plugin>>,
    sinks: BTreeMap<String, Postgres>,
}

impl App {
    /// Loads the plugins and reads the sinks' connection strings.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest's components and connection strings.
    pub fn start(manifest: Manifest) -> Result<Self, Error> {
        let host = host()?;
        let mut errors = Vec::new();
        let plugins = load::plugins(&manifest, &host).unwrap_or_else(|error| {
            errors.push(error);
            BTreeMap::new()
        });
        let mut sinks = BTreeMap::new();
        for (name, sink) in &manifest.sinks {
            match Postgres::new(sink) {
                Ok(sink) => {
                    sinks.insert(name.clone(), sink);
                }
                Err(error) => errors.push(Error::new(ErrorKind::Config, error.to_string())),
            }
        }
        match Error::join(errors) {
            Some(error) => Err(error),
            None => Ok(Self { manifest, host: Arc::new(host), plugins, sinks }),
        }
    }

    /// Runs until a signal.
    ///
    /// # Errors
    /// Where the process can not start; never because a server is away.
    pub fn run(self) -> Result<(), Error> {
        let runtime = runtime()?;
        let deadline = self.manifest.shutdown_deadline;
        let result = runtime.block_on(self.serve());
        // Lookups that are still under way must not hold the process up.
        runtime.shutdown_timeout(deadline.min(Duration::from_secs(1)));
        result
    }

    async fn serve(self) -> Result<(), Error> {
        let stop = CancellationToken::new();
        let signals =
            Signals::new().map_err(|error| Error::new(ErrorKind::Internal, format!("take signals over: {error}")))?;
        let metrics =
            Metrics::new().map_err(|error| Error::new(ErrorKind::Internal, format!("register metrics: {error}")))?;
        let metrics = Arc::new(metrics);
        let listen = self.manifest.admin.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let advice = "another process may have it: change admin.listen in the manifest";
            Error::new(ErrorKind::Config, format!("listen on {listen}: {error}; {advice}"))
        })?;
        let started_at = Timestamp::now();
        let (bindings, producer) = self.bindings()?;
        let groups = Registry::by_group(bindings.clone());
        let board = Arc::new(Board::new(groups.keys().cloned()));
        // The clients' own queues are inside the sum: a quarter of it, shared by the groups.
        let client_bytes = self.manifest.buffered_bytes / 4;
        let budget = Budget::new(self.manifest.buffered_bytes - client_bytes);
        let sinks = self.manifest.sinks.keys().cloned().collect();
        let site = Site {
            board: board.clone(),
            metrics: metrics.clone(),
            bindings,
            sinks,
            started_at,
            budget: budget.clone(),
            token: self.manifest.admin.token.clone(),
        };
        let tasks = TaskTracker::new();
        let site_stop = CancellationToken::new();
        let site_tasks = TaskTracker::new();
        site_tasks.spawn(admin::serve(listener, site, site_stop.clone()));
        site_tasks.spawn(signals.watch(stop.clone()));
        info!(%listen, bindings = self.manifest.bindings.len(), "started");
        let client_bytes = client_bytes / groups.len().max(1);
        let owner: Arc<str> = owner(started_at).into();
        for (group, registry) in groups {
            let runner = Runner {
                group,
                registry,
                kafka: self.manifest.kafka.clone(),
                producer: producer.clone(),
                budget: budget.clone(),
                client_bytes,
                outbox_bytes: (self.manifest.buffered_bytes / 16).max(1 << 20),
                board: board.clone(),
                metrics: metrics.clone(),
                owner: owner.clone(),
                deadline: self.manifest.shutdown_deadline,
            };
            tasks.spawn(runner.run(stop.clone()));
        }
        stop.cancelled().await;
        board.stop();
        tasks.close();
        tasks.wait().await;
        site_stop.cancel();
        info!(records = metrics.records_in_all(), "stopped");
        Ok(())
    }

    fn bindings(&self) -> Result<(Vec<Arc<Binding>>, Producer), Error> {
        let of_client = |error: forebay_kafka::Error| Error::new(ErrorKind::Config, error.to_string());
        let admin = Admin::start(&self.manifest.kafka).map_err(of_client)?;
        let producer = Producer::start(&self.manifest.kafka).map_err(of_client)?;
        let mut bindings = Vec::with_capacity(self.manifest.bindings.len());
        for settings in &self.manifest.bindings {
            let Some(plugin) = self.plugins.get(&settings.plugin) else {
                return Err(Error::new(ErrorKind::Internal, format!("plugin `{}` was not loaded", settings.plugin)));
            };
            let needs = Needs {
                host: self.host.clone(),
                plugin: plugin.clone(),
                sink: settings.sink().and_then(|sink| self.sinks.get(sink)).cloned(),
                admin: admin.clone(),
                source: self.manifest.kafka.name.clone(),
            };
            bindings.push(Arc::new(Binding::new(settings.clone(), needs)));
        }
        Ok((bindings, producer))
    }
}

/// Starts the plugin host with a thread for each core.
///
/// # Errors
/// Where the machine does not allow it.
pub fn host() -> Result<Host, Error> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let settings = HostSettings { threads, cache_dir: cache_dir() };
    Host::start(settings).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

/// Starts the async runtime.
///
/// # Errors
/// Where the machine does not allow it.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("forebay").build();
    built.map_err(|error| Error::new(ErrorKind::Internal, format!("start the async runtime: {error}")))
}

/// Compiled components are kept where the system keeps caches.
fn cache_dir() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the convention of the XDG base directories")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("forebay"))
}

/// Who this process is, for people who look into the ledger.
fn owner(started_at: Timestamp) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{}", host.trim(), std::process::id(), started_at.as_second())
}
