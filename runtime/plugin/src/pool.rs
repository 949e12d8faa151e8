//! The worker threads and the queue before them.
//!
//! Guests run here and nowhere else: synchronously, on plain threads, so that neither polling nor writing ever waits
//! for a handler. The queue holds as many jobs as there are workers; whoever brings more waits, which is the
//! back-pressure that reaches the lanes.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use crate::error::HandleError;
use crate::job::Job;
use crate::plugin::Plugin;
use crate::worker::Worker;
use forebay_core::outcome::Handled;

/// One job on its way.
struct Task {
    plugin: Arc<Plugin>,
    job: Job,
    /// Closed when nobody waits for the answer any more.
    reply: oneshot::Sender<Result<Vec<Handled>, HandleError>>,
}

/// The workers. Dropping it stops them: jobs that run are interrupted, jobs that wait are dropped.
pub(crate) struct Pool {
    /// `None` while it is being dropped, which ends the queue.
    queue: Option<mpsc::Sender<Task>>,
    workers: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the workers. Setting `stopping` interrupts every guest at the next tick.
    pub(crate) fn start(threads: NonZeroUsize, stopping: Arc<AtomicBool>) -> io::Result<Self> {
        // Bounded by the number of workers: enough that none waits for its next job, and no more in memory.
        let (queue, tasks) = mpsc::channel(threads.get());
        let tasks = Arc::new(Mutex::new(tasks));
        let mut pool = Self { queue: Some(queue), workers: Vec::with_capacity(threads.get()), stopping };
        for number in 0..threads.get() {
            let (tasks, stopping) = (Arc::clone(&tasks), Arc::clone(&pool.stopping));
            let name = format!("plugin-{number}");
            pool.workers.push(thread::Builder::new().name(name).spawn(move || work(&tasks, &stopping))?);
        }
        Ok(pool)
    }

    /// Queues a job and waits for its answer.
    ///
    /// Cancel safe in the sense that a dropped call drops its job: before it runs, or before its next record.
    pub(crate) async fn handle(&self, plugin: Arc<Plugin>, job: Job) -> Result<Vec<Handled>, HandleError> {
        let queue = self.queue.as_ref().ok_or(HandleError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        // If the queue is full this waits until a worker takes a job.
        queue.send(Task { plugin, job, reply }).await.map_err(|_| HandleError::Stopped)?;
        answer.await.map_err(|_| HandleError::Stopped)?
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.queue = None;
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                error!("a plugin worker ended in a panic");
            }
        }
    }
}

/// A worker's life: one waits for the next job, the others wait for their turn to wait.
fn work(tasks: &Mutex<mpsc::Receiver<Task>>, stopping: &AtomicBool) {
    let mut worker = Worker::default();
    loop {
        let task = tasks.lock().blocking_recv();
        let Some(Task { plugin, job, reply }) = task else {
            return;
        };
        if reply.is_closed() || stopping.load(Ordering::Acquire) {
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| worker.run(&plugin, &job, || !reply.is_closed())));
        let result = result.unwrap_or_else(|_| {
            error!(plugin = plugin.name(), "a plugin worker panicked; its batch has no answer and it goes on");
            worker = Worker::default();
            Err(HandleError::Internal(format!("a worker panicked while it ran plugin `{}`", plugin.name())))
        });
        if reply.send(result).is_err() {
            debug!(plugin = plugin.name(), "nobody waits for a batch's answer any more");
        }
    }
}
