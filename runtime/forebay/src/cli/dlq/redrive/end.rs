//! What becomes of a letter that was to be redriven.

use forebay_core::outcome::Effect;

/// One letter's end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// Its effects are applied.
    Applied(Vec<Effect>),
    /// The handler ignored it now, and why.
    Skipped(String),
    /// It failed again, by class, code and message, and went back with one return more.
    Failed(String, String, String),
    /// It lies in its topic again.
    Returned(String),
    /// An earlier run has redriven it.
    Known,
    /// It came back too often.
    UsedUp,
    /// It would overwrite rows that may be newer; why.
    Stale(String),
    /// It is of no topic that the binding reads.
    Foreign,
    /// Its value is nowhere any more; why.
    Lost(String),
}

impl End {
    /// Returns the name that the summary uses.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::Skipped(_) => "skipped",
            Self::Failed(..) => "failed-again",
            Self::Returned(_) => "returned",
            Self::Known => "redriven-before",
            Self::UsedUp => "used-up",
            Self::Stale(_) => "stale",
            Self::Foreign => "foreign",
            Self::Lost(_) => "lost",
        }
    }
}
