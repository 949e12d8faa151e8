//! What a lane makes of what it hears.

use std::time::Duration;

use crate::fault::{Class, Fault};
use crate::lane::batch::{Batch, Stage};
use crate::lane::event::{Acquired, Action, Authority, Stop, Written};
use crate::lane::machine::{InFlight, Lane, Phase, Trouble};
use crate::manifest::settings::{BatchLimits, Retry};
use crate::outbox::Outgoing;
use crate::outcome::Outcomes;
use crate::policy::alike::ALIKE;
use crate::policy::decide::{Attempt, Disposition, PROBE, decide};
use crate::policy::flood::{Count, PauseAbove};
use crate::record::Record;
use crate::verdict::{Cause, Reason, Verdict};

/// So many records are the first batch of another version: about a millisecond's work. Each one after it is twice as large.
const FIRST_AFTER_SWAP: usize = 32;

impl Lane {
    pub(super) fn acquired(&mut self, acquired: Acquired, now: Duration, actions: &mut Vec<Action>) {
        let Acquired { epoch, position, leader_epoch, is_decided, after_death, resend } = acquired;
        self.care = after_death.or(self.care);
        self.epoch = epoch;
        let before = self.position.replace(position);
        if let Some(cause) = self.stands.take().filter(|_| !is_decided && before == Some(position)) {
            self.phase = Phase::Open;
            self.block(now + PROBE, cause.clone(), true, true, now);
            self.stands = Some(cause);
            return;
        }
        let is_anew = self.is_lost || before.is_none_or(|before| position < before) || position > self.expected;
        while !is_anew && self.batches.front_mut().is_some_and(|batch| batch.advance_to(position)) {
            self.batches.pop_front();
        }
        if is_anew || self.queue.first().is_some_and(|record| record.offset < position) {
            self.leader_epoch = leader_epoch;
            self.start_at(position, actions);
        }
        if before != Some(position) {
            self.run = self.run.anew();
        }
        if self.settings.authority == Authority::Ledger {
            self.outstanding.keep(|next| resend.iter().any(|row| row.next == next));
        }
        for row in resend {
            if !self.outstanding.knows(row.next) {
                let bytes = row.messages.iter().map(Outgoing::bytes).sum();
                let id = self.outstanding.push(row.from, row.next, bytes);
                actions.push(Action::Send { id, messages: row.messages });
            }
        }
        (self.phase, self.trouble, self.tries, self.committed) = (Phase::Open, None, 0, None);
    }

    /// Forgets what was fetched and reads from `position` on.
    pub(super) fn start_at(&mut self, position: i64, actions: &mut Vec<Action>) {
        self.queue.clear();
        self.batches.clear();
        (self.expected, self.generation, self.end, self.is_lost) = (position, None, None, false);
        (self.ending, self.is_checked) = (None, false);
        actions.push(Action::StartAt { offset: position, leader_epoch: None });
    }

    pub(super) fn seeked(&mut self, generation: u64, offset: i64, actions: &mut Vec<Action>) {
        if self.is_lost || self.position.is_none() {
            return;
        }
        if offset > self.expected {
            // A seek that was under way when the position moved; what lies between would be missed.
            actions.push(Action::StartAt { offset: self.expected, leader_epoch: None });
        } else {
            (self.generation, self.has_progress) = (Some(generation), false);
        }
    }

    pub(super) fn fetched(&mut self, generation: u64, records: Vec<Record>, now: Duration, actions: &mut Vec<Action>) {
        if self.generation != Some(generation) || self.is_draining {
            return;
        }
        if self.is_of_another_leader(&records) {
            (self.generation, self.is_checked) = (None, true);
            actions.push(Action::StartAt { offset: self.expected, leader_epoch: self.leader_epoch });
            return;
        }
        self.is_checked = true;
        for record in records {
            if record.offset >= self.expected {
                self.expected = record.offset + 1;
                self.has_progress = true;
                self.queue.push(record, &self.settings.batch, now);
            } else if self.has_progress {
                let (topic, partition, expected) = (&record.topic, record.partition, self.expected);
                let cause = Cause::new(
                    Reason::Position,
                    format!(
                        "the log of {topic}/{partition} went back: offset {} came after {}; it was cut, and what it has there now \
                         is not what was read before; `forebay position set` says where to go on",
                        record.offset,
                        expected - 1
                    ),
                );
                return self.lost(cause, true, now);
            }
        }
    }

