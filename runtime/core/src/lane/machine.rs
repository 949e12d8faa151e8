//! The lane's state machine. It hears events, decides, and asks for actions; it owns no clock, no socket, no task.
//!
//! One batch is written while the next is computed; the queue behind them grows meanwhile, and so do batches. A lane
//! is *starting* until its ledger row is acquired and the consumer reads from there, then it runs; it is blocked until
//! a time while it waits or halts, and is then tried again from where it stood.

use std::collections::VecDeque;
use std::time::Duration;

use crate::lane::batch::{Batch, Stage};
use crate::lane::event::{Acquired, Action, Authority, Event, Settings, Settled, State, Status, Stop, Write, Written};
use crate::lane::outstanding::Outstanding;
use crate::lane::queue::Queue;
use crate::outbox::Outgoing;
use crate::policy::alike::Run;
use crate::policy::decide::{Attempt, Disposition, PROBE, decide};
use crate::record::Record;
use crate::verdict::{Cause, Reason, Verdict};

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
    /// The log lost what was next: whatever was fetched is dropped once the position is known again.
    is_lost: bool,
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
    has_batch: bool,
}

#[derive(Debug)]
struct Trouble {
    cause: Cause,
    since: Duration,
    is_halt: bool,
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
            is_lost: false,
        }
    }

    /// Takes an event at `now` and appends what is to be done.
    pub fn hear(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        match event {
            Event::Acquired(Ok(acquired)) => self.acquired(acquired, actions),
            Event::Acquired(Err(verdict)) => self.failed(&verdict, true, now),
            Event::Seeked { generation, offset } => self.seeked(generation, offset, actions),
            Event::Fetched { generation, records } => self.fetched(generation, records, now),
            Event::End { generation, offset } if self.generation == Some(generation) && offset >= self.expected => {
                (self.end, self.expected) = (Some(offset), offset);
            }
            Event::End { .. } | Event::Tick => {}
            Event::Computed { batch, result } => self.computed(batch, result, now),
            Event::Written { result: Ok(written) } => self.written(written, now, actions),
            Event::Written { result: Err(verdict) } => self.not_written(&verdict, now),
            Event::Sent { next, kept } => self.sent(next, kept),
            Event::Lost(cause) => self.lost(cause, now),
            Event::Drain => self.drain(),
        }
        self.advance(now, actions);
    }

    /// Returns whether more records should be brought.
    pub fn wants_records(&self) -> bool {
        self.position.is_some() && !self.is_draining && !self.queue.is_full(&self.settings.batch)
    }

    /// Returns whether a transaction is under way.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Returns what is told of the lane.
    pub fn status(&self) -> Status {
        let outbox = || Cause::new(Reason::Outbox, "messages that were decided wait for Kafka's acknowledgement");
        let (state, why) = match (&self.trouble, self.position) {
            (Some(trouble), _) if trouble.is_halt => (State::Halted, Some((trouble.cause.clone(), trouble.since))),
            (Some(trouble), _) => (State::Waiting, Some((trouble.cause.clone(), trouble.since))),
            (None, _) if self.is_draining => (State::Draining, None),
            (None, None) => (State::Starting, None),
            (None, Some(_)) if self.is_outbox_full() => (State::Waiting, Some((outbox(), self.last_write))),
            (None, Some(_)) if self.generation.is_none() => (State::Starting, None),
            (None, Some(_)) if self.is_idle() && self.end == self.position => (State::Idle, None),
            (None, Some(_)) => (State::Running, None),
        };
        let next_try = match self.phase {
            Phase::Blocked { until, .. } => Some(until),
            Phase::Acquiring | Phase::Open | Phase::Drained => None,
        };
        let first = self.batches.front().and_then(Batch::first).or(self.queue.first());
        let oldest_ms = first.and_then(|record| record.timestamp_ms);
        Status { state, position: self.position, why, next_try, oldest_ms }
    }

    fn acquired(&mut self, acquired: Acquired, actions: &mut Vec<Action>) {
        let Acquired { epoch, position, resend } = acquired;
        self.epoch = epoch;
        let before = self.position.replace(position);
        let is_anew = self.is_lost || before.is_none_or(|before| position < before) || position > self.expected;
        while !is_anew && self.batches.front_mut().is_some_and(|batch| batch.advance_to(position)) {
            self.batches.pop_front();
        }
        if is_anew || self.queue.first().is_some_and(|record| record.offset < position) {
            self.start_at(position, actions);
        }
        if before != Some(position) {
            self.run = Run::default();
        }
        for row in resend {
            if !self.outstanding.knows(row.next) {
                let bytes = row.messages.iter().map(Outgoing::bytes).sum();
                self.outstanding.push(row.from, row.next, bytes);
                actions.push(Action::Send { next: row.next, messages: row.messages });
            }
        }
        (self.phase, self.trouble, self.tries, self.committed) = (Phase::Open, None, 0, None);
    }

    /// Forgets what was fetched and reads from `position` on.
    fn start_at(&mut self, position: i64, actions: &mut Vec<Action>) {
        self.queue.clear();
        self.batches.clear();
        (self.expected, self.generation, self.end, self.is_lost) = (position, None, None, false);
        actions.push(Action::StartAt(position));
    }

    fn seeked(&mut self, generation: u64, offset: i64, actions: &mut Vec<Action>) {
        if self.is_lost || self.position.is_none() {
            return;
        }
        if offset > self.expected {
            // A seek that was under way when the position moved; what lies between would be missed.
            actions.push(Action::StartAt(self.expected));
        } else {
            (self.generation, self.has_progress) = (Some(generation), false);
        }
    }

    fn fetched(&mut self, generation: u64, records: Vec<Record>, now: Duration) {
        if self.generation != Some(generation) || self.is_draining {
            return;
        }
        for record in records {
            if record.offset >= self.expected {
                self.expected = record.offset + 1;
                self.has_progress = true;
                self.queue.push(record, now);
            } else if self.has_progress {
                let (topic, partition, expected) = (&record.topic, record.partition, self.expected);
                let cause = Cause::new(
                    Reason::Position,
                    format!(
                        "the log of {topic}/{partition} went back: offset {} came after {}; it was truncated, and what was \
                         above it is gone",
                        record.offset,
                        expected - 1
                    ),
                );
                return self.lost(cause, now);
            }
        }
    }

    fn computed(&mut self, id: u64, result: Result<Vec<crate::outcome::Handled>, Verdict>, now: Duration) {
        let Some(batch) = self.batches.iter_mut().find(|batch| batch.id == id) else { return };
        match result {
            Ok(handled) => batch.computed(handled),
            Err(verdict) => {
                batch.stage = Stage::Queued;
                self.failed(&verdict, false, now);
            }
        }
    }

    fn written(&mut self, written: Written, now: Duration, actions: &mut Vec<Action>) {
        let Some(in_flight) = self.writing.take() else { return };
        let Written { done, position, outgoing, run, stop } = written;
        let from = self.position.replace(position).unwrap_or(position);
        self.outstanding.remove(&in_flight.settled);
        (self.run, self.tries, self.last_write) = (run, 0, now);
        if self.phase == Phase::Open {
            self.trouble = None;
        }
        if !outgoing.is_empty() {
            let bytes = outgoing.iter().map(Outgoing::bytes).sum();
            self.outstanding.push(from, position, bytes);
            actions.push(Action::Send { next: position, messages: outgoing });
        }
        if in_flight.has_batch {
            self.batch_written(done, stop, now);
        }
    }

    fn batch_written(&mut self, done: usize, stop: Option<Stop>, now: Duration) {
        let Some(batch) = self.batches.front_mut() else { return };
        batch.back();
        let is_done = batch.advance(done);
        self.leader_epoch = batch.leader_epoch().or(self.leader_epoch);
        if is_done {
            self.batches.pop_front();
            return;
        }
        match stop {
            None => {}
            Some(Stop::Wait(fault)) => {
                let attempt = Attempt { number: batch.tries(), alone: true, jitter: self.jitter() };
                match decide(&Verdict::Record(fault), attempt, &self.settings.retry) {
                    Disposition::Wait(wait, cause) => self.block(now + wait, cause, false, false, now),
                    // Its attempts are used up: the next transaction dead-letters it.
                    _ => {}
                }
            }
            Some(Stop::Alike(tripped)) => {
                batch.compute_anew();
                self.block(now + PROBE, alike_cause(&tripped.fault), true, false, now);
            }
        }
    }

    fn not_written(&mut self, verdict: &Verdict, now: Duration) {
        let in_flight = self.writing.take();
        if let (Some(InFlight { has_batch: true, .. }), Some(batch)) = (in_flight, self.batches.front_mut()) {
            batch.back();
        }
        self.failed(verdict, false, now);
    }

    fn failed(&mut self, verdict: &Verdict, acquire: bool, now: Duration) {
        self.tries = self.tries.saturating_add(1);
        let attempt = Attempt { number: self.tries, alone: true, jitter: self.jitter() };
        match decide(verdict, attempt, &self.settings.retry) {
            Disposition::Wait(wait, cause) => self.block(now + wait, cause, false, acquire, now),
            Disposition::Halt(cause) => {
                self.batches.iter_mut().for_each(Batch::compute_anew);
                self.block(now + PROBE, cause, true, acquire, now);
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

    fn sent(&mut self, next: i64, kept: Vec<Outgoing>) {
        self.outstanding.acknowledge(next, kept);
        if self.settings.authority == Authority::Group {
            let settled = self.outstanding.settled();
            self.outstanding.remove(&settled);
        }
    }

    fn lost(&mut self, cause: Cause, now: Duration) {
        self.is_lost = true;
        self.generation = None;
        self.queue.clear();
        self.block(now + PROBE, cause, true, true, now);
    }

    fn drain(&mut self) {
        self.is_draining = true;
        self.queue.clear();
        self.batches.retain(|batch| !matches!(batch.stage, Stage::Queued));
    }

    fn block(&mut self, until: Duration, cause: Cause, is_halt: bool, acquire: bool, now: Duration) {
        // A row that must be acquired anew is not forgotten because something else failed as well.
        let acquire = acquire || matches!(self.phase, Phase::Blocked { acquire: true, .. });
        self.phase = Phase::Blocked { until, acquire };
        let is_same = self.trouble.as_ref().is_some_and(|trouble| trouble.cause.reason == cause.reason);
        let since = self.trouble.as_ref().filter(|_| is_same).map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { cause, since, is_halt });
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
            self.write(actions);
            self.compute(now, actions);
            self.settle(now, actions);
        }
        self.commit(actions);
        if self.is_draining {
            self.finish(actions);
        }
        self.wake(now, actions);
    }

    fn write(&mut self, actions: &mut Vec<Action>) {
        let (None, Some(expected), false) = (&self.writing, self.position, self.is_outbox_full()) else { return };
        let settled = self.outstanding.settled();
        let Some(batch) = self.batches.front_mut() else { return };
        if let Some(write) = batch.write(self.epoch, expected, self.run.clone(), settled.clone()) {
            self.writing = Some(InFlight { settled, has_batch: true });
            actions.push(Action::Write(write));
        }
    }

    fn compute(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.batches.iter().any(|batch| matches!(batch.stage, Stage::Computing)) {
            return;
        }
        let limits = &self.settings.batch;
        let has_lingered = self.queue.lingers_until(limits).is_some_and(|until| now >= until);
        if self.batches.len() < DEPTH && (self.queue.is_full(limits) || has_lingered) {
            let batch = Batch::new(self.next_batch, self.queue.take(limits, now));
            self.next_batch += 1;
            self.batches.push_back(batch);
        }
        let queued = self.batches.iter_mut().find(|batch| matches!(batch.stage, Stage::Queued));
        actions.extend(queued.map(|batch| Action::Compute(batch.compute())));
    }

    /// Moves the position over what holds no record, and removes acknowledged messages, when there is nothing else.
    fn settle(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let (true, Some(expected)) = (self.is_idle() && self.writing.is_none(), self.position) else { return };
        let next = self.end.map_or(expected, |end| end.max(expected));
        if self.settings.authority == Authority::Group {
            self.position = Some(next);
            return;
        }
        let settled = self.outstanding.settled();
        let is_due = self.is_draining || now >= self.last_write + SETTLE_AFTER;
        if next > expected || (settled.up_to.is_some() && is_due) {
            self.writing = Some(InFlight { settled: settled.clone(), has_batch: false });
            let (epoch, leader_epoch, run) = (self.epoch, self.leader_epoch, self.run.clone());
            let (records, handled) = Default::default();
            actions.push(Action::Write(Write {
                records,
                handled,
                from: 0,
                attempt: 1,
                epoch,
                expected,
                next,
                leader_epoch,
                run,
                settled,
            }));
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

    /// What waits for something that may be far away is dropped: it runs again after the restart.
    fn finish(&mut self, actions: &mut Vec<Action>) {
        let waits_for_a_person = self.trouble.as_ref().is_some_and(|t| t.is_halt || t.cause.reason == Reason::Retry);
        if self.writing.is_none() && (waits_for_a_person || self.position.is_none()) {
            self.batches.clear();
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

fn alike_cause(fault: &crate::fault::Fault) -> Cause {
    use crate::fault::Class;
    let reason = match fault.class {
        Class::Data => Reason::Schema,
        Class::Rejected | Class::Trap | Class::Cpu | Class::Memory | Class::Contract => Reason::Plugin,
    };
    let (class, code) = (fault.class, &fault.code);
    let message = format!(
        "all of at least {} records in a row fail alike ({class}, {code}), so none of them is dead-lettered: {}",
        crate::policy::alike::ALIKE,
        fault.message
    );
    Cause::new(reason, message)
}

fn ledger_cause(verdict: &Verdict) -> Cause {
    match verdict {
        Verdict::Unknown(why) => {
            Cause::new(Reason::Database, format!("a transaction's outcome is unknown ({why}); the ledger is asked"))
        }
        _ => Cause::new(Reason::Fenced, "another owner acquired this partition's row in the ledger"),
    }
}
