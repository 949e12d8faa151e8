//! What a database says of a target's table.

use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::Cause;

/// A table, and what stands in the way of writing to it.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// What rows are checked and planned against.
    pub facts: TableFacts,
    /// Sentences, each with what to do: the key without a constraint, columns and rights that are missing.
    pub faults: Vec<Cause>,
}
