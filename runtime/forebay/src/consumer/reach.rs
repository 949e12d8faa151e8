//! Whether a sink was reached, as a failure tells.

use forebay_core::verdict::{Reason, Verdict};

/// What a failure says of a sink.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// It answered: whatever it said, it is there.
    There,
    /// Nobody asked it, or nobody knows.
    Unsaid,
    /// It could not be reached, or can not work.
    Away(&'a str),
}

/// Says what a failure says of the sink. A lock, a deadlock, a statement that took too long is its target's.
pub(super) fn reach(verdict: &Verdict) -> Reach<'_> {
    match verdict {
        Verdict::Unknown(why) => Reach::Away(why),
        Verdict::Unavailable(cause) | Verdict::Misconfigured(cause) if cause.reason != Reason::Database => {
            match cause.reason {
                Reason::Schema | Reason::Permission | Reason::Position | Reason::Fenced => Reach::There,
                _ => Reach::Unsaid,
            }
        }
        Verdict::Unavailable(cause) if !cause.is_of_target => Reach::Away(&cause.message),
        Verdict::Unavailable(_) | Verdict::Misconfigured(_) | Verdict::Record(_) | Verdict::Fenced => Reach::There,
    }
}
