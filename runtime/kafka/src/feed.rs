//! The way of one partition's records from the group's thread to its lane.
//!
//! The thread never waits here: it puts in what it has fetched and pauses the partition once enough is waiting, so the
//! queue is bounded by that mark and one chunk. The lane's side says when enough has been taken out again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::event::Fetched;
use crate::raw::Waker;

/// The receiving half: one partition's records from assign to revoke.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// The thread's half.
#[derive(Debug)]
pub(crate) struct Inlet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Bytes of the records that wait, readable without the lock.
    bytes: AtomicUsize,
    /// Whether the thread wants to be woken once `bytes` is at most `low`.
    is_low_wanted: AtomicBool,
    low: AtomicUsize,
    arrived: Notify,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<(Fetched, usize)>,
    /// Whether the lane has taken anything yet.
    is_begun: bool,
    /// Whether the partition has been revoked.
    is_ended: bool,
}

/// Returns both halves of a new feed. `waker` wakes the thread that holds the inlet.
pub(crate) fn feed(waker: Waker) -> (Inlet, Feed) {
    let shared = Arc::new(Shared {
        waiting: Mutex::default(),
        bytes: AtomicUsize::new(0),
        is_low_wanted: AtomicBool::new(false),
        low: AtomicUsize::new(0),
        arrived: Notify::new(),
        waker,
    });
    (Inlet { shared: Arc::clone(&shared) }, Feed { shared })
}

enum Taken {
    Next(Fetched),
    Nothing,
    Ended,
}

impl Feed {
    /// Returns what comes next, `None` once the partition is revoked; what waited then is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Fetched> {
        loop {
            match self.take() {
                Taken::Next(fetched) => return Some(fetched),
                Taken::Ended => return None,
                // A permit of `notify_one` is kept, so nothing is missed between the look and the wait.
                Taken::Nothing => self.shared.arrived.notified().await,
            }
        }
    }

    /// Returns what waits already, without waiting.
    pub fn try_next(&mut self) -> Option<Fetched> {
        match self.take() {
            Taken::Next(fetched) => Some(fetched),
            Taken::Nothing | Taken::Ended => None,
        }
    }

    /// Returns whether the partition has been revoked.
    pub fn is_ended(&self) -> bool {
        self.shared.waiting.lock().is_ended
    }

    /// Returns the bytes of the records that wait here.
    pub fn bytes_waiting(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    fn take(&mut self) -> Taken {
        let shared = &*self.shared;
        let (taken, bytes) = {
            let mut waiting = shared.waiting.lock();
            match waiting.queue.pop_front() {
                Some((fetched, bytes)) => {
                    waiting.is_begun = true;
                    (fetched, bytes)
                }
                None if waiting.is_ended => return Taken::Ended,
                None => return Taken::Nothing,
            }
        };
        let left = shared.bytes.fetch_sub(bytes, Ordering::AcqRel) - bytes;
        if left <= shared.low.load(Ordering::Relaxed) && shared.is_low_wanted.swap(false, Ordering::AcqRel) {
            shared.waker.wake();
        }
        Taken::Next(taken)
    }
}

impl Inlet {
    /// Puts one thing in. `bytes` is what its records hold of the budget.
    pub(crate) fn put(&self, fetched: Fetched, bytes: usize) {
        {
            let mut waiting = self.shared.waiting.lock();
            // Counted under the lock: whoever takes it out subtracts after this.
            self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
            match (waiting.queue.back_mut(), &fetched) {
                // Two ends without a record in between are one.
                (
                    Some((Fetched::End { generation, offset }, _)),
                    Fetched::End { generation: new_generation, offset: new },
                ) => (*generation, *offset) = (*new_generation, *new),
                _ => waiting.queue.push_back((fetched, bytes)),
            }
        }
        self.shared.arrived.notify_one();
    }

    /// Throws away what waits and starts `generation` at `offset`.
    pub(crate) fn restart(&self, generation: u64, offset: i64) {
        let old = {
            let mut waiting = self.shared.waiting.lock();
            let old = std::mem::take(&mut waiting.queue);
            self.shared.bytes.fetch_sub(old.iter().map(|(_, bytes)| bytes).sum(), Ordering::AcqRel);
            waiting.is_begun = true;
            waiting.queue.push_back((Fetched::Seeked { generation, offset }, 0));
            old
        };
        drop(old);
        self.shared.arrived.notify_one();
    }

    /// Makes what waits the beginning of `generation` if the lane has taken nothing yet. Returns whether it has not.
    pub(crate) fn adopt(&self, generation: u64, offset: i64) -> bool {
        {
            let mut waiting = self.shared.waiting.lock();
            if waiting.is_begun {
                return false;
            }
            waiting.is_begun = true;
            for (fetched, _) in &mut waiting.queue {
                match fetched {
                    Fetched::Records { generation: old, .. }
                    | Fetched::End { generation: old, .. }
                    | Fetched::Seeked { generation: old, .. }
                    | Fetched::Stopped { generation: old, .. } => *old = generation,
                }
            }
            waiting.queue.push_front((Fetched::Seeked { generation, offset }, 0));
        }
        self.shared.arrived.notify_one();
        true
    }

    /// Returns the bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// Asks to be woken once at most `low` bytes wait. Returns whether that is so already.
    pub(crate) fn wake_at(&self, low: usize) -> bool {
        self.shared.low.store(low, Ordering::Relaxed);
        self.shared.is_low_wanted.store(true, Ordering::Release);
        self.bytes() <= low
    }
}

impl Drop for Inlet {
    /// The partition is gone: what waits is dropped and gives its bytes back at once.
    fn drop(&mut self) {
        let old = {
            let mut waiting = self.shared.waiting.lock();
            waiting.is_ended = true;
            std::mem::take(&mut waiting.queue)
        };
        self.shared.bytes.store(0, Ordering::Release);
        drop(old);
        self.shared.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(generation: u64, offset: i64) -> Fetched {
        Fetched::End { generation, offset }
    }

    #[tokio::test]
    async fn ends_and_drops_what_waits_when_the_partition_goes() {
        let (inlet, mut feed) = feed(Waker::idle());
        inlet.put(end(0, 5), 0);
        drop(inlet);
        assert!(feed.next().await.is_none());
        assert!(feed.is_ended());
    }

    #[tokio::test]
    async fn a_restart_drops_what_is_older() {
        let (inlet, mut feed) = feed(Waker::idle());
        inlet.put(end(0, 5), 7);
        inlet.restart(1, 3);
        assert_eq!(inlet.bytes(), 0);
        assert!(matches!(feed.next().await, Some(Fetched::Seeked { generation: 1, offset: 3 })));
        assert!(feed.try_next().is_none());
    }

    #[tokio::test]
    async fn adopts_what_waits_only_before_anything_was_taken() {
        let (inlet, mut feed) = feed(Waker::idle());
        inlet.put(end(0, 5), 0);
        assert!(inlet.adopt(1, 5));
        assert!(matches!(feed.next().await, Some(Fetched::Seeked { generation: 1, offset: 5 })));
        assert!(matches!(feed.next().await, Some(Fetched::End { generation: 1, offset: 5 })));
        assert!(!inlet.adopt(2, 5));
    }
}
