//! A batch on its way from the queue to the ledger.

use std::sync::Arc;

use crate::lane::event::{AfterDeath, Command, Settled, Write};
use crate::outcome::Outcomes;
use crate::policy::alike::Run;
use crate::record::Record;

/// Records that are computed and written together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Names it among the lane's batches.
    pub(super) id: u64,
    records: Arc<Vec<Record>>,
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
    pub(super) fn new(id: u64, records: Vec<Record>, begins: i64) -> Self {
        Self { id, records: Arc::new(records), from: 0, tries: 0, stage: Stage::Queued, is_stale: false, begins }
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
    /// so that records and outcomes have the same index.
    pub(super) fn computed(&mut self, outcomes: Outcomes) {
        let Stage::Computing(from) = self.stage else { return };
        let outcomes = if from == 0 { outcomes } else { outcomes.after(from) };
        let is_whole = outcomes.len() == self.records.len();
        self.stage = if is_whole { Stage::Ready(Arc::new(outcomes)) } else { Stage::Queued };
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