    /// Returns whether what comes first was written under another leader than what came last before the start: that one
    /// may have lost records, and the log is asked.
    fn is_of_another_leader(&self, records: &[Record]) -> bool {
        let first = records.first().and_then(|record| record.leader_epoch);
        !self.is_checked && self.leader_epoch.zip(first).is_some_and(|(last, first)| last != first)
    }

    pub(super) fn computed(&mut self, id: u64, result: Result<Outcomes, Verdict>, now: Duration) {
        let Some(index) = self.batches.iter().position(|batch| batch.id == id) else { return };
        let Some(batch) = self.batches.get_mut(index) else { return };
        match result {
            Ok(handled) => {
                let rest = batch.computed(handled, self.next_batch);
                self.put(index + 1, rest);
            }
            Err(verdict) => {
                if matches!(batch.stage, Stage::Computing(_)) {
                    batch.stage = Stage::Queued;
                }
                self.failed(&verdict, false, now);
            }
        }
    }

    pub(super) fn written(&mut self, written: Written, now: Duration, actions: &mut Vec<Action>) {
        let Some(in_flight) = self.writing.take() else { return };
        let Written { done, position, outgoing, run, stop } = written;
        let from = self.position.replace(position).unwrap_or(position);
        self.outstanding.remove(&in_flight.settled);
        (self.run, self.tries, self.last_write) = (run, 0, now);
        // A wait or a halt that goes on without progress keeps its age.
        if self.phase == Phase::Open && (stop.is_none() || position > from) {
            self.trouble = None;
        }
        if !outgoing.is_empty() {
            let bytes = outgoing.iter().map(Outgoing::bytes).sum();
            let id = self.outstanding.push(from, position, bytes);
            actions.push(Action::Send { id, messages: outgoing });
        }
        if in_flight.batch.is_some() && in_flight.batch == self.batches.front().map(|batch| batch.id) {
            self.batch_written(done, stop, now, actions);
        }
    }

    pub(super) fn batch_written(&mut self, done: usize, stop: Option<Stop>, now: Duration, actions: &mut Vec<Action>) {
        let Some(batch) = self.batches.front_mut() else { return };
        batch.back();
        let is_done = batch.advance(done);
        self.leader_epoch = batch.leader_epoch().or(self.leader_epoch);
        if is_done {
            self.care = None;
            self.batches.pop_front();
            return;
        }
        match stop {
            None => {}
            Some(Stop::Wait(fault)) => {
                let attempt = Attempt { number: batch.tries(), alone: true, jitter: self.jitter() };
                // Otherwise its attempts are used up: the next transaction dead-letters it.
                if let Disposition::Wait(wait, cause) = decide(&Verdict::Record(fault), attempt, &self.settings.retry) {
                    self.block(now + wait, cause, false, false, now);
                }
            }
            Some(Stop::Alike(tripped)) if self.is_accepting => self.run.accept(tripped.fault),
            Some(Stop::Flood(count, above)) => {
                let cause = flood_cause(count, above);
                self.paused = Some((cause.clone(), now));
                actions.push(Action::Pause(cause));
            }
            Some(Stop::Alike(tripped)) => {
                batch.compute_anew();
                // By way of the ledger, where the tables are looked at again: they may have been mended.
                self.block(now + PROBE, alike_cause(&tripped.fault, &self.settings.binding), true, true, now);
                self.trouble.iter_mut().for_each(|trouble| trouble.is_alike = true);
            }
        }
    }

