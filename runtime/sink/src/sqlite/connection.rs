//! The handle of a SQLite sink and its thread, which alone touches the file: many lanes that write to one file would only
//! wait for its lock in turn, and hear of it as errors. The thread answers every request; it stops, and lets the file go,
//! when the last handle is dropped.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forebay_core::verdict::{Cause, Reason, Verdict};
use tokio::sync::{mpsc, oneshot};

use crate::named::named;
use crate::sqlite::file::{Absent, Connection, File, Mode};

/// How many requests wait at the thread. Lanes have one transaction under way each, and wait before this queue when it is
/// full.
const REQUESTS: usize = 16;

/// A request, which brings its answer to whoever waits for it.
type Request = Box<dyn FnOnce(&mut File) + Send>;

/// One SQLite sink. Clones share its thread.
#[derive(Debug, Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    path: PathBuf,
    mode: Mode,
    /// Set at the first request, with the thread.
    requests: OnceLock<mpsc::Sender<Request>>,
}

impl Sqlite {
    /// Returns the sink; opens nothing yet.
    pub fn new(name: &str, path: &Path, lock_timeout: Duration) -> Self {
        Self::of(name, path, Mode { lock_timeout, is_watching: false })
    }

    /// Returns a sink that tells each row before and after, and does not wait for the disk: for people who try things out.
    pub fn watching(name: &str, path: &Path, lock_timeout: Duration) -> Self {
        Self::of(name, path, Mode { lock_timeout, is_watching: true })
    }

    fn of(name: &str, path: &Path, mode: Mode) -> Self {
        let (name, path) = (name.to_owned(), path.to_owned());
        Self { inner: Arc::new(Inner { name, path, mode, requests: OnceLock::new() }) }
    }

    /// Returns the sink's name in the manifest.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Lets the file and its lock go; the next request opens it again.
    pub async fn close(&self) {
        if self.inner.requests.get().is_some() {
            let close = |file: &mut File| {
                file.close();
                Ok(())
            };
            // Where the thread is gone, so is the file.
            let _closed = self.ask(close).await;
        }
    }

    /// Runs `action` on the open file, in the thread. What was sent is done, even if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        absent: Absent,
        action: impl FnOnce(&mut Connection) -> Result<T, Verdict> + Send + 'static,
    ) -> Result<T, Verdict> {
        self.ask(move |file| file.run(absent, action)).await
    }

    /// Runs a question, which may be asked beside a process that has the file.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        action: impl FnOnce(&rusqlite::Connection) -> Result<T, Verdict> + Send + 'static,
    ) -> Result<T, Verdict> {
        let found = self.ask(move |file| file.look(action)).await;
        found.map_err(|verdict| named(self.name(), verdict))
    }

    async fn ask<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut File) -> Result<T, Verdict> + Send + 'static,
    ) -> Result<T, Verdict> {
        let (tx, rx) = oneshot::channel();
        let request: Request = Box::new(move |file| drop(tx.send(action(file))));
        let gone = || Verdict::Unknown("the thread that writes the file has ended; restart the process".to_owned());
        self.requests()?.send(request).await.map_err(|_| gone())?;
        rx.await.map_err(|_| gone())?
    }

    fn requests(&self) -> Result<&mpsc::Sender<Request>, Verdict> {
        let Inner { name, path, mode, requests } = &*self.inner;
        if let Some(requests) = requests.get() {
            return Ok(requests);
        }
        let (tx, rx) = mpsc::channel(REQUESTS);
        let file = File::new(path.clone(), *mode);
        let thread = std::thread::Builder::new().name(format!("sqlite-{name}"));
        let started = thread.spawn(move || serve(rx, file));
        started.map_err(|error| {
            let message = format!("no thread could be started: {error}; raise the limit on threads");
            Verdict::Unavailable(Cause::new(Reason::Database, message))
        })?;
        // Where two asked at once, the other's thread ends with its channel, having opened nothing.
        Ok(requests.get_or_init(|| tx))
    }
}

fn serve(mut requests: mpsc::Receiver<Request>, mut file: File) {
    while let Some(request) = requests.blocking_recv() {
        request(&mut file);
    }
}
