//! The byte budget: every byte that is held between Kafka and its terminal state carries a [`Permit`].
//!
//! It has shares that do not lend to each other: one for records, and one for what is made of them. Otherwise all could
//! be records, and each would wait for room to become rows.
//!
//! Taking never waits. Whoever fetches asks [`Budget::has_room`] first, so the share of the records is exceeded by one
//! fetched chunk at the most for each partition. Whoever computes reserves with [`Budget::try_take`] what is expected, and
//! [`Permit::resize`]s it to what it was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared count of bytes against a limit. Clones count together.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

struct Inner {
    limit: usize,
    used: AtomicUsize,
    /// Called whenever bytes were given back.
    freed: Option<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inner").field("limit", &self.limit).field("used", &self.used).finish_non_exhaustive()
    }
}

/// Bytes counted against a [`Budget`] until this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its bytes back"]
pub struct Permit {
    budget: Option<Budget>,
    bytes: usize,
}

impl Budget {
    /// Returns a budget of `limit` bytes with nothing taken.
    pub fn new(limit: usize) -> Self {
        let inner = Inner { limit, used: AtomicUsize::new(0), freed: None };
        Self { inner: Arc::new(inner) }
    }

    /// Returns a budget that says when bytes were given back.
    pub fn with_signal(limit: usize, freed: impl Fn() + Send + Sync + 'static) -> Self {
        let inner = Inner { limit, used: AtomicUsize::new(0), freed: Some(Box::new(freed)) };
        Self { inner: Arc::new(inner) }
    }

    /// Counts `bytes` if there is room for them. What is larger than the whole budget fits where nothing else is in it.
    pub fn try_take(&self, bytes: usize) -> Option<Permit> {
        let fits = |used: usize| (used == 0 || used + bytes <= self.inner.limit).then_some(used + bytes);
        let taken = self.inner.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.is_ok().then(|| Permit { budget: Some(self.clone()), bytes })
    }

    /// Counts `bytes`, whether or not there is room for them.
    pub fn take(&self, bytes: usize) -> Permit {
        self.inner.used.fetch_add(bytes, Ordering::Relaxed);
        Permit { budget: Some(self.clone()), bytes }
    }

    /// Returns whether less than the limit is in use.
    pub fn has_room(&self) -> bool {
        self.used() < self.inner.limit
    }

    /// Returns the bytes in use.
    pub fn used(&self) -> usize {
        self.inner.used.load(Ordering::Relaxed)
    }

    /// Returns the limit in bytes.
    pub fn limit(&self) -> usize {
        self.inner.limit
    }

    fn give_back(&self, bytes: usize) {
        self.inner.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(freed) = &self.inner.freed {
            freed();
        }
    }
}

impl Permit {
    /// Returns a permit that counts nowhere, for records that no budget holds (tests, samples).
    pub fn free() -> Self {
        Self { budget: None, bytes: 0 }
    }

    /// Counts `bytes` from now on, whether or not there is room for them.
    pub fn resize(&mut self, bytes: usize) {
        if let Some(budget) = &self.budget {
            budget.inner.used.fetch_add(bytes, Ordering::Relaxed);
            budget.give_back(self.bytes);
        }
        self.bytes = bytes;
    }

    /// Returns the bytes this permit counts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_bytes_back_when_the_permit_is_dropped() {
        let budget = Budget::new(100);
        let first = budget.take(60);
        let second = budget.take(50);
        assert_eq!(budget.used(), 110);
        assert!(!budget.has_room());
        drop(first);
        assert!(budget.has_room());
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn reserves_only_what_fits_and_says_when_there_is_room_again() {
        let freed = Arc::new(AtomicUsize::new(0));
        let budget = Budget::with_signal(100, {
            let freed = Arc::clone(&freed);
            move || {
                freed.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut first = budget.try_take(60).unwrap();
        assert!(budget.try_take(41).is_none());
        first.resize(20);
        assert_eq!((budget.used(), freed.load(Ordering::Relaxed)), (20, 1));
        let second = budget.try_take(80).unwrap();
        drop((first, second));
        assert_eq!((budget.used(), freed.load(Ordering::Relaxed)), (0, 3));
        // Nothing waits for ever because it is large.
        assert!(budget.try_take(1000).is_some());
    }
}
