//! The lane's state machine. It hears events, decides, and asks for actions; it owns no clock, no socket, no task.
//!
//! One batch is written while the next is computed; the queue behind them grows meanwhile, and so do batches. A lane
//! is *starting* until its ledger row is acquired and the consumer reads from there, then it runs; it is blocked until
//! a time while it waits or halts, and is then tried again from where it stood.

mod answer;
mod status;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::budget::Permit;

use crate::lane::batch::{Batch, Stage};
use crate::lane::event::{Action, AfterDeath, Authority, Event, Settings, Settled, Write};
use crate::lane::outstanding::Outstanding;
use crate::lane::queue::Queue;
use crate::manifest::settings::BatchLimits;
use crate::outcome::Outcomes;
use crate::policy::alike::Run;
use crate::records::Records;
use crate::verdict::{Cause, Reason};

/// Acknowledged messages are removed from the outbox by the next batch's transaction, or after this long without one.
const SETTLE_AFTER: Duration = Duration::from_millis(200);

/// Batches between the queue and the ledger: one that is written, one that is computed meanwhile.
const DEPTH: usize = 2;

/// The worker of one partition, from assign to revoke.
#[derive(Debug)]
pub struct Lane {
    settings: Settings,
    phase: Phase,
    epoch: i64,
    /// Everything below it is terminal; unknown until the first acquire.
    position: Option<i64>,
    leader_epoch: Option<i32>,
    /// The next offset that the consumer may bring.
    expected: i64,
    /// What the consumer brings counts only under this generation; none while a seek is under way.
    generation: Option<u64>,
    /// Whether a record of this generation was taken: an offset below `expected` then means that the log went back.
    has_progress: bool,
    queue: Queue,
    batches: VecDeque<Batch>,
    writing: Option<InFlight>,
    outstanding: Outstanding,
    /// The log's end where the consumer reached it.
    end: Option<i64>,
    run: Run,
    /// Failures in a row of what is being tried.
    tries: u32,
    trouble: Option<Trouble>,
    next_batch: u64,
    /// The group's offset that was asked for last.
    committed: Option<i64>,
    last_write: Duration,
    is_draining: bool,
    /// Whether what could not be finished was dropped.
    has_given_up: bool,
    /// The log lost what was next: whatever was fetched is dropped once the position is known again.
    is_lost: bool,
    /// Whether what came first since the start continues what was there before.
    is_checked: bool,
    /// What comes next can not be read; what came before is finished first.
    ending: Option<(Cause, bool)>,
    /// Why it stands still although nothing is wrong with it, and since when.
    paused: Option<(Cause, Duration)>,
    /// Whether what fails alike is the records' fault after all.
    is_accepting: bool,
    /// The owner before died: the first batch goes record by record.
    care: Option<AfterDeath>,
    /// What keeps the lane from going on although the ledger's position looks fine, until a person moves it.
    stands: Option<Cause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Acquiring,
    Open,
    Blocked { until: Duration, acquire: bool },
    Drained,
}

/// A transaction under way.
#[derive(Debug)]
struct InFlight {
    settled: Settled,
    /// The batch it writes, if it is not only for the position.
    batch: Option<u64>,
}

#[derive(Debug)]
struct Trouble {
    cause: Cause,
    since: Duration,
    is_halt: bool,
    /// Whether it stands because everything fails alike.
    is_alike: bool,
}

