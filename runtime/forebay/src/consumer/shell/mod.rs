//! The thin async shell around a lane: it carries events to the state machine and actions out of it. One task for each
//! assigned partition; it ends when the partition is revoked or drained.

mod tasks;
mod wait;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forebay_core::lane::position::marker;
use forebay_core::lane::{Action, Authority, Event, Lane, Settings, State, Write, Written};
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::Verdict;
use forebay_kafka::{Commit, Feed, Partition, Start};
use forebay_sink::{Committed, Pause, Wanted};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::consumer::acquire::{self, Granted};
use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::heard::{Answer, Assignment, Heard, Version};
use crate::consumer::live::Bindings;
use crate::consumer::observer;
use crate::consumer::pace::Owned;
use crate::consumer::report::Report;
use crate::consumer::shell::wait::{changed, sleep_until};
use crate::consumer::surroundings::{Order, Surroundings};
use crate::consumer::{fetched, terminal};
use crate::status::LaneName;

/// How often a lane tells of itself when nothing happens.
const BEAT: Duration = Duration::from_secs(1);

/// How long letting go of a row may take.
const RELEASE: Duration = Duration::from_secs(1);

/// A lane's shell.
pub(super) struct Shell {
    lane: Lane,
    at: Partition,
    assignment: u64,
    name: LaneName,
    binding: Arc<Binding>,
    around: Surroundings,
    feed: Feed,
    orders: mpsc::Receiver<Order>,
    /// What was asked for and has not been answered. At most one acquire, one computation, one transaction, and a send
    /// for each row of the outbox, which is bounded in bytes.
    in_flight: JoinSet<Answer>,
    report: Report,
    /// What is wanted of the binding.
    wanted: watch::Receiver<Wanted>,
    /// Tells that the sink is back.
    closings: Option<watch::Receiver<u64>>,
    /// One of the binding's partitions, for its rate: from the moment on that the owner before has nothing more under way.
    owned: Option<Owned>,
    /// Since when the rate is waited for.
    throttled: Arc<Mutex<Option<Duration>>>,
    /// The partition is gone: what has not begun does not begin.
    leaving: CancellationToken,
    /// Spreads this lane's waits.
    seed: u64,
    /// Whether the last transaction went well, and nothing of it was refused.
    is_steady: bool,
    /// The bindings in force: another version of this one may come.
    versions: watch::Receiver<Bindings>,
    /// Whether the ledger knows from where on this version writes.
    is_noted: bool,
    /// The computation under way.
    computing: Option<AbortHandle>,
    prepared: Option<Arc<Prepared>>,
    epoch: i64,
    wake: Option<Duration>,
    beat: Interval,
    /// Messages behind the ones that are being sent: one after the other, in the order of the log.
    unsent: VecDeque<(u64, Arc<Vec<Outgoing>>)>,
    is_sending: bool,
    /// What the group had committed at the assignment; taken by the first acquire.
    committed: Option<Option<forebay_kafka::Committed>>,
    is_over: bool,
}

