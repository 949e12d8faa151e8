//! Names for a scenario's things, unique on this machine, so that tests share servers without meeting.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The names one scenario uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The source topic.
    pub topic: String,
    /// The dead-letter topic.
    pub dead_letters: String,
    /// The topic published to.
    pub published: String,
    /// The consumer group.
    pub group: String,
    /// The database, a word that needs no quotes.
    pub database: String,
}

impl Names {
    /// Returns names that start with `base`, a word of letters, digits and underscores.
    pub fn new(base: &str) -> Self {
        let base = format!("{base}_{}_{}", process::id(), next());
        let dashed = base.replace('_', "-");
        Self {
            dead_letters: format!("{dashed}.dlq"),
            published: format!("{dashed}.published"),
            group: format!("{dashed}.group"),
            topic: dashed,
            database: base,
        }
    }
}

/// Returns a number that this process has not got before.
pub(crate) fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
