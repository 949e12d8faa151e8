//! Where `forebay dev` keeps its files: a folder beside the manifest, for one process at a time.

use std::fs::{self, File};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_sink::Sqlite;

use crate::dev::of_verdict;
use crate::error::{Error, ErrorKind};

/// Nobody else has the file.
const LOCK: Duration = Duration::from_secs(1);

/// The folder, locked for as long as this lives.
pub(super) struct Room {
    /// Where the tables are.
    pub(super) folder: Utf8PathBuf,
    _lock: File,
}

impl Room {
    /// Makes and locks the folder beside a manifest.
    ///
    /// # Errors
    /// Where it can not be made, or another process is in it.
    pub(super) fn open(manifest: &Utf8Path) -> Result<Self, Error> {
        let beside = manifest.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        let folder = beside.join(".forebay");
        let failed = |what: &str, error: std::io::Error| {
            let message =
                format!("{what} `{folder}`: {error}; `forebay dev` keeps its tables there, so it must be writable");
            Error::new(ErrorKind::Config, message)
        };
        fs::create_dir_all(&folder).map_err(|error| failed("make the folder", error))?;
        // Nobody wants the tables of a trial in a repository.
        fs::write(folder.join(".gitignore"), "*\n").map_err(|error| failed("write into", error))?;
        let lock = File::create(folder.join("lock")).map_err(|error| failed("write into", error))?;
        lock.try_lock().map_err(|_| {
            let message =
                format!("another `forebay dev` uses `{folder}`; end it, or copy the project to another folder");
            Error::new(ErrorKind::Config, message)
        })?;
        Ok(Self { folder, _lock: lock })
    }

    /// Runs the tables' script in a file of its own: where it fails, the tables of the session before are still there.
    ///
    /// # Errors
    /// What SQLite says of the script.
    pub(super) async fn try_script(&self, script: &str) -> Result<(), Error> {
        let path = self.folder.join("try.sqlite");
        let remove = || ["", "-wal", "-shm", ".lock"].map(|end| fs::remove_file(format!("{path}{end}")).is_ok());
        let _was_there = remove();
        let sink = Sqlite::new("schema.sqlite.sql", path.as_std_path(), LOCK);
        let tried = sink.execute_script(script).await.map_err(|verdict| of_verdict(&verdict));
        sink.close().await;
        let _is_gone = remove();
        tried
    }

    /// Takes the tables of an earlier run away.
    ///
    /// # Errors
    /// Where they can not be removed.
    pub(super) fn clear(&self) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Config, format!("empty the folder `{}`: {error}; remove it by hand", self.folder))
        };
        for entry in self.folder.read_dir_utf8().map_err(failed)? {
            let path = entry.map_err(failed)?.into_path();
            if path.file_name().is_some_and(|name| name.contains(".sqlite")) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}
