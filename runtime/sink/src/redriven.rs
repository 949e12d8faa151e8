//! Dead letters that are sent through the handler again: each once, remembered in the transaction that applies it.

use std::sync::Arc;

use forebay_core::outbox::Outgoing;

use crate::ledger::LaneKey;

/// What a transaction remembers instead of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// Which letter, and which of its returns.
    pub id: String,
    /// The binding whose handler runs.
    pub binding: String,
    /// Whether a row that is refused ends the transaction without a trace: somebody else's row may be newer.
    pub is_guarded: bool,
}

/// Messages that a letter's transaction has decided and Kafka has not acknowledged yet.
#[derive(Debug, Clone)]
pub struct Unsent {
    /// The letter's place, and the offset behind it.
    pub key: LaneKey,
    /// The offset behind it.
    pub next: i64,
    /// The messages.
    pub messages: Arc<Vec<Outgoing>>,
}
