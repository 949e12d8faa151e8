//! Sending: one idempotent producer per process, answered once all replicas have a message.
//!
//! What the cluster cannot take now is sent again for as long as it takes, and said aloud; only what can never be taken
//! comes back as an error. A repeat is possible after an outage: receivers tell it by the message's own id.

mod flights;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_core::manifest::settings::Kafka;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::config;
use crate::error::Error;
use crate::raw::Waker;
use worker::Worker;

/// Calls that wait in the channel; each holds its messages.
const CALLS_MAX: usize = 64;

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; by key as Java's producers choose it if `None`.
    pub partition: Option<i32>,
    /// The key, `None` for null.
    pub key: Option<Bytes>,
    /// The value, `None` for a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order: names may be any bytes, values null.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// Milliseconds since the Unix epoch; now if `None`.
    pub timestamp_ms: Option<i64>,
}

/// Why a message cannot be sent, now or later, as things are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It is larger than the topic takes.
    #[error("a message of {bytes} bytes is too large for topic `{topic}`; raise its max.message.bytes")]
    TooLarge {
        /// Where it should go.
        topic: Arc<str>,
        /// Its key, value and headers.
        bytes: usize,
    },
    /// The broker refuses it for what it is, alone in its batch.
    #[error("topic `{topic}` refuses the message: {reason}")]
    Refused {
        /// Where it should go.
        topic: Arc<str>,
        /// The broker's sentence.
        reason: String,
    },
    /// This user may not write there.
    #[error(
        "not allowed to write to topic `{topic}`; grant this user the right (Write, and IdempotentWrite on old clusters)"
    )]
    Unauthorized {
        /// Where it should go.
        topic: Arc<str>,
    },
    /// There is no such topic or partition.
    #[error("topic `{topic}` or its partition does not exist; create it or correct the manifest")]
    UnknownTopic {
        /// Where it should go.
        topic: Arc<str>,
    },
    /// The producer was closed before the message was acknowledged; it may have arrived.
    #[error("the producer was closed before the message was acknowledged")]
    Stopped,
}

/// Where a message landed: partition and offset.
pub type Landed = (i32, i64);

pub(crate) enum Call {
    Send(Vec<Outgoing>, oneshot::Sender<Vec<Result<Landed, SendError>>>),
    Flush(oneshot::Sender<()>),
}

/// A producer and its thread. Clones share it; the last one dropped ends it.
#[derive(Debug, Clone)]
pub struct Producer {
    calls: mpsc::Sender<Call>,
    waker: Waker,
    trouble: Arc<Mutex<Option<Error>>>,
}

impl Producer {
    /// Starts a producer; no connection is waited for.
    ///
    /// # Errors
    /// If a setting is invalid or the thread cannot be had.
    pub fn start(kafka: &Kafka) -> Result<Self, Error> {
        let (calls, taken) = mpsc::channel(CALLS_MAX);
        let trouble = Arc::new(Mutex::new(None));
        let (worker, waker) = Worker::new(config::producer(kafka), taken, Arc::clone(&trouble))?;
        let no_thread = |error| Error::fatal(format!("start the producer's thread: {error}"));
        std::thread::Builder::new().name("kafka-producer".to_owned()).spawn(move || worker.run()).map_err(no_thread)?;
        Ok(Self { calls, waker, trouble })
    }

    /// Sends messages and returns what became of each, in their order, once that is settled for all: through outages
    /// it waits. Messages of one call keep their order per partition as long as nothing has to be sent again.
    ///
    /// Dropping the future does not take back what it has handed over.
    pub async fn send_all(&self, messages: Vec<Outgoing>) -> Vec<Result<Landed, SendError>> {
        let length = messages.len();
        if length == 0 {
            return Vec::new();
        }
        let (done, wait) = oneshot::channel();
        let is_taken = self.calls.send(Call::Send(messages, done)).await.is_ok();
        self.waker.wake();
        let settled = if is_taken { wait.await.ok() } else { None };
        settled.unwrap_or_else(|| vec![Err(SendError::Stopped); length])
    }

    /// Sends one message; see [`Producer::send_all`].
    ///
    /// # Errors
    /// If it can never be taken, or the producer is closed first.
    pub async fn send(&self, message: Outgoing) -> Result<Landed, SendError> {
        self.send_all(vec![message]).await.pop().unwrap_or(Err(SendError::Stopped))
    }

    /// Waits until everything handed over before is settled. Returns whether that was so within `deadline`.
    pub async fn flush(&self, deadline: Duration) -> bool {
        let (done, wait) = oneshot::channel();
        let flushed = async {
            let is_taken = self.calls.send(Call::Flush(done)).await.is_ok();
            self.waker.wake();
            is_taken && wait.await.is_ok()
        };
        tokio::time::timeout(deadline, flushed).await.unwrap_or(false)
    }

    /// Returns what keeps messages waiting, `None` while they are acknowledged.
    pub fn trouble(&self) -> Option<Error> {
        self.trouble.lock().clone()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // The thread looks whether it was the last. It ends once the channel is, which it is only after this.
        self.waker.wake();
    }
}

impl Outgoing {
    /// Returns the bytes of key, value and headers.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
        length(&self.key) + length(&self.value) + headers
    }
}
