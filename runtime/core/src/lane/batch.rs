//! A batch on its way from the queue to the ledger.

use std::sync::Arc;

use crate::lane::event::{AfterDeath, Command, Settled, Write};
use crate::outcome::Outcomes;
use crate::policy::alike::Run;
use crate::record::Record;
use crate::records::Records;

/// Records that are computed and written together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Names it among the lane's batches.
    pub(super) id: u64,
    records: Records,
    /// The first record that is not terminal. Only a transaction moves it.
    from: usize,
    /// How often the record at `from` was tried without success.
    tries: u32,
    pub(super) stage: Stage,
    /// Whether what is being written was computed by a version that is no longer in force.
    is_stale: bool,
    /// The position before its first record: written below it, records would be passed over.
    begins: i64,
}

/// How far a batch is.
#[derive(Debug)]
pub(super) enum Stage {
    /// To be computed.
    Queued,
    /// The plugin has the records from this index on.
    Computing(usize),
    /// Computed, to be written.
    Ready(Arc<Outcomes>),
    /// In a transaction.
    Writing(Arc<Outcomes>),
}

impl Batch {
    pub(super) fn new(id: u64, records: impl Into<Records>, begins: i64) -> Self {
        Self { id, records: records.into(), from: 0, tries: 0, stage: Stage::Queued, is_stale: false, begins }
    }

    /// Returns whether everything before it is terminal.
    pub(super) fn is_next(&self, position: i64) -> bool {
        position >= self.begins
    }

    /// Returns the position after it.
    pub(super) fn end(&self) -> i64 {
        self.records.last().map_or(self.begins, |record| record.offset + 1)
    }

    pub(super) fn compute(&mut self, care: Option<AfterDeath>) -> Command {
        (self.stage, self.is_stale) = (Stage::Computing(self.from), false);
        Command { batch: self.id, records: self.records.clone(), from: self.from, care }
    }

    /// Returns what to write, if it is computed.
    pub(super) fn write(&mut self, epoch: i64, expected: i64, run: Run, settled: Settled) -> Option<Write> {
        let Stage::Ready(handled) = &self.stage else { return None };
        let handled = handled.clone();
        self.stage = Stage::Writing(handled.clone());
        let last = self.records.last()?;
        Some(Write {
            records: self.records.clone(),
            handled,
            from: self.from,
            attempt: self.tries + 1,
            epoch,
            expected,
            next: last.offset + 1,
            leader_epoch: last.leader_epoch,
            run,
            flood: None,
            settled,
        })
    }

    /// Takes the outcomes of the records that the plugin was given. Those before are terminal; their places are filled,
    /// so that records and outcomes have the same index. Returns the records that it gave none for, as a batch `rest`:
    /// what it made of those before fills their room.
    pub(super) fn computed(&mut self, outcomes: Outcomes, rest: u64) -> Option<Self> {
        let Stage::Computing(from) = self.stage else { return None };
        let count = outcomes.len().min(self.records.len() - from);
        let outcomes = if from == 0 { outcomes } else { outcomes.after(from) };
        self.stage = if count > 0 { Stage::Ready(Arc::new(outcomes)) } else { Stage::Queued };
        self.split(count, rest)
    }

    /// Keeps the first `count` records that are not terminal, and returns the others as a batch of their own.
    pub(super) fn split(&mut self, count: usize, rest: u64) -> Option<Self> {
        let at = self.from + count;
        if count == 0 || at >= self.records.len() {
            return None;
        }
        let records = self.records.split_off(at);
        Some(Self::new(rest, records, self.end()))
    }

    /// Its transaction has ended, with an effect or without: the rest of it is as it was, unless another version is in force
    /// by now.
    pub(super) fn back(&mut self) {
        if let Stage::Writing(handled) = &self.stage {
            self.stage = if self.is_stale { Stage::Queued } else { Stage::Ready(handled.clone()) };
        }
    }

    /// Another version is in force. What is computed, or being computed, counts no more, and its answer is to come under
    /// another name than `id`; a transaction that is under way stands.
    pub(super) fn swap(&mut self, id: u64) {
        match self.stage {
            Stage::Queued => {}
            Stage::Computing(_) | Stage::Ready(_) => (self.id, self.stage) = (id, Stage::Queued),
            Stage::Writing(_) => self.is_stale = true,
        }
    }

    /// Forgets what was computed, unless a computation or a transaction is under way.
    pub(super) fn compute_anew(&mut self) {
        if matches!(self.stage, Stage::Ready(_)) {
            self.stage = Stage::Queued;
        }
    }

    /// Everything below `done` is terminal; returns whether all of it is.
    pub(super) fn advance(&mut self, done: usize) -> bool {
        self.tries = if done == self.from { self.tries + 1 } else { 1 };
        self.from = self.from.max(done);
        self.from >= self.records.len()
    }

    /// Everything below the offset `position` is terminal; returns whether all of it is.
    pub(super) fn advance_to(&mut self, position: i64) -> bool {
        let done = self.records.partition_point(|record| record.offset < position);
        if done > self.from {
            (self.from, self.tries) = (done, 0);
        }
        self.from >= self.records.len()
    }

    /// Returns how often the first record was tried.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// Returns the first record that is not terminal.
    pub(super) fn first(&self) -> Option<&Record> {
        self.records.get(self.from)
    }

    /// Returns the leader epoch of the last terminal record.
    pub(super) fn leader_epoch(&self) -> Option<i32> {
        self.records.get(self.from.checked_sub(1)?)?.leader_epoch
    }
}
