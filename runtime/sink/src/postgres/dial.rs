//! Opening a connection, and finding out whether a server or a pooler answers: behind a pooler in transaction mode a
//! session's statements are on whichever backend it had at that moment, and under the same name another process's may be.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{ConfigConnectImpl, Connect};
use forebay_core::manifest::settings::Sink;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage, Socket};
use tracing::{info, warn};

use crate::postgres::url;
use crate::process::Process;

/// A setting of the session's own: only who started the backend has it there.
const SETTING: &str = "forebay.session";

/// Opens connections of one sink. Clones share what was found out.
#[derive(Clone)]
pub(super) struct Dial {
    inner: Arc<dyn Connect>,
    sink: Arc<Sink>,
    /// What only this process gives its sessions.
    secret: Arc<str>,
    is_pooled: Arc<AtomicBool>,
}

/// An open connection and the task that serves it.
type Connection = (Client, JoinHandle<()>);

impl Dial {
    pub(super) fn new<T>(sink: &Sink, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let secret = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let inner: Arc<dyn Connect> = Arc::new(ConfigConnectImpl { tls });
        Self { inner, sink: Arc::new(sink.clone()), secret: secret.into(), is_pooled: Arc::default() }
    }

    /// Whether a pooler stands between: then no statement may keep a name.
    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }

    pub(super) async fn open(&self, config: &Config) -> Result<Connection, Error> {
        let mut marked = config.clone();
        let options = config.get_options().map_or(String::new(), |options| format!("{options} "));
        // What is prepared before a transaction starts waits for locks as well, and no longer than within one.
        let lock = self.sink.timeouts.lock.as_millis();
        marked.options(format!("{options}-c {SETTING}={} -c lock_timeout={lock}", self.secret));
        match self.inner.connect(&marked).await {
            Ok((client, task)) => {
                if !self.is_own(&client).await? {
                    self.found_pooler();
                }
                Ok((client, task))
            }
            // A pooler knows few parameters of a start, and this is none of them.
            Err(error) if error.as_db_error().is_some_and(|error| error.message().contains("startup parameter")) => {
                self.found_pooler();
                self.inner.connect(config).await
            }
            Err(error) => Err(error),
        }
    }

    async fn is_own(&self, client: &Client) -> Result<bool, Error> {
        let rows = client.simple_query(&format!("select current_setting('{SETTING}', true)")).await?;
        Ok(rows.iter().any(|row| match row {
            SimpleQueryMessage::Row(row) => row.get(0) == Some(&self.secret),
            _ => false,
        }))
    }

    /// Reads the files behind the connection string again: a password is changed there while we run.
    fn renewed(&self) -> Option<Config> {
        let url = self.sink.url.read_again(&Process)?;
        let renewed = url::parse(&Sink { url, ..Sink::clone(&self.sink) });
        renewed.map(|target| target.config).inspect_err(|error| warn!(%error, "what a file says now is of no use")).ok()
    }

    fn found_pooler(&self) {
        if !self.is_pooled.swap(true, Ordering::Relaxed) {
            info!(
                sink = self.sink.name,
                "a pooler stands before the database: statements are sent with their text each time"
            );
        }
    }
}

impl Connect for Dial {
    fn connect(
        &self,
        config: &Config,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send + '_>> {
        let config = self.renewed().unwrap_or_else(|| config.clone());
        Box::pin(async move { self.open(&config).await })
    }
}
