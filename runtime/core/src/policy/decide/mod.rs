//! The one place where a verdict becomes a disposition.

use std::time::Duration;

use crate::fault::{Class, Fault};
use crate::manifest::settings::Retry;
use crate::policy::backoff::Backoff;
use crate::verdict::{Cause, Reason, Verdict};

/// A foreign key's violation, in PostgreSQL's words and in SQLite's: the row it needs may still come.
const FOREIGN_KEY_VIOLATION: [&str; 2] = ["23503", "SQLITE_CONSTRAINT_FOREIGNKEY"];

/// A halted partition tries the same batch again this often.
pub const PROBE: Duration = Duration::from_secs(30);

/// What is done about a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Disposition {
    /// Confirm the record once more, alone, in a fresh instance or a transaction of its own.
    RunAlone,
    /// Try the same again after this long.
    Wait(Duration, Cause),
    /// Dead-letter the record.
    DeadLetter(Fault),
    /// Stop until it is mended; probe after [`PROBE`].
    Halt(Cause),
    /// Acquire the ledger row anew after this long, and see what it says.
    Acquire(Duration),
}

/// How often something was tried, this time included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Whether the record was alone, strictly in sequence after its predecessors.
    pub alone: bool,
    /// Any number: spreads the waits.
    pub jitter: u64,
}

/// Says what becomes of what failed.
pub fn decide(verdict: &Verdict, attempt: Attempt, retry: &Retry) -> Disposition {
    match verdict {
        Verdict::Record(_) if !attempt.alone => Disposition::RunAlone,
        Verdict::Record(fault) if heals_by_waiting(fault) && attempt.number < retry.attempts.get() => {
            let backoff = Backoff { min: retry.backoff_min, max: retry.backoff_max };
            Disposition::Wait(backoff.after(attempt.number, attempt.jitter), retry_cause(fault))
        }
        Verdict::Record(fault) => Disposition::DeadLetter(fault.clone()),
        Verdict::Unavailable(cause) => {
            let backoff = || Backoff::INFRASTRUCTURE.after(attempt.number, attempt.jitter);
            Disposition::Wait(cause.wait.unwrap_or_else(backoff), cause.clone())
        }
        Verdict::Misconfigured(cause) => Disposition::Halt(cause.clone()),
        // A true owner that was fenced by its own ghost comes back; a zombie hears from Kafka before that.
        Verdict::Fenced => Disposition::Acquire(Backoff::INFRASTRUCTURE.after(attempt.number + 3, attempt.jitter)),
        Verdict::Unknown(_) => Disposition::Acquire(Backoff::INFRASTRUCTURE.after(attempt.number, attempt.jitter)),
    }
}

/// Only what another record can cure waits.
pub fn heals_by_waiting(fault: &Fault) -> bool {
    fault.class == Class::Data && FOREIGN_KEY_VIOLATION.contains(&fault.code.as_str())
}

fn retry_cause(fault: &Fault) -> Cause {
    Cause::new(Reason::Retry, format!("a record waits for the row that its foreign key needs: {}", fault.message))
}

#[cfg(test)]
mod tests;
