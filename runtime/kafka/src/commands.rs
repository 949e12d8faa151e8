//! What others want of a group's thread: a mailbox that holds at most one wish of a kind per partition.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::commits::Offer;
use crate::event::{Partition, Start};
use crate::raw::Waker;

/// The mailbox, shared by the handle and the thread.
#[derive(Debug)]
pub(crate) struct Mailbox {
    wishes: Mutex<Wishes>,
    is_filled: AtomicBool,
    waker: Waker,
}

/// Everything wished for since the thread last looked.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Where partitions are to be read from, with the assignment that asks.
    pub(crate) starts: HashMap<Partition, (u64, Start)>,
    /// The newest offset of each partition.
    pub(crate) offers: HashMap<Partition, Offer>,
    /// Whoever waits for every offer to be answered. Bounded by the callers that wait.
    pub(crate) flushes: Vec<oneshot::Sender<()>>,
    /// Whether no more records are wanted.
    pub(crate) is_stopped: bool,
    /// Whether the group is to be left, within this time; the sender is dropped when it has been.
    pub(crate) close: Option<(Duration, oneshot::Sender<()>)>,
}

impl Mailbox {
    /// Returns an empty mailbox; `waker` wakes the thread that empties it.
    pub(crate) fn new(waker: Waker) -> Self {
        Self { wishes: Mutex::default(), is_filled: AtomicBool::new(false), waker }
    }

    /// Adds a wish and wakes the thread.
    pub(crate) fn wish(&self, add: impl FnOnce(&mut Wishes)) {
        self.note(add);
        self.waker.wake();
    }

    /// Adds a wish that can wait for the thread's next turn.
    pub(crate) fn note(&self, add: impl FnOnce(&mut Wishes)) {
        add(&mut self.wishes.lock());
        self.is_filled.store(true, Ordering::Release);
    }

    /// Returns what has been wished for since the last look, `None` if nothing.
    pub(crate) fn take(&self) -> Option<Wishes> {
        let is_filled = self.is_filled.swap(false, Ordering::AcqRel);
        is_filled.then(|| std::mem::take(&mut *self.wishes.lock()))
    }
}
