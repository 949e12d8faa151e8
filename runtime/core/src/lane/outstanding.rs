//! Messages that were decided: which Kafka has, which it may not have yet, and how far the group's offset may go.

use std::collections::VecDeque;

use crate::lane::event::{Pending, Settled};
use crate::outbox::Outgoing;

/// How many rows one transaction removes at the most.
const SETTLED_MAX: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// In the order of the log. Acknowledged ones stay until a transaction has removed their rows.
    rows: VecDeque<Pending>,
    bytes: usize,
    next_id: u64,
}

impl Outstanding {
    /// Takes a row of the outbox, and returns the number that its messages are sent under.
    pub(super) fn push(&mut self, from: i64, next: i64, bytes: usize) -> u64 {
        self.bytes += bytes;
        let id = self.next_id;
        self.next_id += 1;
        self.rows.push_back(Pending { id, from, next, bytes, is_acknowledged: false, kept: Vec::new() });
        id
    }

    /// Forgets what the ledger does not have: its removal was committed although nobody heard of it, or the database was
    /// rewound behind it, and its records come again.
    pub(super) fn keep(&mut self, is_there: impl Fn(i64) -> bool) {
        let bytes = &mut self.bytes;
        self.rows.retain(|row| {
            let is_kept = is_there(row.next);
            if !is_kept && !row.is_acknowledged {
                *bytes -= row.bytes;
            }
            is_kept
        });
    }

    pub(super) fn knows(&self, next: i64) -> bool {
        self.rows.iter().any(|row| row.next == next)
    }

    pub(super) fn acknowledge(&mut self, id: u64, kept: Vec<Outgoing>) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id == id && !row.is_acknowledged) {
            row.is_acknowledged = true;
            row.kept = kept;
            self.bytes -= row.bytes;
        }
    }

    /// Returns what the next transaction may remove: whatever is acknowledged, even behind a row that is not.
    pub(super) fn settled(&self) -> Settled {
        let mut settled = Settled::default();
        for row in self.rows.iter().filter(|row| row.is_acknowledged).take(SETTLED_MAX) {
            settled.rows.push(row.next);
            if !row.kept.is_empty() {
                settled.kept.push((row.next, row.kept.clone()));
            }
        }
        settled
    }

    /// Forgets what a transaction removed.
    pub(super) fn remove(&mut self, settled: &Settled) {
        if !settled.rows.is_empty() {
            self.rows.retain(|row| !(row.is_acknowledged && settled.rows.contains(&row.next)));
        }
    }

    /// Returns the position that the group's offset may not pass, if any message is not acknowledged.
    pub(super) fn holds_at(&self) -> Option<i64> {
        self.rows.iter().find(|row| !row.is_acknowledged).map(|row| row.from)
    }

    /// Returns the bytes that wait for an acknowledgement.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether nothing waits, for Kafka or for removal.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.rows.iter().all(|row| row.is_acknowledged)
    }
}
