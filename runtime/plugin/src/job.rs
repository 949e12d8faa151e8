//! What goes into the host for one batch, and what comes out of it.

use std::ops::Range;
use std::sync::Arc;

use forebay_core::fault::Fault;
use forebay_core::manifest::settings::Headers;
use forebay_core::outcome::Outcome;
use forebay_core::records::Records;

/// A range of records to run through one plugin.
pub struct Job {
    /// The records; shared, because other ranges of them may be computed elsewhere.
    pub records: Records,
    /// Which of them to run, in this order.
    pub range: Range<usize>,
    /// Which headers the handler gets.
    pub headers: Arc<Headers>,
    /// What the host checks in each outcome.
    pub check: Arc<dyn Check>,
    /// Whose work it is: bindings share the workers' time.
    pub binding: Arc<str>,
    /// The bytes that all outcomes together may have. The answer is shorter where they would be more: at least one outcome,
    /// and none from where the room ended.
    pub output_bytes: usize,
    /// Whether one instance runs all of it, in order; otherwise it is cut, and several workers share it.
    pub is_whole: bool,
}

impl Job {
    /// The most that is held of one batch where nothing else bounds it.
    pub const OUTPUT_BYTES: usize = 512 << 20;
}

/// The host-side check of the contract: unknown targets and columns, values that do not fit, missing keys.
///
/// It lives beside the call so that an outcome that breaks the contract is treated like a trap: its record runs once
/// more alone in a fresh instance.
pub trait Check: Send + Sync {
    /// Checks one outcome.
    ///
    /// # Errors
    ///
    /// Returns the record's fault where the outcome breaks the contract.
    fn check(&self, outcome: &Outcome) -> Result<(), Fault>;
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Job")
            .field("range", &self.range)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
