//! The file as its thread has it: open with its lock held, or not open. It is opened at need, and again after an error that
//! says that the connection is not to be trusted.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay_core::verdict::{Cause, Reason, Verdict};
use rusqlite::OpenFlags;

use crate::sqlite::decimal;
use crate::sqlite::verdict::of_error;
use crate::sqlite::watch::Watch;

/// A connection that has prepared this many statements forgets the oldest.
const STATEMENTS_MAX: usize = 500;

/// How the file is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// How long another program's lock is waited for.
    pub(super) lock_timeout: Duration,
    /// Whether changes are told, and the disk is not waited for.
    pub(super) is_watching: bool,
}

/// What is done where there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    Make,
    Refuse,
}

/// The file, open or not.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    mode: Mode,
    open: Option<Connection>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Connection {
    connection: rusqlite::Connection,
    pub(super) watch: Option<Watch>,
    /// What the path led to when it was opened.
    identity: Option<(u64, u64)>,
    /// Declared last: the lock falls after the connection is closed.
    _lock: fs::File,
}

impl Deref for Connection {
    type Target = rusqlite::Connection;

    fn deref(&self) -> &rusqlite::Connection {
        &self.connection
    }
}

impl File {
    pub(super) fn new(path: PathBuf, mode: Mode) -> Self {
        Self { path, mode, open: None }
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Runs `action` on the open file. A transaction that it leaves open is undone.
    pub(super) fn run<T>(
        &mut self,
        absent: Absent,
        action: impl FnOnce(&mut Connection) -> Result<T, Verdict>,
    ) -> Result<T, Verdict> {
        // Somebody may have put another file in its place: rows must not go into one that nobody sees.
        if self.open.as_ref().is_some_and(|open| open.identity != identity(&self.path)) {
            self.close();
        }
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(open(&self.path, self.mode, absent)?),
        };
        let result = action(open);
        let is_undone = open.is_autocommit() || open.execute_batch("rollback").is_ok();
        let is_doubtful =
            matches!(result, Err(Verdict::Unavailable(_) | Verdict::Unknown(_) | Verdict::Misconfigured(_)));
        if is_doubtful || !is_undone {
            open.reset();
        }
        if !is_undone || matches!(result, Err(Verdict::Unknown(_))) {
            self.close();
        }
        result
    }

    /// Runs a question. Where another process has the file, it is asked beside it.
    pub(super) fn look<T>(
        &mut self,
        action: impl FnOnce(&rusqlite::Connection) -> Result<T, Verdict>,
    ) -> Result<T, Verdict> {
        match &self.open {
            Some(open) if open.identity == identity(&self.path) => action(open),
            _ => {
                check_place(&self.path, Absent::Refuse)?;
                let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, self.mode.lock_timeout)?;
                action(&connection)
            }
        }
    }
}

impl Connection {
    /// Starts to tell changes, where that is wanted.
    pub(super) fn start_watch(&mut self) -> Result<(), rusqlite::Error> {
        self.watch.as_mut().map_or(Ok(()), |watch| watch.start(&self.connection))
    }

    /// Forgets what was prepared: the schema may be another one.
    fn reset(&self) {
        self.connection.flush_prepared_statement_cache();
    }
}

fn open(path: &Path, mode: Mode, absent: Absent) -> Result<Connection, Verdict> {
    check_place(path, absent)?;
    let lock = lock(path)?;
    let flags = match absent {
        Absent::Make => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Absent::Refuse => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = connect(path, flags, mode.lock_timeout)?;
    let synchronous = if mode.is_watching { "off" } else { "full" };
    let settings = format!("pragma journal_mode = wal; pragma synchronous = {synchronous}; pragma foreign_keys = on");
    connection.execute_batch(&settings).map_err(|error| of_error(&error))?;
    decimal::register(&connection).map_err(|error| of_error(&error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let watch = match mode.is_watching {
        true => Some(Watch::register(&connection).map_err(|error| of_error(&error))?),
        false => None,
    };
    Ok(Connection { connection, watch, identity: identity(path), _lock: lock })
}

fn connect(path: &Path, flags: OpenFlags, lock_timeout: Duration) -> Result<rusqlite::Connection, Verdict> {
    let connection = rusqlite::Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| of_error(&error))?;
    connection.busy_timeout(lock_timeout).map_err(|error| of_error(&error))?;
    Ok(connection)
}

/// What a person must mend, before SQLite says no more than that it can not open the file.
fn check_place(path: &Path, absent: Absent) -> Result<(), Verdict> {
    let shown = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let message =
            format!("there is no folder `{}` for the file `{shown}`; make it or correct the url", folder.display());
        return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
    }
    if path.is_dir() {
        let message = format!("`{shown}` is a folder; name a file in the url");
        return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
    }
    if absent == Absent::Refuse && !path.exists() {
        let message = format!(
            "there is no file `{shown}`; make it with the tables of the manifest (sqlite3 {shown} < schema.sql) or correct \
             the url"
        );
        return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
    }
    Ok(())
}

/// One process writes the file, and knows it: SQLite's own locks are held for a transaction only. The lock is on a file of
/// its own, because whoever closes a file gives up what SQLite has locked in it.
fn lock(path: &Path) -> Result<fs::File, Verdict> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let place = PathBuf::from(name);
    let shown = place.display();
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            let message =
                format!("`{shown}` can not be opened ({error}); give Forebay the right to write in that folder");
            Verdict::Misconfigured(Cause::new(Reason::Permission, message))
        }
        _ => {
            let message = format!("`{shown}` can not be locked: {error}; put the file on a disk of this machine");
            Verdict::Unavailable(Cause::new(Reason::Database, message))
        }
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&place).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(refused(error)),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "another process has `{}` (it holds `{shown}`); stop that one, or wait: whoever waits takes over when it ends",
                path.display()
            );
            Err(Verdict::Unavailable(Cause::new(Reason::Database, message)))
        }
    }
}

/// What a path leads to, where the system tells.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What a path leads to, where the system tells.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}
