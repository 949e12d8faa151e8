//! A write's surroundings and its result, the same for every database.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_core::dead_letter::Origin;
use forebay_core::fault::Fault;
use forebay_core::lane::{Fate, Judge, Judgement, Write, Written, fate};
use forebay_core::manifest::settings::Retry;
use forebay_core::outbox::Outgoing;
use forebay_core::outcome::Handled;
use forebay_core::plan::check::{Op, row_of};
use forebay_core::plan::target::Targets;
use forebay_core::record::Record;
use forebay_core::verdict::{Cause, Reason, Verdict};
use jiff::Timestamp;

use crate::change::Change;
use crate::ledger::LaneKey;
use crate::redriven::Redriven;

/// What all writes of a lane have in common.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// The partition.
    pub key: LaneKey,
    /// What effects are planned against.
    pub targets: Arc<Targets>,
    /// What letters and publishes say of their origin.
    pub origin: Arc<Origin>,
    /// For what may heal by waiting.
    pub retry: Retry,
    /// Whether another version of the plugin may have written what came before: the ledger notes from where on this one does.
    pub notes_version: bool,
    /// A dead letter that is sent through the handler again: it is remembered, and no position moves.
    pub redriven: Option<Redriven>,
}

/// A transaction's result.
#[derive(Debug, Clone)]
pub struct Committed {
    /// For the lane.
    pub written: Written,
    /// What the database refused, by the record's index.
    pub refused: BTreeMap<usize, Fault>,
    /// Rows by target and operation.
    pub rows: BTreeMap<(usize, Op), usize>,
    /// The rows before and after, where the sink was asked to watch them.
    pub changes: Vec<Change>,
}

impl WriteContext {
    /// Whether a row that is refused ends the transaction without a trace.
    pub(crate) fn is_guarded(&self) -> bool {
        self.redriven.as_ref().is_some_and(|redriven| redriven.is_guarded)
    }
}

impl Committed {
    /// What a binding without a sink commits: nothing but what is to be sent.
    pub fn without_sink(context: &WriteContext, write: &Write, now: Timestamp) -> Self {
        let judgement = unrefused(context, write);
        let outgoing = outgoing(context, write, now, judgement.done, &BTreeMap::new());
        Self::new(judgement, outgoing, BTreeMap::new(), BTreeMap::new())
    }

    pub(crate) fn new(
        judgement: Judgement,
        outgoing: Vec<Outgoing>,
        refused: BTreeMap<usize, Fault>,
        rows: BTreeMap<(usize, Op), usize>,
    ) -> Self {
        let Judgement { done, position, run, stop } = judgement;
        let written = Written { done, position, outgoing: Arc::new(outgoing), run, stop };
        Self { written, refused, rows, changes: Vec::new() }
    }
}

/// How far a batch goes if the database refuses nothing.
pub(crate) fn unrefused(context: &WriteContext, write: &Write) -> Judgement {
    let mut judge = Judge::new(write, &context.retry);
    while judge.next() < write.records.len() && judge.push(None).is_continue() {}
    judge.finish()
}

/// The records below `done` with what became of them.
fn fates<'a>(
    write: &'a Write,
    done: usize,
    refused: &'a BTreeMap<usize, Fault>,
) -> impl Iterator<Item = (&'a Record, &'a Handled, Fate<'a>)> {
    let both = write.records.iter().zip(write.handled.iter()).enumerate().take(done).skip(write.from);
    both.map(|(index, (record, handled))| (record, handled, fate(handled, refused.get(&index))))
}

/// What is to be sent of a batch.
pub(crate) fn outgoing(
    context: &WriteContext,
    write: &Write,
    now: Timestamp,
    done: usize,
    refused: &BTreeMap<usize, Fault>,
) -> Vec<Outgoing> {
    let WriteContext { origin, targets, .. } = context;
    let mut outgoing = Vec::new();
    for (record, handled, fate) in fates(write, done, refused) {
        origin.outgoing((record, handled), &fate, targets, now, &mut outgoing);
    }
    outgoing
}

/// Why a row of the outbox can not be written: the position was set back, and what was decided there before is still on its
/// way to Kafka.
pub(crate) fn still_pending() -> Verdict {
    let message = "messages that were decided here before the position was set back wait for Kafka's acknowledgement";
    Verdict::Unavailable(Cause::new(Reason::Outbox, message))
}

/// The rows of a batch by target and operation.
pub(crate) fn count(
    context: &WriteContext,
    write: &Write,
    done: usize,
    refused: &BTreeMap<usize, Fault>,
) -> BTreeMap<(usize, Op), usize> {
    // Few kinds and many rows: looking through a short list is faster than a tree.
    let mut rows: Vec<((usize, Op), usize)> = Vec::new();
    for (_, _, fate) in fates(write, done, refused) {
        let Fate::Applied(effects) = fate else { continue };
        for (op, row) in effects.iter().filter_map(row_of) {
            let Some(target) = context.targets.index(&row.target) else { continue };
            match rows.iter_mut().find(|(kind, _)| *kind == (target, op)) {
                Some((_, count)) => *count += 1,
                None => rows.push(((target, op), 1)),
            }
        }
    }
    rows.into_iter().collect()
}
