//! A function in place of a component: the same threads, the same checks, no sandbox. For benchmarks alone.

use std::sync::OnceLock;

use forebay_core::outcome::Outcome;
use forebay_core::record::Record;

/// What a guest's `handle` would do.
pub type Handler = fn(&Record) -> Outcome;

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Lets every record of this process go to `handler` from now on; later calls change nothing.
pub fn set(handler: Handler) {
    HANDLER.get_or_init(|| handler);
}

/// Returns the function, if one was set.
pub(crate) fn get() -> Option<Handler> {
    HANDLER.get().copied()
}
