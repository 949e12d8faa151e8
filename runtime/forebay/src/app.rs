//! The running process: what it loads, what it starts, how it stops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::admin::{self, Site};
use crate::consumer::{Accesses, Consumers, Parts};
use crate::error::{Error, ErrorKind};
use crate::host;
use crate::load;
use crate::reloader::{self, Reloader};
use crate::shutdown::Signals;

/// A process that is ready to run: whatever can be found wrong without a server has been.
pub struct App {
    /// The manifest's file.
    path: Utf8PathBuf,
    parts: Parts,
}

impl App {
    /// Reads the manifest, loads the plugins and reads the sinks' connection strings.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest, or its components and connection strings.
    pub fn start(path: &Utf8Path) -> Result<Self, Error> {
        let manifest = load::manifest(path)?;
        let host = host::start()?;
        let mut errors: Vec<Error> = host::has_room(&manifest).err().into_iter().collect();
        let plugins = load::plugins(&manifest, &host).unwrap_or_else(|error| {
            errors.push(error);
            BTreeMap::new()
        });
        let sinks = load::sinks(&manifest).unwrap_or_else(|error| {
            errors.push(error);
            BTreeMap::new()
        });
        match Error::join(errors) {
            Some(error) => Err(error),
            None => {
                let (manifest, host) = (Arc::new(manifest), Arc::new(host));
                let parts = Parts { manifest, host, plugins, sinks, accesses: Accesses::default(), observer: None };
                Ok(Self { path: load::file(path), parts })
            }
        }
    }

    /// Runs until a signal. With `is_watching`, a manifest or component that changes is taken at once.
    ///
    /// # Errors
    /// Where the process can not start; never because a server is away.
    pub fn run(self, is_watching: bool) -> Result<(), Error> {
        let runtime = runtime()?;
        let deadline = self.parts.manifest.shutdown_deadline;
        let result = runtime.block_on(self.serve(is_watching));
        // Lookups that are still under way must not hold the process up.
        runtime.shutdown_timeout(deadline.min(Duration::from_secs(1)));
        result
    }

    async fn serve(self, is_watching: bool) -> Result<(), Error> {
        let Self { path, parts } = self;
        let stop = CancellationToken::new();
        let signals =
            Signals::new().map_err(|error| Error::new(ErrorKind::Internal, format!("take signals over: {error}")))?;
        let listen = parts.manifest.admin.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let advice = "another process may have it: change admin.listen in the manifest";
            Error::new(ErrorKind::Config, format!("listen on {listen}: {error}; {advice}"))
        })?;
        let started_at = Timestamp::now();
        let consumers = Consumers::start(&parts, started_at)?;
        // One waits while another is under way.
        let (ask, asked) = mpsc::channel(1);
        let site = Site {
            board: consumers.board.clone(),
            metrics: consumers.metrics.clone(),
            live: consumers.live.clone(),
            reload: ask.clone(),
            started_at,
            budget: consumers.budget.clone(),
            token: parts.manifest.admin.token.clone(),
        };
        let site_stop = CancellationToken::new();
        let site_tasks = TaskTracker::new();
        site_tasks.spawn(admin::serve(listener, site, site_stop.clone()));
        let hangup = {
            let ask = ask.clone();
            move || reloader::hangup(&ask)
        };
        site_tasks.spawn(signals.watch(stop.clone(), hangup));
        info!(%listen, bindings = parts.manifest.bindings.len(), "started");
        let mut reloader = Reloader { path, parts, consumers, asked };
        reloader.run(is_watching, &stop).await;
        let consumers = reloader.consumers;
        let metrics = consumers.metrics.clone();
        consumers.stop().await;
        site_stop.cancel();
        info!(records = metrics.records_in_all(), "stopped");
        Ok(())
    }
}

/// Starts the async runtime.
///
/// # Errors
/// Where the machine does not allow it.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("forebay").build();
    built.map_err(|error| Error::new(ErrorKind::Internal, format!("start the async runtime: {error}")))
}
