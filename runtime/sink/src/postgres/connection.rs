//! A sink's pool of connections. Every wait has a deadline from the manifest.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use forebay_core::manifest::settings::{Sink, Timeouts};
use forebay_core::verdict::{Cause, Reason, Verdict};

use crate::named::named;
use crate::postgres::tls;
use crate::postgres::url::{self, InvalidUrl};
use crate::postgres::verdict::{chain, of_error};

/// How much longer than the server's own time-outs the client waits before it gives a connection up.
const MARGIN: Duration = Duration::from_secs(5);

/// A connection that has prepared this many statements forgets them: rows of ever new shapes must not fill memory.
const STATEMENTS_MAX: usize = 500;

/// One PostgreSQL sink.
#[derive(Clone)]
pub struct Postgres {
    name: String,
    timeouts: Timeouts,
    pool_size: usize,
    pool: Pool,
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
        let (manager, broken) = match tls::connector(&target) {
            Ok(connector) => (Manager::from_config(target.config, connector, manager_config), None),
            Err(why) => (Manager::from_config(target.config, tokio_postgres::NoTls, manager_config), Some(why)),
        };
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
        Ok(Self { name: sink.name.clone(), timeouts: sink.timeouts, pool_size, pool, broken })
    }

    /// Returns the sink's name in the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn client(&self) -> Result<Object, Verdict> {
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

    /// Waits no longer than the server itself would let a statement run, and a margin.
    pub(super) async fn bounded<T>(&self, future: impl Future<Output = T>) -> Result<T, Verdict> {
        let deadline = self.deadline();
        tokio::time::timeout(deadline, future).await.map_err(|_| {
            let message = format!("sink `{}` did not answer within {deadline:?}", self.name);
            Verdict::Unavailable(Cause::new(Reason::Database, message))
        })
    }

    pub(super) fn deadline(&self) -> Duration {
        self.timeouts.statement + MARGIN
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
        Verdict::Unavailable(Cause::new(Reason::Database, format!("sink `{}`: {message}", self.name)))
    }
}
