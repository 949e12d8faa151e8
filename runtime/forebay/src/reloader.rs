//! Reading the manifest again while the process runs: asked for over HTTP, by SIGHUP, or by a file that changed.

use std::sync::Arc;

use camino::Utf8PathBuf;
use forebay_core::manifest::settings::Manifest;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::{Reload, Taken};
use crate::consumer::{self, Consumers, Parts};
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::watch::Watch;

/// What runs, and where its manifest is.
pub(crate) struct Reloader {
    pub(crate) path: Utf8PathBuf,
    pub(crate) parts: Parts,
    pub(crate) consumers: Consumers,
    pub(crate) asked: mpsc::Receiver<Reload>,
}

impl Reloader {
    /// Takes one change after the other, until the process stops. One that is being prepared then is given up; one that is
    /// being taken is finished first.
    pub(crate) async fn run(&mut self, is_watching: bool, stop: &CancellationToken) {
        let mut watched = files(&self.path, &self.parts.manifest);
        let mut watch = is_watching.then(|| Watch::new(watched.clone()));
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                Some(asked) = self.asked.recv() => Some(asked),
                file = changed(&mut watch), if is_watching => {
                    info!(%file, "a file has changed");
                    None
                }
            };
            let reloaded = tokio::select! {
                () = stop.cancelled() => return,
                prepared = self.prepare() => prepared,
            };
            let result = match reloaded {
                Ok(reload) => {
                    let (parts, changes) = self.consumers.take(reload).await;
                    self.parts = parts;
                    Ok(changes)
                }
                Err(error) => Err(error),
            };
            let now = files(&self.path, &self.parts.manifest);
            if now != watched {
                watch = is_watching.then(|| Watch::new(now.clone()));
                watched = now;
            }
            tell(&result);
            if let Some(Reload(reply)) = asked {
                // Whoever asked may have gone; it is in the log.
                let manifest = self.path.canonicalize_utf8().unwrap_or_else(|_| self.path.clone());
                let _nobody_waits = reply.send(result.map(|changes| Taken { manifest, changes }));
            }
        }
    }

    async fn prepare(&self) -> Result<consumer::Reload, Error> {
        let (path, parts) = (self.path.clone(), self.parts.clone());
        // Compiling takes its time, and the lanes go on meanwhile.
        let loaded = tokio::task::spawn_blocking(move || next(&path, parts)).await;
        let lost = |error| Error::new(ErrorKind::Internal, format!("load the manifest: {error}"));
        self.consumers.prepare(&self.parts, loaded.map_err(lost)??).await
    }
}

/// A SIGHUP: the same as over HTTP, and nobody waits for the answer.
pub(crate) fn hangup(ask: &mpsc::Sender<Reload>) {
    let (reply, _) = oneshot::channel();
    if ask.try_send(Reload(reply)).is_err() {
        warn!("SIGHUP: the manifest is being read again already");
    }
}

/// Loads what is to run. What did not change is what runs: a plugin is not compiled, and a database not opened, twice.
fn next(path: &Utf8PathBuf, now: Parts) -> Result<Parts, Error> {
    let manifest = load::manifest(path)?;
    let mut plugins = load::plugins(&manifest, &now.host)?;
    for (name, plugin) in &mut plugins {
        let is_same = now.manifest.plugins.get(name) == manifest.plugins.get(name);
        if let Some(known) = now.plugins.get(name).filter(|known| is_same && known.digest() == plugin.digest()) {
            *plugin = known.clone();
        }
    }
    let mut sinks = load::sinks(&manifest)?;
    for (name, sink) in &mut sinks {
        if let Some(known) = now.sinks.get(name) {
            *sink = known.clone();
        }
    }
    Ok(Parts { manifest: Arc::new(manifest), plugins, sinks, ..now })
}

fn tell(result: &Result<Vec<String>, Error>) {
    match result {
        Ok(changes) if changes.is_empty() => info!("the manifest was read again; nothing is different"),
        Ok(changes) => info!(changes = changes.len(), "the manifest was read again and taken"),
        Err(error) => error!("the manifest was read again and not taken; what ran goes on: {error}"),
    }
}

/// Returns what a change of which is a change of the manifest.
fn files(path: &Utf8PathBuf, manifest: &Manifest) -> Vec<Utf8PathBuf> {
    let components = manifest.plugins.values().filter_map(|plugin| plugin.component.file());
    let components = components.filter_map(|path| Utf8PathBuf::from_path_buf(path.to_owned()).ok());
    std::iter::once(path.clone()).chain(components).collect()
}

async fn changed(watch: &mut Option<Watch>) -> Utf8PathBuf {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
