//! A throw-away PostgreSQL: a cluster of its own, made by `initdb`, that listens on one TCP port of this machine.

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs, os::unix::fs::chown};

use tokio::sync::OnceCell;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use crate::port::Port;
use crate::process::Process;
use crate::scratch::{OnFailure, Scratch};
use crate::{place, wait};

/// How long a cluster may take to be made or to come up.
const START: Duration = Duration::from_secs(60);

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, transactions rolled back, the cluster is left in order (`SIGINT`).
    Fast,
    /// Like a crash: the next start recovers from the log (`SIGQUIT`).
    Immediate,
}

/// A server and its cluster.
pub struct Postgres {
    process: Mutex<Process>,
    port: u16,
    account: Option<Account>,
    scratch: Scratch,
}

/// Whom a server runs as that refuses root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Returns the server that all tests of this process share. Nobody may stop it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Makes a cluster and starts its server.
    pub async fn start() -> Self {
        let account = Account::for_server();
        let scratch = scratch("postgres", account);
        let data = scratch.path().join("data");
        let mut command = account_command("initdb", account);
        command.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--pgdata",
        ]);
        command.arg(&data).current_dir(scratch.path());
        let initdb = Process::start("initdb", command, &scratch.path().join("initdb.log"), libc::SIGKILL);
        let status = initdb.wait_exit(START).await;
        assert!(status.success(), "initdb failed ({status})\n{}", initdb.log_tail(40));
        let port = Port::free().release();
        let process = Mutex::new(run(&scratch, account, port));
        let postgres = Self { process, port, account, scratch };
        postgres.wait_ready().await;
        postgres
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) {
        self.execute("postgres", &format!("create database {name}")).await;
    }

    /// Returns the URL of a database, for its owner.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// Returns the URL of a database for another role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connects to a database.
    pub async fn connect(&self, database: &str) -> Client {
        self.try_connect(database).await.unwrap_or_else(|error| panic!("connect to database `{database}`: {error}"))
    }

    /// Connects to a database, or says why not.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn try_connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs statements on a connection of their own.
    pub async fn execute(&self, database: &str, sql: &str) {
        let client = self.connect(database).await;
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("run `{sql}`: {error:?}"));
    }

    /// Runs a query on a connection of its own and returns its rows.
    pub async fn query(&self, database: &str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        let client = self.connect(database).await;
        client.query(sql, params).await.unwrap_or_else(|error| panic!("run `{sql}`: {error:?}"))
    }

    /// Stops the server and waits until it is gone; its cluster stays.
    pub async fn stop(&self, how: Stop) {
        let signal = match how {
            Stop::Fast => libc::SIGINT,
            Stop::Immediate => libc::SIGQUIT,
        };
        self.process().signal(signal);
        let is_gone = async || self.process().exit().is_some();
        wait::until_or_dump(START, "PostgreSQL to stop", is_gone, || self.process().log_tail(40)).await;
    }

    /// Starts a stopped server again, on its port with its cluster.
    pub async fn start_again(&self) {
        let process = run(&self.scratch, self.account, self.port);
        *self.process() = process;
        self.wait_ready().await;
    }

    /// Keeps a copy of the stopped server's cluster, in place of an earlier one.
    pub fn keep_copy(&self) {
        self.copy("data", "copy");
    }

    /// Puts the copy in the place of the stopped server's cluster: it is as it was then.
    pub fn go_back_to_copy(&self) {
        self.copy("copy", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        assert!(self.process().exit().is_some(), "a cluster is copied while its server is stopped");
        let (from, to) = (self.scratch.path().join(from), self.scratch.path().join(to));
        if to.exists() {
            fs::remove_dir_all(&to).expect("the folder is ours");
        }
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status().expect("`cp` is there");
        assert!(copied.success(), "copy `{}` to `{}`", from.display(), to.display());
    }

    /// Returns the process id of the postmaster.
    pub fn pid(&self) -> i32 {
        self.process().pid()
    }

    async fn wait_ready(&self) {
        let is_ready = async || {
            let exit = self.process().exit();
            assert!(exit.is_none(), "PostgreSQL ended at its start ({exit:?})\n{}", self.process().log_tail(40));
            self.try_connect("postgres").await.is_ok()
        };
        wait::until_or_dump(START, "PostgreSQL to serve", is_ready, || self.process().log_tail(40)).await;
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(scratch: &Scratch, account: Option<Account>, port: u16) -> Process {
    let mut command = account_command("postgres", account);
    command.arg("-D").arg(scratch.path().join("data")).current_dir(scratch.path());
    let port = format!("port={port}");
    let settings = [
        &*port,
        "listen_addresses=127.0.0.1",
        // A checkout's path is often longer than a socket's may be.
        "unix_socket_directories=",
        "fsync=on",
        "shared_buffers=64MB",
        "max_connections=300",
        "max_wal_size=512MB",
        "max_prepared_transactions=8",
        "log_min_messages=warning",
        "jit=off",
    ];
    for setting in settings {
        command.args(["-c", setting]);
    }
    // Killed outright, it would leave its shared memory behind.
    Process::start("PostgreSQL", command, &scratch.path().join("postgres.log"), libc::SIGQUIT)
}

/// Returns a folder that the server's account can reach and write: in `target/tmp`, or where a checkout lies in somebody's
/// private folder, in the machine's temporary one.
pub(crate) fn scratch(name: &str, account: Option<Account>) -> Scratch {
    let base = place::target().join("tmp");
    let Some(Account { uid, gid }) = account else {
        return Scratch::within(&base, name, OnFailure::Remove);
    };
    let base = if is_open_to_all(&place::target()) { base } else { env::temp_dir() };
    let scratch = Scratch::within(&base, name, OnFailure::Remove);
    chown(scratch.path(), Some(uid), Some(gid)).expect("root may give a folder away");
    scratch
}

fn is_open_to_all(folder: &Path) -> bool {
    let may_enter = |path: &Path| fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o001 != 0);
    folder.ancestors().all(may_enter)
}

fn account_command(program: &str, account: Option<Account>) -> Command {
    command_as(account, &server_program(program))
}

/// Returns a command that runs as that account.
pub(crate) fn command_as(account: Option<Account>, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// Finds a program of the server's: in `PATH`, or in the newest of Debian's folders.
fn server_program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    folders.extend(versions.iter().rev().map(|version| version.join("bin")));
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("PostgreSQL's `{name}` is not installed: run `cargo xtask setup`"))
}

impl Account {
    /// Returns whom the server must run as, where that is somebody else.
    pub(crate) fn for_server() -> Option<Self> {
        // SAFETY: a bare system call.
        if unsafe { libc::geteuid() } != 0 {
            return None;
        }
        let found = ["postgres", "nobody"].iter().find_map(|name| Self::named(name));
        Some(found.expect("a machine has the account `postgres` or `nobody`"))
    }

    fn named(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends with NUL, and what is returned is copied before anybody asks again.
        let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref() }?;
        Some(Self { uid: entry.pw_uid, gid: entry.pw_gid })
    }
}
