//! A connection that has fallen silent: the server is asked over another one whether it is still at work.
//!
//! A statement may take as long as its time-out, so silence alone says nothing. But a backend that has answered and waits
//! for the next request, or that is gone, will say nothing more; and a server that does not answer a second connection
//! either is away. Both are found well before the socket's own time-out would.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use forebay_core::verdict::Verdict;
use postgres_types::Type;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::postgres::connection::Postgres;
use crate::postgres::verdict::chain;

/// How long an answer may be on its way after the backend has sent it.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// Only while it still waits: it may have got what it waited for, and serve another client by now.
const END: &str = "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 \
    and (state like 'idle in transaction%' or state = 'active' and wait_event = 'ClientRead')";

const WAITS: &str = "the backend waits for a request that it does not get";

/// A COPY under way that waits for its rows counts as waiting, too.
const STATE: &str = "select case when state = 'active' and wait_event = 'ClientRead' then 'idle in transaction' else state end \
    from pg_stat_activity where pid = $1";

/// Signs of life of one transaction.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The backend's process; 0 before it has told.
    pid: AtomicI32,
    /// Answers so far.
    answers: AtomicU64,
}

/// What the server says of a backend.
enum Backend {
    Working,
    /// It waits for our next request within a transaction.
    Waiting,
    Gone(String),
}

impl Signs {
    /// Notes an answer.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts a transaction and notes whose it is.
    pub(super) async fn begin(&self, client: &Client, begin: &str) -> Result<(), Error> {
        for message in client.simple_query(&format!("{begin}; select pg_backend_pid()")).await? {
            if let SimpleQueryMessage::Row(row) = message {
                let pid = row.get(0).and_then(|pid| pid.parse().ok());
                self.pid.store(pid.unwrap_or_default(), Ordering::Relaxed);
            }
        }
        self.answered();
        Ok(())
    }
}

impl Postgres {
    /// Waits for a transaction, but not for one whose connection is dead, and never longer than `deadline`.
    pub(super) async fn watched<T>(
        &self,
        signs: &Signs,
        deadline: Duration,
        transaction: impl Future<Output = Result<T, Verdict>>,
    ) -> Result<T, Verdict> {
        let mut transaction = pin!(transaction);
        let end = Instant::now() + deadline;
        let (mut answers, mut was_waiting, mut since) = (0, false, Instant::now());
        loop {
            let now = Instant::now();
            if now >= end {
                return Err(Verdict::Unknown(format!("sink `{}` did not answer within {deadline:?}", self.name())));
            }
            let look = self.look_after().min(end - now);
            match timeout(look, transaction.as_mut()).await {
                Ok(result) => return result,
                // Behind a pooler a second connection may have to wait for the first: only the deadline is left.
                Err(_) if self.is_pooled() => continue,
                Err(_) => {}
            }
            let so_far = signs.answers.load(Ordering::Relaxed);
            if std::mem::replace(&mut answers, so_far) != so_far {
                (was_waiting, since) = (false, Instant::now());
                continue;
            }
            // The transaction goes on meanwhile: the server may just have been slow.
            let why = tokio::select! {
                result = transaction.as_mut() => return result,
                backend = self.ask_after(signs.pid.load(Ordering::Relaxed), since) => match backend {
                    Backend::Working => None,
                    // Once may be a moment between two requests of ours.
                    Backend::Waiting => {
                        let is_lost = std::mem::replace(&mut was_waiting, true);
                        is_lost.then(|| WAITS.to_owned())
                    }
                    Backend::Gone(why) => Some(why),
                },
            };
            let Some(why) = why else { continue };
            if let Ok(result) = timeout(ON_ITS_WAY, transaction.as_mut()).await {
                return result;
            }
            if why == WAITS {
                self.end_backend(signs.pid.load(Ordering::Relaxed)).await;
            }
            // Whatever broke this connection may have broken those that lie idle.
            self.forget_idle();
            return Err(Verdict::Unknown(format!("the connection to sink `{}` is dead: {why}", self.name())));
        }
    }

    /// Ends a backend that keeps its locks for a client that is cut off from it. Where that fails, the server's own time-out
    /// for idle transactions does it later.
    async fn end_backend(&self, pid: i32) {
        let end = async {
            let (client, task) = self.open_another().await.ok()?;
            let ended = client.query_typed(END, &[(&pid, Type::INT4)]).await.ok();
            drop(client);
            task.abort();
            ended
        };
        let _later_by_itself = timeout(self.look_after(), end).await;
    }

    async fn ask_after(&self, pid: i32, since: Instant) -> Backend {
        if pid == 0 {
            // A statement that is prepared for the first time may wait for a lock before the transaction starts.
            if since.elapsed() < self.start_within() {
                return Backend::Working;
            }
            return Backend::Gone("not even the start of a transaction was answered".to_owned());
        }
        let ask = async {
            let (client, task) = self.open_another().await?;
            let found = client.query_typed(STATE, &[(&pid, Type::INT4)]).await;
            drop(client);
            task.abort();
            found
        };
        match timeout(self.look_after(), ask).await {
            Err(_) => Backend::Gone("the server does not answer a new connection either".to_owned()),
            // It is there and can not tell: no connection is left, or it is starting.
            Ok(Err(error)) if error.as_db_error().is_some() => Backend::Working,
            Ok(Err(error)) => Backend::Gone(format!("a new connection fails as well: {}", chain(&error))),
            Ok(Ok(rows)) => match rows.first().map(|row| row.get::<_, Option<String>>(0)) {
                None => Backend::Gone("the backend has ended".to_owned()),
                Some(Some(state)) if state == "idle" => Backend::Gone("the backend has answered already".to_owned()),
                Some(Some(state)) if state.starts_with("idle in transaction") => Backend::Waiting,
                Some(_) => Backend::Working,
            },
        }
    }
}
