//! The loop: serve events, hand on what has come, keep house.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_core::budget::Budget;
use tokio::sync::{mpsc, oneshot};

use super::intake::Intake;
use super::outbox::Outbox;
use super::pressure::{Change, Limits, decide, is_budget_full};
use crate::commands::Mailbox;
use crate::commits::Commits;
use crate::error::Error;
use crate::event::{GroupEvent, Partition};
use crate::group::Pulse;
use crate::raw::{Client, Event, EventKind, Message, Queue, Waker};
use crate::watermarks::Watermarks;

/// After this many events the house is kept, however many more there are.
const EVENTS_PER_TURN: usize = 2048;
/// The longest wait for an event; commits and pauses are looked after at least this often.
const WAIT_MS: i32 = 100;
/// The wait while somebody else's room is awaited who cannot wake this thread.
const SHORT_WAIT_MS: i32 = 10;
/// How often silent partitions are looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long leaving may take when nobody waits for it.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

/// Everything the thread owns.
pub(crate) struct Reader {
    pub(super) client: Arc<Client>,
    pub(super) queue: Arc<Queue>,
    pub(super) waker: Waker,
    mailbox: Arc<Mailbox>,
    budget: Budget,
    pub(super) outbox: Outbox,
    pub(super) watermarks: Arc<Watermarks>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) intakes: Vec<Intake>,
    /// The partition of the last record: records come in runs. Forgotten whenever `intakes` changes.
    current: Option<(usize, i32, usize)>,
    pub(super) commits: Commits,
    /// Whoever waits for every commit to be answered.
    flushes: Vec<oneshot::Sender<()>>,
    /// Counts assignments of partitions.
    pub(super) assignments: u64,
    pub(super) is_stopping: bool,
    is_full: bool,
    /// Since when every broker is out of reach.
    pub(super) down_since: Option<Instant>,
    /// What the owner has been told lately.
    pub(super) told: Vec<(Error, Instant)>,
    /// Partitions whose beginning could not be looked up, with the time to try again. At most one per partition.
    pub(super) lost_beginnings: Vec<(Partition, u64, Instant)>,
    close: Option<(Duration, oneshot::Sender<()>)>,
    next_watch: Instant,
}

impl Reader {
    pub(crate) fn new(
        queue: Arc<Queue>,
        waker: Waker,
        mailbox: Arc<Mailbox>,
        budget: Budget,
        events: mpsc::Sender<GroupEvent>,
        (watermarks, pulse): (Arc<Watermarks>, Arc<Pulse>),
    ) -> Self {
        Self {
            client: Arc::clone(queue.client()),
            queue,
            waker,
            mailbox,
            budget,
            outbox: Outbox::new(events),
            watermarks,
            pulse,
            intakes: Vec::new(),
            current: None,
            commits: Commits::default(),
            flushes: Vec::new(),
            assignments: 0,
            is_stopping: false,
            is_full: false,
            down_since: None,
            told: Vec::new(),
            lost_beginnings: Vec::new(),
            close: None,
            next_watch: Instant::now(),
        }
    }

    /// Turns until the group is to be left, and leaves it.
    pub(crate) fn run(mut self) {
        loop {
            self.pulse.turn();
            self.absorb();
            if let Some((deadline, done)) = self.close.take() {
                self.leave(deadline);
                drop(done);
                return;
            }
            if self.outbox.is_closed() {
                self.leave(LEAVE_DEADLINE);
                return;
            }
            if self.serve() == 0 {
                self.keep_house();
                if let Some(event) = self.queue.poll(self.wait_ms()) {
                    self.on_event(&event);
                }
            } else {
                self.keep_house();
            }
        }
    }

    /// Takes what others wish for.
    pub(super) fn absorb(&mut self) {
        let Some(wishes) = self.mailbox.take() else { return };
        self.is_stopping |= wishes.is_stopped;
        self.flushes.extend(wishes.flushes);
        for (_, offer) in wishes.offers {
            let is_current = |intake: &Intake| intake.at == offer.at && intake.assignment == offer.assignment;
            if self.intakes.iter().any(is_current) {
                self.commits.offer(offer);
            }
        }
        for (at, (assignment, start)) in wishes.starts {
            self.start(&at, assignment, start);
        }
        if self.close.is_none() {
            self.close = wishes.close;
        }
    }

