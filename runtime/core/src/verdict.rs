//! Whose fault is it? Every adapter answers every failure with one verdict.

use std::time::Duration;

use crate::fault::Fault;

/// Whose fault a failure is, as one adapter's one function says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The record's: isolate it, confirm it alone, dead-letter it.
    Record(Fault),
    /// The infrastructure's: wait, back off, go on. Never an attempt, never a dead letter.
    Unavailable(Cause),
    /// The configuration's: halt with a sentence, probe, go on once it is mended.
    Misconfigured(Cause),
    /// Another owner has the partition: let go.
    Fenced,
    /// The answer never came: ask the ledger.
    Unknown(String),
}

/// Why a partition does not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which of the closed list it is.
    pub reason: Reason,
    /// One sentence for people: what happened and what to do.
    pub message: String,
    /// The statement or command that mends it, where there is one that can be run as it stands.
    pub statement: Option<String>,
    /// Whether it is one target's (a lock, a deadlock, a statement that took too long): the server itself is there.
    pub is_of_target: bool,
    /// How long to wait where that is known; otherwise waits grow.
    pub wait: Option<Duration>,
}

/// The closed list of reasons; each has a page in `docs/errors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The sink is out of reach, overloaded, read-only, slow or full.
    Database,
    /// The brokers are out of reach, or a topic is missing.
    Kafka,
    /// A table, column, key or partition is missing or has changed.
    Schema,
    /// A right is missing.
    Permission,
    /// The plugin can not start, or everything fails alike in it.
    Plugin,
    /// Ledger, group and log disagree about the position.
    Position,
    /// Another process took the partition over.
    Fenced,
    /// A record waits for another one (a foreign key).
    Retry,
    /// What was decided has not been acknowledged by Kafka yet.
    Outbox,
    /// A person, or the flood guard, wants the binding to stand still.
    Paused,
    /// The machine is too slow to judge a handler by its CPU time.
    Machine,
    /// The binding's rate is used up.
    Rate,
}

impl Reason {
    /// Returns the name that status, logs and pages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Kafka => "kafka",
            Self::Schema => "schema",
            Self::Permission => "permission",
            Self::Plugin => "plugin",
            Self::Position => "position",
            Self::Fenced => "fenced",
            Self::Retry => "retry",
            Self::Outbox => "outbox",
            Self::Paused => "paused",
            Self::Machine => "machine",
            Self::Rate => "rate",
        }
    }
}

impl Cause {
    /// Returns a cause.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), statement: None, is_of_target: false, wait: None }
    }

    /// Says that it is one target's.
    #[must_use]
    pub fn of_target(self) -> Self {
        Self { is_of_target: true, ..self }
    }

    /// Says how long to wait.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    /// Adds the statement or command that mends it.
    #[must_use]
    pub fn with_statement(self, statement: impl Into<String>) -> Self {
        Self { statement: Some(statement.into()), ..self }
    }
}
