//! One batch, computed in pieces on several workers: what became of each piece, put together in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forebay_core::outcome::Handled;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::HandleError;
use crate::job::Job;
use crate::plugin::Plugin;

/// A batch under way.
pub(crate) struct Assembly {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) job: Job,
    /// Nobody waits for the answer any more.
    is_abandoned: AtomicBool,
    /// The bytes of all outcomes so far.
    bytes: AtomicUsize,
    books: Mutex<Books>,
}

struct Books {
    /// By the index of their first record.
    parts: BTreeMap<usize, Vec<Handled>>,
    /// The pieces that wait or run.
    open: usize,
    /// Taken by the answer.
    reply: Option<oneshot::Sender<Answer>>,
}

type Answer = Result<Vec<Handled>, HandleError>;

/// Waits for an answer; dropped before it comes, the batch is abandoned.
pub(crate) struct Waiting {
    assembly: Arc<Assembly>,
    answer: oneshot::Receiver<Answer>,
}

impl Assembly {
    /// Begins a batch of so many pieces.
    pub(crate) fn begin(plugin: Arc<Plugin>, job: Job, pieces: usize) -> (Arc<Self>, Waiting) {
        let (reply, answer) = oneshot::channel();
        let books = Mutex::new(Books { parts: BTreeMap::new(), open: pieces, reply: Some(reply) });
        let (is_abandoned, bytes) = (AtomicBool::new(false), AtomicUsize::new(0));
        let assembly = Arc::new(Self { plugin, job, is_abandoned, bytes, books });
        (Arc::clone(&assembly), Waiting { assembly, answer })
    }

    /// Whether anybody waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.is_abandoned.load(Ordering::Acquire)
    }

    /// Counts an outcome; returns whether there is room for more. The first piece is never without room for its first record.
    pub(crate) fn count(&self, handled: &Handled) -> bool {
        let bytes = handled.bytes();
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) < self.job.output_bytes
    }

    /// Whether a piece is of no use: there is no room, and others before it are to fill what there is.
    pub(crate) fn is_full(&self, piece: &Range<usize>) -> bool {
        piece.start > self.job.range.start && self.bytes.load(Ordering::Relaxed) >= self.job.output_bytes
    }

    /// Some of a piece is computed, and the rest of it waits again.
    pub(crate) fn put(&self, start: usize, handled: Vec<Handled>) {
        self.books.lock().parts.insert(start, handled);
    }

    /// A piece has ended: with outcomes, with fewer than it has records, or with none. The last one answers; a failure does so
    /// at once.
    pub(crate) fn end(&self, start: usize, result: Answer) {
        let mut books = self.books.lock();
        books.open -= 1;
        match result {
            Ok(handled) => drop(books.parts.insert(start, handled)),
            Err(error) => {
                self.is_abandoned.store(true, Ordering::Release);
                books.answer(Err(error));
            }
        }
        if books.open == 0 {
            let handled = books.take_first(self.job.range.start);
            books.answer(Ok(handled));
        }
    }
}

impl Books {
    /// Returns the outcomes from the first record on, as far as there is no gap.
    fn take_first(&mut self, start: usize) -> Vec<Handled> {
        let mut all: Vec<Handled> = Vec::new();
        while let Some(part) = self.parts.remove(&(start + all.len())).filter(|part| !part.is_empty()) {
            if all.is_empty() {
                all = part;
            } else {
                all.extend(part);
            }
        }
        all
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(reply) = self.reply.take() {
            // Whoever asked may be gone.
            let _nobody_waits = reply.send(answer);
        }
    }
}

impl Waiting {
    /// Waits.
    pub(crate) async fn answer(mut self) -> Answer {
        (&mut self.answer).await.map_err(|_| HandleError::Stopped)?
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.assembly.is_abandoned.store(true, Ordering::Release);
    }
}
