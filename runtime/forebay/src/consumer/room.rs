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

    fn reserved(room: &Room, bytes: usize) -> Poll<Permit> {
        pin!(room.reserve(bytes)).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn waits_until_there_is_room_and_learns_how_much_is_needed() {
        let room = Room::new(3_200);
        let mut held = Vec::new();
        while let Poll::Ready(permit) = reserved(&room, 400) {
            held.push(permit);
        }
        assert_eq!((held.len(), room.used()), (4, 3_200));
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = pin!(room.reserve(400));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        held.iter_mut().take(2).for_each(|permit| room.settle(permit, 400, 80));
        let Poll::Ready(next) = waiting.poll(&mut context) else { panic!("there is room again") };
        assert_eq!((next.bytes(), room.used()), (800, 2_720));
        // A handler that makes much of little is found out at once, and one that makes little is believed slowly.
        assert_eq!(room.expected(100), 160);
        room.settle(&mut held[0], 100, 1_000);
        assert_eq!(room.expected(100), 2_000);
    }

    #[test]
    fn one_batch_takes_a_fourth_at_the_most_whatever_it_may_become() {
        let room = Room::new(4 << 20);
        let Poll::Ready(permit) = reserved(&room, 3 << 20) else { panic!("there is room") };
        assert_eq!((permit.bytes(), Room::output_bytes(&permit)), (1 << 20, 512 << 10));
        drop(permit);
        let Poll::Ready(permit) = reserved(&room, 100) else { panic!("there is room") };
        assert_eq!(Room::output_bytes(&permit), BATCH_MIN.get(), "it goes on in steps that are worth it");
    }
}
