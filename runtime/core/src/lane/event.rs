//! What a lane hears and what it asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Fault;
use crate::manifest::settings::{BatchLimits, Retry};
use crate::outbox::Outgoing;
use crate::outcome::Outcomes;
use crate::policy::alike::{Run, Tripped};
use crate::policy::flood::{Count, Level, PauseAbove};
use crate::record::Record;
use crate::records::Records;
use crate::verdict::{Cause, Verdict};

/// What a lane is told once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Upper bounds of a batch.
    pub batch: BatchLimits,
    /// For what may heal by waiting for another record.
    pub retry: Retry,
    /// Who keeps the position.
    pub authority: Authority,
    /// The most bytes of messages that wait for Kafka's acknowledgement.
    pub outbox_bytes: usize,
    /// Spreads this lane's waits.
    pub seed: u64,
    /// The binding's name, for what people are to say.
    pub binding: Arc<str>,
}

/// Who keeps a partition's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// The ledger in the sink's database, with the rows.
    Ledger,
    /// The consumer group alone: at least once.
    Group,
}

/// What a lane hears.
#[derive(Debug)]
pub enum Event {
    /// The answer to [`Action::Acquire`].
    Acquired(Result<Acquired, Verdict>),
    /// The consumer reads from `offset` on; what comes now is of `generation`.
    Seeked {
        /// The consumer's count of seeks.
        generation: u64,
        /// The next offset it delivers.
        offset: i64,
    },
    /// Records in offset order.
    Fetched {
        /// The consumer's count of seeks.
        generation: u64,
        /// At least one.
        records: Vec<Record>,
    },
    /// Everything below `offset` was delivered: the end of the log for now.
    End {
        /// The consumer's count of seeks.
        generation: u64,
        /// The next offset that will be written.
        offset: i64,
    },
    /// The answer to [`Action::Compute`].
    Computed {
        /// The batch.
        batch: u64,
        /// One for each record, or why there is none.
        result: Result<Outcomes, Verdict>,
    },
    /// The answer to [`Action::Write`].
    Written {
        /// What was committed, or why nothing was.
        result: Result<Written, Verdict>,
    },
    /// The answer to [`Action::Send`]: acknowledged by all replicas.
    Sent {
        /// The number they were sent under.
        id: u64,
        /// Letters that went without their value, to be kept.
        kept: Vec<Outgoing>,
    },
    /// The log lost what was next, or went back: only a person can say where to go on.
    Lost {
        /// The consumer's count of seeks when it came to the end of what can be read; none where the log itself was asked,
        /// and nothing that was fetched can be trusted.
        generation: Option<u64>,
        /// What was lost.
        cause: Cause,
        /// Whether the ledger has no answer to it: its position looks fine, and only a person who moves it can say so.
        is_final: bool,
    },
    /// A person has moved the position in the ledger.
    Moved,
    /// Another version of the plugin, or of the binding's settings, from the next batch on.
    Swapped {
        /// Upper bounds of a batch.
        batch: BatchLimits,
        /// For what may heal by waiting for another record.
        retry: Retry,
    },
    /// What is wanted of the binding, for this partition.
    Wanted {
        /// Why it is to stand still, if it is.
        pause: Option<Cause>,
        /// Whether what fails alike is the records' fault after all.
        is_accepting: bool,
    },
    /// The sink is back: what waits for it is tried at once.
    Healed,
    /// Finish what is in flight and take nothing new.
    Drain,
    /// The time that was asked for by [`Action::WakeAt`] has come.
    Tick,
}

/// The ledger row is ours.
#[derive(Debug, Clone)]
pub struct Acquired {
    /// The owner epoch that every write must carry.
    pub epoch: i64,
    /// Everything below it is terminal.
    pub position: i64,
    /// The leader epoch of the record before it, where it is known.
    pub leader_epoch: Option<i32>,
    /// Whether a person has decided it since it was acquired last.
    pub is_decided: bool,
    /// Whether the owner before died, and with which record begun.
    pub after_death: Option<AfterDeath>,
    /// Messages that were decided and not yet removed, oldest first.
    pub resend: Vec<Resend>,
}

/// The owner before died with the partition in its hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AfterDeath {
    /// The record that it had begun alone, and how often that one has been begun.
    pub begun: Option<(i64, u32)>,
}

impl AfterDeath {
    /// The record that is not run again: the third death on the same one. The first was in the middle of a batch.
    pub fn convicted(self) -> Option<i64> {
        self.begun.filter(|(_, begun)| *begun >= 2).map(|(record, _)| record)
    }

    /// Whether a record is to be noted before it is begun: those before the one in doubt have passed once.
    pub fn is_noted(self, record: i64) -> bool {
        self.begun.is_none_or(|(doubted, _)| record >= doubted)
    }
}