    pub(super) fn not_written(&mut self, verdict: &Verdict, now: Duration) {
        let in_flight = self.writing.take();
        let written = in_flight.and_then(|InFlight { batch, .. }| batch);
        if let Some(batch) = self.batches.iter_mut().find(|batch| Some(batch.id) == written) {
            batch.back();
        }
        self.failed(verdict, false, now);
    }

    pub(super) fn failed(&mut self, verdict: &Verdict, acquire: bool, now: Duration) {
        self.tries = self.tries.saturating_add(1);
        let attempt = Attempt { number: self.tries, alone: true, jitter: self.jitter() };
        match decide(verdict, attempt, &self.settings.retry) {
            Disposition::Wait(wait, cause) => self.block(now + wait, cause, false, acquire, now),
            Disposition::Halt(cause) => {
                self.batches.iter_mut().for_each(Batch::compute_anew);
                self.block(now + PROBE, cause, true, true, now);
            }
            Disposition::Acquire(wait) => self.block(now + wait, ledger_cause(verdict), false, true, now),
            Disposition::DeadLetter(fault) => {
                // Only a transaction's result names a record; an adapter that answers so for anything else is wrong.
                let cause =
                    Cause::new(Reason::Schema, format!("the sink refuses its own statement: {}", fault.message));
                self.block(now + PROBE, cause, true, acquire, now);
            }
            Disposition::RunAlone => {}
        }
    }

    pub(super) fn sent(&mut self, id: u64, kept: Vec<Outgoing>) {
        self.outstanding.acknowledge(id, kept);
        if self.settings.authority == Authority::Group {
            let settled = self.outstanding.settled();
            self.outstanding.remove(&settled);
        }
    }

    /// The ledger did not answer, or not with a row.
    pub(super) fn not_acquired(&mut self, verdict: &Verdict, now: Duration) {
        self.phase = Phase::Open;
        self.failed(verdict, true, now);
    }

    pub(super) fn lost(&mut self, cause: Cause, is_final: bool, now: Duration) {
        self.is_lost = true;
        self.stands = is_final.then(|| cause.clone()).or(self.stands.take());
        self.generation = None;
        self.queue.clear();
        self.block(now + PROBE, cause, true, true, now);
    }

    /// The row is somebody else's since a person moved it: it is acquired anew, at once and whatever else is waited for.
    pub(super) fn moved(&mut self, now: Duration) {
        let cause = Cause::new(Reason::Position, "the position was moved by hand; it is taken up from there");
        self.block(now, cause, false, true, now);
    }

    /// Another version is in force from the next batch on: what was computed and is not being written is computed anew, and
    /// what stands or waits is tried at once.
    pub(super) fn swapped(&mut self, batch: BatchLimits, retry: Retry, now: Duration) {
        (self.settings.batch, self.settings.retry) = (batch, retry);
        for batch in &mut self.batches {
            batch.swap(self.next_batch);
            self.next_batch += 1;
        }
        self.cut(FIRST_AFTER_SWAP);
        (self.run, self.tries) = (self.run.anew(), 0);
        if let Phase::Blocked { until, .. } = &mut self.phase {
            *until = now;
        }
    }

    pub(super) fn healed(&mut self, now: Duration) {
        let waits = self.trouble.as_ref().is_some_and(|it| it.cause.reason == Reason::Database && !it.is_halt);
        if let Phase::Blocked { until, .. } = &mut self.phase
            && waits
        {
            *until = now.min(*until);
        }
    }

    /// Cuts what is to be computed anew: nobody waits for a whole large batch. A small one goes ahead, and while it is written
    /// the next is computed, twice as large.
    fn cut(&mut self, mut count: usize) {
        let mut index = 0;
        while let Some(batch) = self.batches.get_mut(index) {
            if matches!(batch.stage, Stage::Queued) {
                let rest = batch.split(count, self.next_batch);
                self.put(index + 1, rest);
                count = count.saturating_mul(2);
            }
            index += 1;
        }
    }

