//! Room for what a binding's handler makes of its records: reserved before a batch is computed, and held until the batch is
//! written. Each binding has a share of its own, so that one whose database is away holds up no other.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_core::budget::{Budget, Permit};
use tokio::sync::{Mutex, Notify};

/// Outcomes are held once as they are and once more while they travel to the database.
const COPIES: usize = 2;

/// The ratios below are in thousandths.
const ONE: usize = 1000;

/// A batch takes a fourth of the room at the most: two lanes have two each.
const BATCHES: usize = 4;

/// No batch is cut to less, however little room there is.
const BATCH_MIN: NonZeroUsize = NonZeroUsize::new(256 * 1024).unwrap();

/// A binding's share of the budget.
#[derive(Debug)]
pub(super) struct Room {
    budget: Budget,
    freed: Arc<Notify>,
    /// Whoever waits first is served first.
    turn: Mutex<()>,
    /// Bytes of outcomes for each byte of records, as it was lately.
    ratio: AtomicUsize,
}

impl Room {
    /// Returns a room of `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        let freed = Arc::new(Notify::new());
        let budget = Budget::with_signal(limit, {
            let freed = Arc::clone(&freed);
            move || freed.notify_one()
        });
        Self { budget, freed, turn: Mutex::new(()), ratio: AtomicUsize::new(ONE) }
    }

    /// Returns the bytes in use.
    pub(super) fn used(&self) -> usize {
        self.budget.used()
    }

    /// Returns how many bytes of records a batch may have, so that what is made of it fits.
    pub(super) fn batch_bytes(&self) -> NonZeroUsize {
        let ratio = self.ratio.load(Ordering::Relaxed).max(1);
        let bytes = self.budget.limit() / BATCHES / COPIES * ONE / ratio;
        NonZeroUsize::new(bytes).map_or(BATCH_MIN, |bytes| bytes.max(BATCH_MIN))
    }

    /// Returns how much of a reservation outcomes may have.
    pub(super) fn output_bytes(permit: &Permit) -> usize {
        (permit.bytes() / COPIES).max(BATCH_MIN.get())
    }

    /// Waits for room for what `bytes` of records will become.
    pub(super) async fn reserve(&self, bytes: usize) -> Permit {
        let expected = self.expected(bytes).min(self.budget.limit() / BATCHES);
        let _turn = self.turn.lock().await;
        loop {
            // Asked for before the look, so that nothing given back in between is missed.
            let freed = self.freed.notified();
            if let Some(permit) = self.budget.try_take(expected) {
                return permit;
            }
            freed.await;
        }
    }

    /// Makes a reservation what it came to.
    pub(super) fn settle(&self, permit: &mut Permit, bytes: usize, outcomes: usize) {
        permit.resize(outcomes * COPIES);
        let ratio = outcomes.saturating_mul(ONE) / bytes.max(1);
        // It grows at once and shrinks slowly.
        let before = self.ratio.load(Ordering::Relaxed);
        self.ratio.store(ratio.max(before / 8 * 7 + ratio / 8), Ordering::Relaxed);
    }

    fn expected(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.ratio.load(Ordering::Relaxed)) / ONE * COPIES
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn waits_until_there_is_room_and_learns_how_much_is_needed() {
        let room = Room::new(1000);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(mut first) = pin!(room.reserve(400)).poll(&mut context) else { panic!("there is room") };
        assert_eq!(room.used(), 800);
        let mut waiting = pin!(room.reserve(400));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        room.settle(&mut first, 400, 80);
        let Poll::Ready(second) = waiting.poll(&mut context) else { panic!("there is room again") };
        assert_eq!((second.bytes(), room.used()), (800, 960));
        // A handler that makes much of little is found out at once, and one that makes little is believed slowly.
        assert_eq!(room.expected(100), 180);
        room.settle(&mut first, 100, 1000);
        assert_eq!(room.expected(100), 2000);
    }
}
