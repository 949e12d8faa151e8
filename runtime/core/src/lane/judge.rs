//! What becomes of the records of a transaction, one after the other: the part of a write that no database decides.

use crate::fault::Fault;
use crate::lane::event::{Stop, Write};
use crate::manifest::settings::Retry;
use crate::outcome::Handled;
use crate::policy::alike::Run;
use crate::policy::decide::{Attempt, Disposition, decide};
use crate::policy::flood::Level;
use crate::verdict::Verdict;

/// Takes the records of a write in order, and says where it must stop.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    write: &'a Write,
    retry: &'a Retry,
    run: Run,
    flood: Option<Level>,
    next: usize,
    stop: Option<(usize, Stop)>,
    /// What the first record waited for in vain: those behind it waited as long for the same.
    exhausted: Option<Fault>,
}

/// How far a transaction goes.
#[derive(Debug, Clone)]
#[must_use]
pub struct Judgement {
    /// Index of the first record that stays; their count if none does.
    pub done: usize,
    /// The position to commit.
    pub position: i64,
    /// Faults in a row up to here.
    pub run: Run,
    /// Why the rest stays.
    pub stop: Option<Stop>,
}

impl<'a> Judge<'a> {
    /// Starts at the first record that is not terminal.
    pub fn new(write: &'a Write, retry: &'a Retry) -> Self {
        let mut run = write.run.clone();
        run.start_batch();
        Self { write, retry, run, flood: write.flood, next: write.from, stop: None, exhausted: None }
    }

    /// Returns how far the batch goes by what the plugin said alone.
    pub fn before_sql(write: &'a Write, retry: &'a Retry) -> usize {
        let mut judge = Self::new(write, retry);
        while judge.next < write.records.len() {
            if judge.push(None).is_break() {
                break;
            }
        }
        judge.finish().done
    }

    /// Takes the next record, with the fault the database found in it, if any; breaks where the transaction must end
    /// before it.
    pub fn push(&mut self, data: Option<&Fault>) -> std::ops::ControlFlow<()> {
        if self.stop.is_some() {
            return std::ops::ControlFlow::Break(());
        }
        let index = self.next;
        let handled = self.write.handled.get(index).and_then(|handled| handled.result.as_ref().err());
        let fault = data.or(handled);
        self.next += 1;
        if let Some(fault) = data {
            let has_waited =
                index == self.write.from || self.exhausted.as_ref().is_some_and(|first| first.is_alike(fault));
            let number = if has_waited { self.write.attempt } else { 1 };
            let attempt = Attempt { number, alone: true, jitter: 0 };
            if let Disposition::Wait(..) = decide(&Verdict::Record(fault.clone()), attempt, self.retry) {
                self.stop = Some((index, Stop::Wait(fault.clone())));
                return std::ops::ControlFlow::Break(());
            }
            if index == self.write.from {
                self.exhausted = Some(fault.clone());
            }
        }
        let handled = self.write.handled.get(index);
        let is_dead = fault.is_some() || handled.is_some_and(Handled::is_rejected);
        let flood = self.flood.as_mut().and_then(|level| Some((level.push(is_dead)?, level.above())));
        let before = flood.map(|_| self.run.clone());
        match (self.run.push(fault), flood) {
            (None, None) => return std::ops::ControlFlow::Continue(()),
            // It may be the start of what fails alike: the next record tells.
            (None, Some(_)) if fault.is_some() && self.run.length() > 1 => return std::ops::ControlFlow::Continue(()),
            // What fails alike is nobody's message, however many there are.
            (Some(mut tripped), _) => {
                tripped.from += self.write.from;
                self.run.withhold();
                self.stop = Some((tripped.from, Stop::Alike(tripped)));
            }
            (None, Some((count, above))) => {
                self.run = before.unwrap_or_default();
                self.stop = Some((index, Stop::Flood(count, above)));
            }
        }
        std::ops::ControlFlow::Break(())
    }

    /// Returns the index of the record that [`Self::push`] takes next.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Returns how far the transaction goes: to the stop, or over all that was taken.
    pub fn finish(self) -> Judgement {
        let (done, stop) = match self.stop {
            Some((at, stop)) => (at, Some(stop)),
            None => (self.next, None),
        };
        // Up to the last terminal record, and never over a hole before a record that stays: the ledger's position is
        // then the same however the batch was cut.
        let position = match done {
            done if done >= self.write.records.len() => self.write.next,
            done if done == self.write.from => self.write.expected,
            done => {
                let last = done.checked_sub(1).and_then(|last| self.write.records.get(last));
                last.map_or(self.write.expected, |record| record.offset + 1)
            }
        };
        Judgement { done, position, run: self.run, stop }
    }
}