    fn put(&mut self, index: usize, batch: Option<Batch>) {
        if let Some(batch) = batch {
            self.next_batch += 1;
            self.batches.insert(index, batch);
        }
    }

    /// What is wanted of the binding: to stand still, to go on, to take what fails alike for the records' fault.
    pub(super) fn wanted(
        &mut self,
        pause: Option<Cause>,
        is_accepting: bool,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let accepts = is_accepting && !std::mem::replace(&mut self.is_accepting, is_accepting);
        if accepts && self.trouble.as_ref().is_some_and(|trouble| trouble.is_alike) {
            // The next transaction finds the same, and takes it.
            self.phase = Phase::Blocked { until: now, acquire: true };
        }
        let before = self.paused.take();
        let since = before.as_ref().map_or(now, |(_, since)| *since);
        self.paused = pause.map(|cause| (cause, since));
        if before.is_some()
            && self.paused.is_none()
            && !self.is_draining
            && let Some(position) = self.position
        {
            self.start_at(position, actions);
        }
    }

    /// While it is paused, what is not being written is dropped: it is read again when it goes on.
    pub(super) fn rest(&mut self) {
        if self.paused.is_some() && self.writing.is_none() {
            self.queue.clear();
            self.batches.clear();
            (self.generation, self.end) = (None, None);
        }
    }

    pub(super) fn drain(&mut self) {
        self.is_draining = true;
        self.queue.clear();
        // The log's end lies behind what is dropped here.
        (self.end, self.ending) = (None, None);
        // What follows a batch that is dropped must not be written either.
        let kept = self.batches.iter().take_while(|batch| !matches!(batch.stage, Stage::Queued)).count();
        self.batches.truncate(kept);
    }

    pub(super) fn block(&mut self, until: Duration, cause: Cause, is_halt: bool, acquire: bool, now: Duration) {
        // A row that must be acquired anew is not forgotten because something else failed as well, and nothing is
        // started before the ledger has answered.
        let acquire = acquire || matches!(self.phase, Phase::Blocked { acquire: true, .. });
        if self.phase != Phase::Acquiring {
            self.phase = Phase::Blocked { until, acquire };
        }
        let is_same = self.trouble.as_ref().is_some_and(|trouble| trouble.cause.reason == cause.reason);
        let since = self.trouble.as_ref().filter(|_| is_same).map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { cause, since, is_halt, is_alike: false });
    }
}

fn alike_cause(fault: &Fault, binding: &str) -> Cause {
    let reason = match fault.class {
        Class::Data => Reason::Schema,
        Class::Rejected | Class::Trap | Class::Cpu | Class::Memory | Class::Contract | Class::Crash => Reason::Plugin,
    };
    let (class, code) = (fault.class, &fault.code);
    let message = format!(
        "all of at least {} records in a row fail alike ({class}, {code}), so none of them is dead-lettered; mend what they \
         fail at, or, if it is theirs, `forebay resume {binding} --accept` makes dead letters of them: {}",
        ALIKE, fault.message
    );
    Cause::new(reason, message)
}

fn flood_cause(count: Count, above: PauseAbove) -> Cause {
    let (Count { records, dead }, PauseAbove { percent, window }) = (count, above);
    let message = format!(
        "{dead} of {records} records became dead letters within {} s, above {percent} %; look at them with `forebay dlq list`",
        window.as_secs_f64()
    );
    Cause::new(Reason::Paused, message)
}

fn ledger_cause(verdict: &Verdict) -> Cause {
    match verdict {
        Verdict::Unknown(why) => {
            Cause::new(Reason::Database, format!("a transaction's outcome is unknown ({why}); the ledger is asked"))
        }
        _ => Cause::new(Reason::Fenced, "another owner acquired this partition's row in the ledger"),
    }
}