impl Lane {
    /// Returns a lane and asks for its ledger row.
    pub fn new(settings: Settings, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::Acquire);
        Self {
            settings,
            phase: Phase::Acquiring,
            epoch: 0,
            position: None,
            leader_epoch: None,
            expected: 0,
            generation: None,
            has_progress: false,
            queue: Queue::default(),
            batches: VecDeque::with_capacity(DEPTH),
            writing: None,
            outstanding: Outstanding::default(),
            end: None,
            run: Run::default(),
            tries: 0,
            trouble: None,
            next_batch: 0,
            committed: None,
            last_write: Duration::ZERO,
            is_draining: false,
            has_given_up: false,
            is_lost: false,
            is_checked: false,
            ending: None,
            care: None,
            stands: None,
            paused: None,
            is_accepting: false,
        }
    }

    /// Takes an event at `now` and appends what is to be done.
    pub fn hear(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        match event {
            Event::Acquired(Ok(acquired)) => self.acquired(acquired, now, actions),
            Event::Acquired(Err(verdict)) => self.not_acquired(&verdict, now),
            Event::Seeked { generation, offset } => self.seeked(generation, offset, actions),
            Event::Fetched { generation, records } => self.fetched(generation, records, now, actions),
            Event::End { generation, offset } if self.generation == Some(generation) && !self.is_draining => {
                if offset >= self.expected {
                    (self.end, self.expected) = (Some(offset), offset);
                }
            }
            Event::End { .. } | Event::Tick => {}
            Event::Computed { batch, result } => self.computed(batch, result, now),
            Event::Written { result: Ok(written) } => self.written(written, now, actions),
            Event::Written { result: Err(verdict) } => self.not_written(&verdict, now),
            Event::Sent { id, kept } => self.sent(id, kept),
            Event::Lost { generation: None, cause, is_final } => self.lost(cause, is_final, now),
            Event::Lost { generation, cause, is_final } if generation == self.generation => {
                (self.generation, self.ending) = (None, Some((cause, is_final)));
            }
            Event::Lost { .. } => {}
            Event::Moved => self.moved(now),
            Event::Swapped { batch, retry } => self.swapped(batch, retry, now),
            Event::Wanted { pause, is_accepting } => self.wanted(pause, is_accepting, now, actions),
            Event::Healed => self.healed(now),
            Event::Drain => self.drain(),
        }
        self.advance(now, actions);
    }

    /// Returns whether more records should be brought.
    pub fn wants_records(&self) -> bool {
        self.position.is_some()
            && !self.is_draining
            && self.paused.is_none()
            && !self.queue.is_full(&self.settings.batch)
    }

    /// Takes other bounds of a batch: they follow what there is room for, and how fast the binding may go.
    pub fn limit(&mut self, batch: BatchLimits) {
        self.settings.batch = batch;
    }

    /// Returns whether a transaction is under way.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Starts whatever can be started now.
    fn advance(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Phase::Blocked { until, acquire } = self.phase
            && now >= until
            && (self.writing.is_none() || !acquire)
        {
            self.phase = if acquire { Phase::Acquiring } else { Phase::Open };
            actions.extend(acquire.then_some(Action::Acquire));
        }
        if self.phase == Phase::Open {
            self.rest();
            self.write(actions);
            self.compute(now, actions);
            self.settle(now, actions);
        }
        if self.phase == Phase::Open
            && self.is_idle()
            && self.writing.is_none()
            && let Some((cause, is_final)) = self.ending.take()
        {
            self.lost(cause, is_final, now);
        }
        self.commit(actions);
        if self.is_draining {
            self.finish(now, actions);
        }
        self.wake(now, actions);
    }

    fn write(&mut self, actions: &mut Vec<Action>) {
        let (None, Some(expected), false) = (&self.writing, self.position, self.is_outbox_full()) else { return };
        let settled = self.outstanding.settled();
        let Some(batch) = self.batches.front_mut().filter(|batch| batch.is_next(expected)) else { return };
        let id = batch.id;
        if let Some(write) = batch.write(self.epoch, expected, self.run.clone(), settled.clone()) {
            self.writing = Some(InFlight { settled, batch: Some(id) });
            actions.push(Action::Write(Box::new(write)));
        }
    }

    fn compute(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.batches.iter().any(|batch| matches!(batch.stage, Stage::Computing(_))) {
            return;
        }
        let limits = &self.settings.batch;
        let has_lingered = self.queue.lingers_until(limits).is_some_and(|until| now >= until);
        let depth = if self.care.is_some() { 1 } else { DEPTH };
        if self.batches.len() < depth && (self.queue.is_full(limits) || has_lingered) {
            let begins = self.batches.back().map(Batch::end).or(self.position).unwrap_or(self.expected);
            let batch = Batch::new(self.next_batch, self.queue.take(limits, now), begins);
            self.next_batch += 1;
            self.batches.push_back(batch);
        }
        let queued = self.batches.iter_mut().find(|batch| matches!(batch.stage, Stage::Queued));
        let care = self.care;
        actions.extend(queued.map(|batch| Action::Compute(batch.compute(care))));
    }

    /// Moves the position over what holds no record, and removes acknowledged messages, when there is nothing else.
    fn settle(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let (true, Some(expected)) = (self.is_idle() && self.writing.is_none(), self.position) else { return };
        let next = self.end.map_or(expected, |end| end.max(expected));
        if self.settings.authority == Authority::Group {
            if next > expected {
                (self.position, self.leader_epoch) = (Some(next), None);
            }
            return;
        }
        let settled = self.outstanding.settled();
        let is_due = self.is_draining || now >= self.last_write + SETTLE_AFTER;
        if next > expected || (!settled.rows.is_empty() && is_due) {
            self.writing = Some(InFlight { settled: settled.clone(), batch: None });
            // A marker may have been written under a later leader than the last record.
            self.leader_epoch = self.leader_epoch.filter(|_| next == expected);
            let (epoch, leader_epoch, run) = (self.epoch, self.leader_epoch, self.run.clone());
            let nothing = Outcomes::new(Vec::new(), |_| Permit::free());
            let (records, handled) = (Records::default(), Arc::new(nothing));
            actions.push(Action::Write(Box::new(Write {
                records,
                handled,
                from: 0,
                attempt: 1,
                epoch,
                expected,
                next,
                leader_epoch,
                run,
                flood: None,
                settled,
            })));
        }
    }

    fn commit(&mut self, actions: &mut Vec<Action>) {
        let Some(position) = self.position.filter(|_| !self.is_lost) else { return };
        let offset = self.outstanding.holds_at().map_or(position, |held| held.min(position));
        if self.committed != Some(offset) && self.phase != Phase::Acquiring {
            self.committed = Some(offset);
            actions.push(Action::Commit { offset, leader_epoch: self.leader_epoch });
        }
    }

    /// What waits for something that may be far away is dropped: it runs again after the restart. What Kafka has
    /// acknowledged is still removed from the outbox, if that works at once.
    fn finish(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let waits_for_a_person = self.trouble.as_ref().is_some_and(|t| t.is_halt || t.cause.reason == Reason::Retry);
        if self.writing.is_none() && (waits_for_a_person || self.position.is_none()) {
            self.batches.clear();
            if !self.has_given_up && matches!(self.phase, Phase::Blocked { acquire: false, .. }) {
                (self.has_given_up, self.phase, self.trouble) = (true, Phase::Open, None);
                self.settle(now, actions);
            }
        }
        let is_settled = self.outstanding.is_empty() || (waits_for_a_person && self.outstanding.is_settled());
        if self.is_idle() && self.writing.is_none() && is_settled && self.phase != Phase::Drained {
            self.phase = Phase::Drained;
            actions.push(Action::Drained);
        }
    }

    fn wake(&self, now: Duration, actions: &mut Vec<Action>) {
        let wake = match self.phase {
            Phase::Blocked { until, .. } => Some(until),
            Phase::Open if self.batches.len() < DEPTH && !self.queue.is_empty() => {
                self.queue.lingers_until(&self.settings.batch)
            }
            Phase::Open if self.is_idle() && !self.outstanding.is_empty() => Some(self.last_write + SETTLE_AFTER),
            Phase::Open | Phase::Acquiring | Phase::Drained => None,
        };
        actions.extend(wake.filter(|at| *at > now).map(Action::WakeAt));
    }

    fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.queue.is_empty()
    }

    fn is_outbox_full(&self) -> bool {
        self.outstanding.bytes() >= self.settings.outbox_bytes
    }

    fn jitter(&self) -> u64 {
        self.settings.seed ^ self.next_batch ^ (u64::from(self.tries) << 32)
    }
}

#[cfg(test)]
mod tests;
