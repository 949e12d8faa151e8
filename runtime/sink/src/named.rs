//! A verdict with the name of the sink that it came from.

use forebay_core::verdict::{Cause, Reason, Verdict};

/// Puts the sink's name before what its database says.
pub(crate) fn named(sink: &str, verdict: Verdict) -> Verdict {
    let name = |cause: Cause| Cause { message: format!("sink `{sink}`: {}", cause.message), ..cause };
    match verdict {
        Verdict::Unavailable(cause) => Verdict::Unavailable(name(cause)),
        Verdict::Misconfigured(cause) => Verdict::Misconfigured(name(cause)),
        Verdict::Unknown(what) => Verdict::Unavailable(Cause::new(Reason::Database, format!("sink `{sink}`: {what}"))),
        other => other,
    }
}
