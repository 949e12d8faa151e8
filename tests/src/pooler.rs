//! PgBouncer in transaction mode before a PostgreSQL server: what one transaction leaves in its session, the next one of
//! the same client does not find.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use tokio_postgres::NoTls;

use crate::port::Port;
use crate::postgres::{Account, Postgres, command_as, scratch};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

/// How long it may take to come up.
const START: Duration = Duration::from_secs(20);

/// A pooler. It ends when it is dropped; the server's own coming and going does not end it.
pub struct Pooler {
    process: Process,
    port: u16,
    _scratch: Scratch,
}

impl Pooler {
    /// Starts a pooler before a server that is up. It has few connections to the server, and many clients share them.
    pub async fn start(postgres: &Postgres) -> Self {
        let account = Account::for_server();
        let scratch = scratch("pooler", account);
        let port = Port::free().release();
        let settings = scratch.path().join("pgbouncer.ini");
        fs::write(&settings, ini(port, postgres.port())).expect("the folder can be written");
        let mut command = command_as(account, &program());
        command.arg(&settings).current_dir(scratch.path());
        let process = Process::start("PgBouncer", command, &scratch.path().join("pgbouncer.log"), libc::SIGKILL);
        let pooler = Self { process, port, _scratch: scratch };
        pooler.wait_ready().await;
        pooler
    }

    /// Returns the URL of a database behind it, as its owner.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Returns whether it still runs.
    pub fn is_up(&self) -> bool {
        self.process.exit().is_none()
    }

    async fn wait_ready(&self) {
        let url = self.url("postgres");
        let serves = async || {
            assert!(self.is_up(), "PgBouncer ended at its start\n{}", self.process.log_tail(40));
            let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await else { return false };
            tokio::spawn(connection);
            client.simple_query("select 1").await.is_ok()
        };
        wait::until_or_dump(START, "PgBouncer to serve", serves, || self.process.log_tail(40)).await;
    }
}

fn ini(port: u16, target: u16) -> String {
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={target} user=postgres\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         max_client_conn = 200\n\
         default_pool_size = 4\n\
         ; It asks a server that was away again after a second, and not only after 15.\n\
         server_login_retry = 1\n"
    )
}

/// Finds the program: in `PATH`, or where Debian puts it.
fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    let found = folders.map(|folder| folder.join("pgbouncer")).find(|file| file.is_file());
    found.expect("`pgbouncer` is not installed: it is a package of its own")
}
