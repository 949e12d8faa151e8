//! What the test sets and the connections read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::watch;

/// All that a proxy and its connections share.
pub(super) struct Shared {
    pub(super) target: u16,
    /// The number of the next connection.
    pub(super) next: AtomicU64,
    pub(super) rules: watch::Sender<Rules>,
    /// Answers to COMMIT that are cut.
    pub(super) cuts: Toll,
    /// COMMITs whose client is cut off before; done when the server said that it had committed.
    pub(super) losses: Toll,
    /// COMMITs that are swallowed, with all that comes after.
    pub(super) holes: Toll,
    pub(super) swallowed_bytes: AtomicU64,
}

/// What becomes of connections, by their numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    pub(super) new: New,
    /// Those below are closed.
    pub(super) cut_below: u64,
    /// Those below carry nothing any more.
    pub(super) swallow_below: u64,
}

/// What becomes of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum New {
    #[default]
    Pass,
    Refuse,
    Swallow,
}

/// How often something is still to be done, and how often it was.
#[derive(Debug, Default)]
pub(super) struct Toll {
    left: AtomicU32,
    done: AtomicU32,
}

impl Shared {
    pub(super) fn new(target: u16) -> Self {
        Self {
            target,
            next: AtomicU64::new(0),
            rules: watch::Sender::new(Rules::default()),
            cuts: Toll::default(),
            losses: Toll::default(),
            holes: Toll::default(),
            swallowed_bytes: AtomicU64::new(0),
        }
    }

    /// The connections there are carry nothing from now on.
    pub(super) fn swallow_all(&self) {
        self.rules.send_modify(|rules| rules.swallow_below = self.next.load(Ordering::Relaxed));
    }
}

impl Toll {
    pub(super) fn add(&self, count: u32) {
        self.left.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether it is to be done again; then it counts as done only with [`Self::note`].
    pub(super) fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub(super) fn note(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_due(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    pub(super) fn done(&self) -> u32 {
        self.done.load(Ordering::Relaxed)
    }
}
