//! A sink's pool of connections. Every wait has a deadline from the manifest.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use forebay_core::manifest::settings::{Sink, Timeouts};
use forebay_core::verdict::{Cause, Reason, Verdict};
use postgres_types::{ToSql, Type};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls, Row};

use crate::named::named;
use crate::postgres::dial::Dial;
use crate::postgres::function::Functions;
use crate::postgres::tls;
use crate::postgres::url::{self, InvalidUrl};
use crate::postgres::verdict::{chain, of_error};

/// How much longer than the server's own time-outs the client waits before it gives a connection up.
const MARGIN: Duration = Duration::from_secs(5);

/// A connection that has prepared this many statements forgets them: rows of ever new shapes must not fill memory.
const STATEMENTS_MAX: usize = 500;

/// A statement's parameter with its type: a statement without a name needs no answer of the server before it is run.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One PostgreSQL sink.
#[derive(Clone)]
pub struct Postgres {
    name: String,
    timeouts: Timeouts,
    pool_size: usize,
    pool: Pool,
    dial: Dial,
    config: Arc<Config>,
    /// For the search for refused rows.
    functions: Arc<Functions>,
    /// Certificates that could not be read: said at each use, since the file may come.
    broken: Option<String>,
}

/// A connection that a transaction runs on. It goes back to the pool only when the transaction is known to have ended;
/// otherwise, and where the task is dropped in the middle, it is closed: an open transaction in the pool would hold its
/// locks, and the next user's rows would become a part of it.
pub(super) struct Lease {
    /// Set until the lease ends.
    client: Option<Object>,
}

impl Lease {
    /// Runs a transaction, and gives the connection back to the pool if it ended well.
    pub(super) async fn run<T>(
        mut self,
        transaction: impl AsyncFnOnce(&Object) -> Result<T, Verdict>,
    ) -> Result<T, Verdict> {
        let Some(client) = &self.client else { return Err(Verdict::Unknown("the connection is gone".to_owned())) };
        let result = transaction(client).await;
        if result.is_ok() {
            drop(self.client.take());
        }
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Postgres").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Returns the sink; opens no connection yet.
    ///
    /// # Errors
    /// Where the connection string can not be used.
    pub fn new(sink: &Sink) -> Result<Self, InvalidUrl> {
        let target = url::parse(sink)?;
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (dial, broken) = match tls::connector(&target) {
            Ok(connector) => (Dial::new(sink, connector), None),
            Err(why) => (Dial::new(sink, NoTls), Some(why)),
        };
        let config = Arc::new(target.config);
        let manager = Manager::from_connect(Config::clone(&config), dial.clone(), manager_config);
        let Timeouts { connect, statement, lock: _, idle: _ } = sink.timeouts;
        let pool_size = sink.pool_size.get();
        let pool = Pool::builder(manager)
            .max_size(pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(statement))
            .create_timeout(Some(connect))
            .recycle_timeout(Some(connect))
            .build()
            .map_err(|error| url::invalid(sink, format!("can not be pooled: {error}")))?;
        Ok(Self {
            name: sink.name.clone(),
            timeouts: sink.timeouts,
            pool_size,
            pool,
            dial,
            config,
            functions: Arc::default(),
            broken,
        })
    }

    /// Returns the sink's name in the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a pooler stands before the server, as far as any connection has shown.
    pub(super) fn is_pooled(&self) -> bool {
        self.dial.is_pooled()
    }

    /// Returns the functions that search for refused rows.
    pub(super) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Opens a connection beside the pool.
    pub(super) async fn open_another(&self) -> Result<(Client, JoinHandle<()>), Error> {
        self.dial.open(&self.config).await
    }

    /// Drops the connections that nobody uses at the moment.
    pub(super) fn forget_idle(&self) {
        let _dropped_here = self.pool.retain(|_, _| false);
    }

    async fn client(&self) -> Result<Object, Verdict> {
        if let Some(why) = &self.broken {
            return Err(Verdict::Misconfigured(Cause::new(Reason::Permission, format!("sink `{}`: {why}", self.name))));
        }
        let client = self.pool.get().await.map_err(|error| self.of_pool(&error))?;
        if client.statement_cache.size() > STATEMENTS_MAX {
            client.statement_cache.clear();
        }
        Ok(client)
    }

    /// Returns a connection for a transaction.
    pub(super) async fn lease(&self) -> Result<Lease, Verdict> {
        Ok(Lease { client: Some(self.client().await?) })
    }

    /// The start of a transaction, with the server's own time-outs; works behind a pooler in transaction mode as well.
    pub(super) fn begin(&self) -> String {
        let Timeouts { connect: _, statement, lock, idle } = self.timeouts;
        format!(
            "begin; set local statement_timeout = {}; set local lock_timeout = {}; \
             set local idle_in_transaction_session_timeout = {}",
            statement.as_millis(),
            lock.as_millis(),
            idle.as_millis()
        )
    }

    /// Asks a question outside of transactions.
    pub(super) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Verdict> {
        let asked = async |client: &Object| client.query_typed(sql, params).await.map_err(|error| of_error(&error));
        self.asked(self.lease().await?.run(asked)).await
    }

    /// Runs one or more statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Verdict> {
        let asked = async |client: &Object| client.batch_execute(sql).await.map_err(|error| of_error(&error));
        self.asked(self.lease().await?.run(asked)).await
    }

    /// Waits for a question no longer than for a silent peer. A connection that is given up here is closed, because what
    /// it was asked may still come.
    async fn asked<T>(&self, question: impl Future<Output = Result<T, Verdict>>) -> Result<T, Verdict> {
        let deadline = self.timeouts.idle;
        let Ok(answer) = tokio::time::timeout(deadline, question).await else {
            self.forget_idle();
            let message = format!("sink `{}` did not answer within {deadline:?}", self.name);
            return Err(Verdict::Unavailable(Cause::new(Reason::Database, message)));
        };
        answer.map_err(|verdict| named(&self.name, verdict))
    }

    /// The longest that one statement may take, and a margin.
    pub(super) fn deadline(&self) -> Duration {
        self.timeouts.statement + MARGIN
    }

    /// How long a transaction may take to start: a lock may be waited for, and a dead connection is still noticed within
    /// `timeouts.idle`.
    pub(super) fn start_within(&self) -> Duration {
        (self.timeouts.lock + self.look_after()).min(self.timeouts.idle * 3 / 4)
    }

    /// How long a connection may be silent before the server is asked after it: asking and waiting for what is on its way
    /// stay within `timeouts.idle`.
    pub(super) fn look_after(&self) -> Duration {
        self.timeouts.idle / 4
    }

    fn of_pool(&self, error: &PoolError) -> Verdict {
        let message = match error {
            PoolError::Backend(error) => return named(&self.name, of_error(error)),
            PoolError::Timeout(TimeoutType::Wait) => format!("all {} connections are busy", self.pool_size),
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                format!("no connection within {:?}", self.timeouts.connect)
            }
            other => chain(other),
        };
        let cause = Cause::new(Reason::Database, format!("sink `{}`: {message}", self.name));
        let is_busy = matches!(error, PoolError::Timeout(TimeoutType::Wait));
        Verdict::Unavailable(if is_busy { cause.of_target() } else { cause })
    }
}
