//! Folders that vanish after the test, and stay where a failed one left something to read.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::{fs, process, thread};

use crate::{names, place};

/// Folders that live: a static is never dropped, so what is left is removed when the process exits.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// What becomes of a folder when its test fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Somebody will want to read it: it stays until the next run.
    Keep,
    /// It is large and says little: it goes.
    Remove,
}

/// A folder of one test or server.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    on_failure: OnFailure,
}

impl Scratch {
    /// Makes a folder in `target/tmp`.
    pub fn new(name: &str, on_failure: OnFailure) -> Self {
        Self::within(&place::target().join("tmp"), name, on_failure)
    }

    /// Makes a folder in `base`, and removes those that processes which are gone left there.
    pub fn within(base: &Path, name: &str, on_failure: OnFailure) -> Self {
        static SWEEP: Once = Once::new();
        fs::create_dir_all(base).unwrap_or_else(|error| panic!("create `{}`: {error}", base.display()));
        SWEEP.call_once(|| sweep(base));
        let path = base.join(format!("forebay-{name}-{}-{}", process::id(), names::next()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("create `{}`: {error}", path.display()));
        crate::process::at_exit();
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self { path, on_failure }
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.path);
        if !thread::panicking() || self.on_failure == OnFailure::Remove {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// Removes what still lives; called once, at exit.
pub(crate) fn remove_all() {
    if let Ok(mut live) = LIVE.lock() {
        for path in live.drain(..) {
            fs::remove_dir_all(path).ok();
        }
    }
}

/// Folders are called `forebay-NAME-PID-NUMBER`; where no process has that id any more, nobody uses it.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().filter(|name| name.starts_with("forebay-")).and_then(|name| name.rsplit('-').nth(1));
        let is_alive = |pid: &str| Path::new("/proc").join(OsStr::new(pid)).exists();
        if owner.is_some_and(|pid| pid.parse::<u32>().is_ok() && !is_alive(pid)) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
