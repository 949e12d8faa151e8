//! The pieces that wait for a worker, each binding's in a line of its own.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_core::policy::fair::Fair;
use parking_lot::{Condvar, Mutex};

use crate::assembly::Assembly;

/// Some records of a batch.
pub(crate) struct Piece {
    pub(crate) batch: Arc<Assembly>,
    pub(crate) range: Range<usize>,
}

/// The lines. Each lane waits for its batch before it brings another, so they are as long as there are lanes.
pub(crate) struct Queue {
    started: Instant,
    workers: usize,
    lines: Mutex<Lines>,
    ready: Condvar,
}

struct Lines {
    waiting: BTreeMap<Arc<str>, VecDeque<Piece>>,
    fair: Fair<Arc<str>>,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn new(workers: usize) -> Self {
        let lines = Lines { waiting: BTreeMap::new(), fair: Fair::new(), is_closed: false };
        Self { started: Instant::now(), workers, lines: Mutex::new(lines), ready: Condvar::new() }
    }

    /// Puts a batch's pieces at the end of its binding's line.
    pub(crate) fn push(&self, pieces: impl Iterator<Item = Piece>) {
        let mut lines = self.lines.lock();
        if lines.is_closed {
            return;
        }
        for piece in pieces {
            lines.waiting.entry(piece.batch.job.binding.clone()).or_default().push_back(piece);
        }
        drop(lines);
        self.ready.notify_all();
    }

    /// Waits for the next piece; there is none once the queue is closed.
    pub(crate) fn take(&self) -> Option<Piece> {
        let mut lines = self.lines.lock();
        loop {
            if lines.is_closed {
                return None;
            }
            if let Some(piece) = lines.next(self.workers, self.started.elapsed()) {
                return Some(piece);
            }
            self.ready.wait(&mut lines);
        }
    }

    /// A piece has left its worker after so long; what is left of it is the next of its line.
    pub(crate) fn end(&self, binding: &Arc<str>, took: Duration, rest: Option<Piece>) {
        let mut lines = self.lines.lock();
        lines.fair.end(binding, took, self.started.elapsed());
        if let Some(rest) = rest {
            lines.waiting.entry(Arc::clone(binding)).or_default().push_front(rest);
        }
        drop(lines);
        // Whoever was not to take the last worker may now.
        self.ready.notify_all();
    }

    /// Drops what waits and ends the workers.
    pub(crate) fn close(&self) {
        let mut lines = self.lines.lock();
        lines.is_closed = true;
        let dropped = std::mem::take(&mut lines.waiting);
        drop(lines);
        drop(dropped);
        self.ready.notify_all();
    }
}

impl Lines {
    fn next(&mut self, workers: usize, now: Duration) -> Option<Piece> {
        let binding = self.fair.choose(self.waiting.keys(), workers, now)?;
        let line = self.waiting.get_mut(&binding)?;
        let piece = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&binding);
        }
        piece
    }
}