    /// Serves what is there without waiting, then hands on what it brought. Returns how many events there were.
    fn serve(&mut self) -> usize {
        let mut served = 0;
        while served < EVENTS_PER_TURN {
            let Some(event) = self.queue.poll(0) else { break };
            self.on_event(&event);
            served += 1;
        }
        // The queue is empty for the moment, or there was enough for a turn: nobody waits for a chunk to fill.
        for intake in &mut self.intakes {
            intake.flush();
        }
        served
    }

    fn on_event(&mut self, event: &Event) {
        match event.kind() {
            EventKind::Fetch => {
                if let Some(message) = event.message() {
                    self.on_record(&message);
                }
            }
            EventKind::Error => self.on_error(event),
            EventKind::Rebalance => self.on_rebalance(event),
            EventKind::Commit => self.on_commit(event),
            EventKind::Delivery | EventKind::Other => {}
        }
    }

    fn on_record(&mut self, message: &Message<'_>) {
        if self.is_stopping {
            return;
        }
        if self.down_since.is_some() {
            self.recover();
        }
        // A record of a partition that is not ours any more: the client drops those itself; nothing is lost.
        let Some(index) = self.index_of(message) else { return };
        let Some(intake) = self.intakes.get_mut(index) else { return };
        if intake.take(message, &self.budget) {
            intake.flush();
            self.is_full = is_budget_full(self.is_full, self.budget.used(), self.budget.limit());
            self.relieve(index);
        }
    }

    fn index_of(&mut self, message: &Message<'_>) -> Option<usize> {
        let (tag, partition) = (message.topic_tag(), message.partition());
        if let Some((known_tag, known_partition, index)) = self.current
            && known_tag == tag
            && known_partition == partition
        {
            return Some(index);
        }
        let topic = message.topic();
        let index = self.intakes.iter().position(|intake| intake.is(topic, partition))?;
        self.current = Some((tag, partition, index));
        Some(index)
    }

    /// Forgets where the last record went.
    pub(super) fn forget_current(&mut self) {
        self.current = None;
    }

    /// Pauses or resumes one partition as the load demands.
    fn relieve(&mut self, index: usize) {
        let limits = Limits::new(self.budget.limit(), self.intakes.len(), self.is_full, self.is_stopping);
        let Some(intake) = self.intakes.get_mut(index) else { return };
        let Some(change) = decide(intake.load(), limits) else { return };
        let item = [intake.item(0)];
        let (result, is_paused) = match change {
            Change::Pause => (self.client.pause(&item), true),
            Change::Resume => (self.client.resume(&item), false),
        };
        match result {
            Ok(()) => intake.is_paused = is_paused,
            Err((code, text)) => tracing::debug!(code, text, "a partition could not be paused or resumed"),
        }
        // The lane wakes this thread once it has taken enough. If it has already, the next turn sees it.
        if is_paused && intake.inlet.wake_at(limits.low) {
            self.waker.wake();
        }
        intake.last_sign = Instant::now();
    }

    fn keep_house(&mut self) {
        let now = Instant::now();
        self.is_full = is_budget_full(self.is_full, self.budget.used(), self.budget.limit());
        for index in 0..self.intakes.len() {
            self.relieve(index);
        }
        self.retry_starts(now);
        self.retry_beginnings(now);
        if let Some(batch) = self.commits.due(self.now(), !self.flushes.is_empty()) {
            self.send(batch);
        }
        if self.commits.is_settled() {
            for flush in self.flushes.drain(..) {
                flush.send(()).ok();
            }
        }
        if now >= self.next_watch {
            self.next_watch = now + WATCH_INTERVAL;
            self.watch(now);
        }
        self.outbox.push();
    }

    fn wait_ms(&self) -> i32 {
        if self.is_full || self.outbox.is_waiting() { SHORT_WAIT_MS } else { WAIT_MS }
    }

    /// Leaves the group. The last rebalance, and the last commits with it, are served here.
    fn leave(&mut self, deadline: Duration) {
        let end = Instant::now() + deadline;
        self.is_stopping = true;
        match self.queue.close_consumer() {
            Ok(()) => {
                while !self.queue.is_closed() && Instant::now() < end {
                    self.pulse.turn();
                    if let Some(event) = self.queue.poll(SHORT_WAIT_MS) {
                        self.on_event(&event);
                    }
                    self.outbox.push();
                }
            }
            Err((code, text)) => tracing::debug!(code, text, "the group could not be left in order"),
        }
        self.let_go(true);
        self.outbox.push();
        self.waker.close();
    }
}