/// One row of the outbox.
#[derive(Debug, Clone)]
pub struct Resend {
    /// The position before the batch.
    pub from: i64,
    /// The position after it.
    pub next: i64,
    /// The messages.
    pub messages: Arc<Vec<Outgoing>>,
}

/// What a lane asks for. Each is answered by the event of the same name.
#[derive(Debug)]
pub enum Action {
    /// Acquire the ledger row.
    Acquire,
    /// Read from this offset on.
    StartAt {
        /// The next offset to deliver.
        offset: i64,
        /// The leader epoch of the record before it, where the log must be asked whether that record is still in it.
        leader_epoch: Option<i32>,
    },
    /// Run the handler.
    Compute(Command),
    /// Write rows, outbox and position in one transaction.
    Write(Box<Write>),
    /// Send messages that were committed.
    Send {
        /// Names them in [`Event::Sent`].
        id: u64,
        /// The messages.
        messages: Arc<Vec<Outgoing>>,
    },
    /// The group's offset may be this.
    Commit {
        /// The next offset to read.
        offset: i64,
        /// The leader epoch of the record before it.
        leader_epoch: Option<i32>,
    },
    /// Pause the binding for the whole group.
    Pause(Cause),
    /// Send [`Event::Tick`] at this time.
    WakeAt(Duration),
    /// Everything in flight is finished: the lane can be dropped.
    Drained,
}

/// A batch to compute.
#[derive(Debug)]
pub struct Command {
    /// Names it in [`Event::Computed`].
    pub batch: u64,
    /// Its records.
    pub records: Records,
    /// The first one that is not terminal yet.
    pub from: usize,
    /// After a death: record by record, each noted before it is begun.
    pub care: Option<AfterDeath>,
}

/// A batch to write.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its records.
    pub records: Records,
    /// What became of each.
    pub handled: Arc<Outcomes>,
    /// The first one that is not terminal yet.
    pub from: usize,
    /// How often that one was tried, this time included.
    pub attempt: u32,
    /// The owner epoch.
    pub epoch: i64,
    /// The position in the ledger.
    pub expected: i64,
    /// The position once all of it is written.
    pub next: i64,
    /// The leader epoch of the last record; unknown where the position moves over what holds no record.
    pub leader_epoch: Option<i32>,
    /// Faults in a row before this batch.
    pub run: Run,
    /// The binding's share of dead letters before this batch, where the manifest limits it.
    pub flood: Option<Level>,
    /// What of the outbox is settled.
    pub settled: Settled,
}

/// What of the outbox the next transaction removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The rows of these `next` are acknowledged.
    pub rows: Vec<i64>,
    /// Letters whose value stays.
    pub kept: Vec<(i64, Vec<Outgoing>)>,
}

/// What a transaction committed.
#[derive(Debug, Clone)]
pub struct Written {
    /// Index of the first record that is not terminal; their count if all are.
    pub done: usize,
    /// The position now.
    pub position: i64,
    /// Messages to send.
    pub outgoing: Arc<Vec<Outgoing>>,
    /// Faults in a row up to here.
    pub run: Run,
    /// Why the rest was not written.
    pub stop: Option<Stop>,
}

/// Why a batch stopped before its end, at the record [`Written::done`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It waits for another record.
    Wait(Fault),
    /// Everything from there on fails alike.
    Alike(Tripped),
    /// Too large a share of the binding's records end as dead letters: this many up to there.
    Flood(Count, PauseAbove),
}

/// Messages that wait for an acknowledgement.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Names its messages on their way: a place in the log may come twice.
    pub id: u64,
    /// The position before the batch.
    pub from: i64,
    /// The position after it.
    pub next: i64,
    /// Bytes in memory.
    pub bytes: usize,
    /// Whether Kafka has them.
    pub is_acknowledged: bool,
    /// Letters whose value stays.
    pub kept: Vec<Outgoing>,
}

/// A lane's state, as status and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Its position is not known yet.
    Starting,
    /// Records flow.
    Running,
    /// Caught up.
    Idle,
    /// For the sink, Kafka, or another record.
    Waiting,
    /// By command.
    Paused,
    /// It finishes what is in flight.
    Draining,
    /// Until something is mended.
    Halted,
}

/// What is told of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// Everything below it is terminal.
    pub position: Option<i64>,
    /// Why it does not move, and since when.
    pub why: Option<(Cause, Duration)>,
    /// When it is tried again.
    pub next_try: Option<Duration>,
    /// The timestamp of the first record that is not terminal.
    pub oldest_ms: Option<i64>,
}

impl State {
    /// Every state, for metrics.
    pub const ALL: [Self; 7] =
        [Self::Starting, Self::Running, Self::Idle, Self::Waiting, Self::Paused, Self::Draining, Self::Halted];

    /// Returns the name that status and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Halted => "halted",
        }
    }
}
