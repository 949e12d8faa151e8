//! The worker threads.
//!
//! Guests run here and nowhere else: synchronously, on plain threads, so that neither polling nor writing ever waits
//! for a handler. A batch is cut into pieces of a few milliseconds, which any worker takes: one partition alone keeps all of
//! them busy, and its outcomes are put together in the order of its records.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use forebay_core::outcome::Handled;
use forebay_core::policy::fair::PIECE;
use tracing::error;

use crate::assembly::Assembly;
use crate::error::HandleError;
use crate::job::Job;
use crate::plugin::Plugin;
use crate::queue::{Piece, Queue};
use crate::worker::{Flow, Worker};

/// A piece that others wait behind is laid down after so long, between two records.
const TURN: Duration = Duration::from_millis(16);

/// No piece is smaller: an instance of its own costs more than so few records.
const LEAST: usize = 16;

/// The workers. Dropping it stops them: jobs that run are interrupted, jobs that wait are dropped.
pub(crate) struct Pool {
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the workers. Setting `stopping` interrupts every guest at the next tick.
    pub(crate) fn start(threads: NonZeroUsize, stopping: Arc<AtomicBool>) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(threads.get()));
        let mut pool = Self { queue, workers: Vec::with_capacity(threads.get()), stopping };
        for number in 0..threads.get() {
            let (queue, stopping) = (Arc::clone(&pool.queue), Arc::clone(&pool.stopping));
            let name = format!("plugin-{number}");
            pool.workers.push(thread::Builder::new().name(name).spawn(move || work(&queue, &stopping))?);
        }
        Ok(pool)
    }

    /// Queues a job and waits for its answer.
    ///
    /// Cancel safe in the sense that a dropped call drops its job: before it runs, or before its next record.
    pub(crate) async fn handle(&self, plugin: Arc<Plugin>, job: Job) -> Result<Vec<Handled>, HandleError> {
        let ranges = pieces(&job, plugin.cost());
        let (batch, waiting) = Assembly::begin(plugin, job, ranges.len());
        self.queue.push(ranges.into_iter().map(|range| Piece { batch: Arc::clone(&batch), range }));
        drop(batch);
        waiting.answer().await
    }
}

/// Cuts a job so that each piece takes a few milliseconds, if its records cost what the last ones did.
fn pieces(job: &Job, cost: Duration) -> Vec<Range<usize>> {
    let Range { start, end } = job.range;
    let least = if job.is_whole { usize::MAX } else { LEAST };
    let size = usize::try_from(PIECE.as_nanos() / cost.as_nanos().max(1)).unwrap_or(usize::MAX).max(least);
    let length = end.saturating_sub(start);
    // Of the same size, and an empty job is a piece as well.
    let count = length.div_ceil(size).max(1);
    let size = length.div_ceil(count).max(1);
    (start..end.max(start + 1)).step_by(size).map(|from| from..(from + size).min(end)).collect()
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.queue.close();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                error!("a plugin worker ended in a panic");
            }
        }
    }
}

/// A worker's life.
fn work(queue: &Queue, stopping: &AtomicBool) {
    let mut worker = Worker::default();
    while let Some(piece) = queue.take() {
        let binding = Arc::clone(&piece.batch.job.binding);
        let begun = Instant::now();
        let rest = run(&mut worker, piece, begun, stopping);
        queue.end(&binding, begun.elapsed(), rest);
    }
}

/// Runs a piece; returns what others go before.
fn run(worker: &mut Worker, piece: Piece, begun: Instant, stopping: &AtomicBool) -> Option<Piece> {
    let Piece { batch, range } = piece;
    if !batch.is_wanted() || stopping.load(Ordering::Acquire) {
        batch.end(range.start, Err(HandleError::Stopped));
        return None;
    }
    if batch.is_full(&range) {
        batch.end(range.start, Ok(Vec::new()));
        return None;
    }
    let mut has_room = true;
    let is_whole = batch.job.is_whole;
    let flow = |last: Option<&Handled>| {
        has_room &= last.is_none_or(|handled| batch.count(handled));
        match () {
            () if !batch.is_wanted() => Flow::Abandon,
            () if !has_room || (!is_whole && last.is_some() && begun.elapsed() > TURN) => Flow::End,
            () => Flow::On,
        }
    };
    let result = catch_unwind(AssertUnwindSafe(|| worker.run(&batch.plugin, &batch.job, range.clone(), flow)));
    let result = result.unwrap_or_else(|_| {
        let plugin = batch.plugin.name();
        error!(plugin, "a plugin worker panicked; its batch has no answer and it goes on");
        *worker = Worker::default();
        Err(HandleError::Internal(format!("a worker panicked while it ran plugin `{plugin}`")))
    });
    match result {
        Ok(handled) if has_room && handled.len() < range.len() => {
            let next = range.start + handled.len();
            batch.put(range.start, handled);
            Some(Piece { batch, range: next..range.end })
        }
        result => {
            if let Ok(handled) = &result {
                batch.plugin.learn(begun.elapsed(), handled.len());
            }
            batch.end(range.start, result);
            None
        }
    }
}
