//! The one byte budget: every byte that is held between Kafka and its terminal state carries a [`Permit`].
//!
//! Taking never waits. Whoever brings bytes in asks [`Budget::has_room`] first and stops fetching when there is none,
//! so the budget is exceeded by one fetched record at the most per fetching thread, and by the output of the batches
//! that are being computed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared count of bytes against a limit. Clones count together.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
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
        let inner = Inner { limit, used: AtomicUsize::new(0) };
        Self { inner: Arc::new(inner) }
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
}

impl Permit {
    /// Returns a permit that counts nowhere, for records that no budget holds (tests, samples).
    pub fn free() -> Self {
        Self { budget: None, bytes: 0 }
    }

    /// Returns the bytes this permit counts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.inner.used.fetch_sub(self.bytes, Ordering::Relaxed);
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
}