impl Shell {
    pub(super) fn new(
        binding: Arc<Binding>,
        around: Surroundings,
        (at, assignment, feed, committed): Assignment,
        name: LaneName,
        orders: mpsc::Receiver<Order>,
    ) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        let authority = if binding.needs.sink.is_some() { Authority::Ledger } else { Authority::Group };
        let seed = assignment.wrapping_mul(31).wrapping_add(u64::from(at.partition.unsigned_abs()));
        let settings = Settings {
            batch: binding.batch(),
            retry: binding.settings.retry,
            authority,
            outbox_bytes: around.outbox_bytes,
            binding: binding.settings.name.as_str().into(),
            seed,
        };
        let lane = Lane::new(settings, &mut actions);
        let report = Report::new(name.clone(), around.board.clone(), around.metrics.clone());
        let (wanted, versions) = (binding.steering.follow(), around.live.follow());
        let closings = binding.share.as_ref().map(|share| share.follow());
        let shell = Self {
            lane,
            at,
            assignment,
            name,
            around,
            feed,
            orders,
            in_flight: JoinSet::new(),
            report,
            wanted,
            closings,
            owned: None,
            throttled: Arc::default(),
            leaving: CancellationToken::new(),
            seed,
            is_steady: true,
            versions,
            is_noted: false,
            computing: None,
            prepared: None,
            epoch: 0,
            wake: None,
            beat: tokio::time::interval(BEAT),
            unsent: VecDeque::new(),
            is_sending: false,
            committed,
            is_over: false,
            binding,
        };
        (shell, actions)
    }

    /// Runs until the partition is revoked or drained.
    pub(super) async fn run(mut self, actions: Vec<Action>) {
        let turns = self.around.watchdog.turns(format!("the loop of {}/{}", self.at.topic, self.at.partition));
        self.perform(actions);
        while !self.is_over {
            turns.fetch_add(1, Ordering::Relaxed);
            let heard = self.listen().await;
            self.on(heard);
            self.tell();
        }
        drop(turns);
        self.finish_write().await;
        self.release().await;
    }

    /// Lets go of the row, as far as that works at once: whoever comes next has nothing to doubt.
    async fn release(&self) {
        let (Some(sink), Some(_)) = (&self.binding.needs.sink, &self.prepared) else { return };
        let key = acquire::key(&self.binding, &self.at);
        match tokio::time::timeout(RELEASE, sink.release(&key, &self.around.owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(verdict)) => debug!(?verdict, "the row could not be let go"),
            Err(_) => debug!("the row could not be let go in time"),
        }
    }

    async fn finish_write(&mut self) {
        // A transaction that was sent is waited for: its records are counted here or nowhere.
        self.leaving.cancel();
        while self.lane.is_writing() {
            let Some(answer) = self.in_flight.join_next().await else { break };
            let Ok(answer) = answer else { continue };
            if let Answer::Written(version, written, took) = answer {
                let (write, result) = *written;
                if matches!(result, Err(Verdict::Fenced)) {
                    // Withdrawn, or another's already: nothing is to be counted.
                    break;
                }
                let _the_row_is_anothers_now = self.written(&version, &write, result, took);
                break;
            }
        }
    }

    /// Waits for whatever comes first. Each of the sources is cancel-safe.
    async fn listen(&mut self) -> Heard {
        let wake = self.wake.map(|wake| self.around.board.at(wake));
        tokio::select! {
            biased; // Orders first: a revoked partition must not take another batch.
            order = self.orders.recv() => Heard::Order(order),
            Some(answer) = self.in_flight.join_next(), if !self.in_flight.is_empty() => match answer {
                Ok(answer) => Heard::Answer(answer),
                // A computation of a version that is no longer in force.
                Err(error) if error.is_cancelled() => Heard::Beat,
                // Only a panic of ours ends a task. Going on would leave a partition that is ours and that nobody works on:
                // the process ends, and the group gives its partitions to others.
                Err(error) => {
                    tracing::error!(%error, "a bug of ours: a lane's task panicked; the process ends with 70");
                    std::process::exit(70);
                }
            },
            Ok(()) = self.wanted.changed() => Heard::Wanted,
            Ok(()) = self.versions.changed() => Heard::Swapped,
            Some(Ok(())) = changed(&mut self.closings) => Heard::Healed,
            fetched = self.feed.next(), if self.lane.wants_records() => Heard::Fetched(fetched),
            () = sleep_until(wake), if wake.is_some() => Heard::Tick,
            _ = self.beat.tick() => Heard::Beat,
        }
    }

    fn on(&mut self, heard: Heard) {
        let event = match heard {
            Heard::Order(Some(Order::Drain)) => Some(Event::Drain),
            Heard::Order(Some(Order::Moved)) => Some(Event::Moved),
            Heard::Order(Some(Order::Anew)) => Some(fetched::anew(&self.at)),
            Heard::Order(Some(Order::Let) | None) | Heard::Fetched(None) => {
                self.is_over = true;
                None
            }
            // Only to tell: an idle lane hears nothing, and the log's end moves all the same.
            Heard::Beat => None,
            Heard::Wanted => Some(self.wish()),
            Heard::Swapped => self.swap(),
            Heard::Healed => Some(Event::Healed),
            Heard::Tick => {
                self.wake = None;
                Some(Event::Tick)
            }
            Heard::Fetched(Some(fetched)) => Some(fetched::event(&self.at, &self.binding.settings.name, fetched)),
            Heard::Answer(answer) => self.answered(answer),
        };
        if let Some(event) = event {
            self.hear(event);
        }
    }

    fn hear(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.lane.limit(self.binding.batch());
        self.lane.hear(event, self.around.board.now(), &mut actions);
        self.perform(actions);
    }

    /// Takes another version of the binding, if there is one. A transaction that is under way is the old one's to the end; what
    /// was computed and is not written is computed anew.
    fn swap(&mut self) -> Option<Event> {
        let next = self.around.live.reads(&self.binding.settings.group, &self.at.topic)?;
        if Arc::ptr_eq(&next, &self.binding) {
            return None;
        }
        info!(
            plugin = next.settings.plugin,
            digest = next.needs.plugin.digest(),
            "another version from the next batch on"
        );
        if let Some(computing) = self.computing.take() {
            computing.abort();
        }
        self.prepared = self.prepared.take().and_then(|_| next.prepared());
        (self.binding, self.is_noted) = (next, false);
        Some(Event::Swapped { batch: self.binding.batch(), retry: self.binding.settings.retry })
    }

    fn wish(&mut self) -> Event {
        let wanted = self.wanted.borrow_and_update();
        self.binding.steering.event(&wanted, self.at.partition)
    }

    fn answered(&mut self, answer: Answer) -> Option<Event> {
        match answer {
            Answer::Acquired(version, Ok(Granted { acquired, prepared })) => {
                if let Some(before) = self.lane.status().position.filter(|before| acquired.position < *before) {
                    let (now, count) = (acquired.position, before - acquired.position);
                    warn!(
                        "the ledger went from {before} back to {now}: the position was moved by hand, or the database was rewound; \
                         {count} offsets are processed again"
                    );
                }
                self.owned.get_or_insert_with(|| self.binding.pace.own());
                // What is wanted is known before the first record.
                let wish = self.wish();
                self.hear(wish);
                // Where another version came meanwhile, servers were asked about that one before.
                let is_of_this_one = Arc::ptr_eq(&version.0, &self.binding);
                self.prepared = if is_of_this_one { Some(prepared) } else { self.binding.prepared() };
                (self.epoch, self.is_noted) = (acquired.epoch, false);
                debug!(position = acquired.position, epoch = acquired.epoch, "partition acquired");
                Some(Event::Acquired(Ok(acquired)))
            }
            Answer::Acquired(_, Err(verdict)) => {
                self.report.failed("acquire", &verdict);
                Some(Event::Acquired(Err(verdict)))
            }
            // Of a version that is no longer in force: the lane has asked anew.
            Answer::Computed(version, ..) if !Arc::ptr_eq(&version.0, &self.binding) => None,
            Answer::Computed(_, batch, result, took) => {
                self.report.stage("handle", took);
                let result = result.map(|computed| {
                    self.prepared = computed.grown.or(self.prepared.take());
                    computed.outcomes
                });
                result.as_ref().err().inspect(|verdict| self.report.failed("handle", verdict));
                Some(Event::Computed { batch, result })
            }
            Answer::Written(version, written, took) => {
                let (write, result) = *written;
                let is_whole = |it: &Committed| it.refused.is_empty() && it.written.stop.is_none();
                self.is_steady = result.as_ref().is_ok_and(is_whole);
                let result = self.written(&version, &write, result, took);
                let has_written = result.as_ref().is_ok_and(|written| written.done > write.from);
                self.is_noted |= has_written && Arc::ptr_eq(&version.0, &self.binding);
                Some(Event::Written { result })
            }
            Answer::Sent(id, messages, kept) => {
                self.is_sending = false;
                self.send_next();
                if let Some(prepared) = &self.prepared {
                    terminal::sent(&self.binding, prepared, &messages, &self.around.metrics);
                }
                // None: the producer was stopped, and the rows stay in the outbox.
                kept.map(|kept| Event::Sent { id, kept })
            }
        }
    }

    fn written(
        &self,
        (binding, prepared): &Version,
        write: &Write,
        result: Result<Committed, Verdict>,
        took: Duration,
    ) -> Result<Written, Verdict> {
        match result {
            Ok(committed) => {
                self.report.stage("write", took);
                if let Some(prepared) = prepared {
                    terminal::committed(binding, prepared, write, &committed, &self.around.metrics);
                    if let Some(observer) = &self.around.observer {
                        observer::tell(observer, &prepared.targets, write, &committed);
                    }
                }
                Ok(committed.written)
            }
            Err(verdict) => {
                self.report.failed("write", &verdict);
                Err(verdict)
            }
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Acquire => self.acquire(),
                Action::StartAt { offset, leader_epoch } => {
                    self.around.group.start_at(&self.at, self.assignment, Start { offset, leader_epoch });
                }
                Action::Compute(command) => self.compute(command),
                Action::Write(write) => self.write(*write),
                Action::Send { id, messages } => {
                    self.unsent.push_back((id, messages));
                    self.send_next();
                }
                Action::Commit { offset, leader_epoch } => self.commit(offset, leader_epoch),
                Action::Pause(cause) => {
                    warn!(class = cause.reason.as_str(), "the binding is paused: {}", cause.message);
                    let by = format!("the flood guard in {}", self.around.owner);
                    self.binding.steering.trip(Pause { by, why: cause.message, at: String::new() });
                }
                Action::WakeAt(at) => self.wake = Some(at),
                Action::Drained => self.is_over = true,
            }
        }
    }

    fn commit(&self, offset: i64, leader_epoch: Option<i32>) {
        forebay_sink::failpoint::pass("before-group-commit");
        let ledger_id = self.prepared.as_ref().and_then(|prepared| prepared.ledger_id.as_deref());
        let metadata = ledger_id.map(|id| marker(id, self.epoch)).unwrap_or_default();
        self.around.group.commit(&self.at, self.assignment, Commit { offset, leader_epoch, metadata });
    }

    fn tell(&mut self) {
        let end = self.around.group.watermarks(&self.at).map(|log| log.high);
        let mut status = self.lane.status();
        if let (State::Running, Some(since)) = (status.state, *self.throttled.lock()) {
            (status.state, status.why) = (State::Waiting, Some((self.binding.throttled(), since)));
        }
        self.report.status(status, end);
    }
}
