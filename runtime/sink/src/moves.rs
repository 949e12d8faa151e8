//! Positions for people: what the ledger says of each partition, and moving one.

use forebay_core::lane::position::{DECIDED, LedgerRow};

use crate::ledger::LaneKey;

/// How the owner of a row begins that a person has moved and the consumer group has followed.
const FOLLOWED: &str = "moved by forebay position:";

/// A partition's row, with what people want to know besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionRow {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Its row.
    pub row: LedgerRow,
    /// The plugin that wrote last.
    pub plugin_digest: Option<String>,
    /// When the row changed last, as the database writes it.
    pub updated_at: String,
    /// Rows of the outbox that wait for Kafka's acknowledgement.
    pub pending: i64,
}

/// Moves one partition: whoever owns it is fenced, and takes the position up from there.
#[derive(Debug, Clone)]
pub struct Move {
    /// The partition.
    pub key: LaneKey,
    /// Where it goes on.
    pub to: i64,
    /// The binding whose row it is from now on.
    pub binding: String,
    /// The cluster that the offset belongs to.
    pub cluster_id: Option<String>,
    /// The topic that it belongs to.
    pub topic_id: Option<String>,
    /// How many partitions the topic has, noted where nobody did yet.
    pub partitions: i32,
    /// Who moves it, for people: host and process.
    pub by: String,
}

impl Move {
    /// What stands in the row as its owner until a process takes it up.
    pub(crate) fn owner(&self) -> String {
        format!("{DECIDED} {}", self.by)
    }

    /// What stands there once the group's offset has followed: nothing is left to be overruled.
    pub(crate) fn followed(&self) -> String {
        format!("{FOLLOWED} {}", self.by)
    }
}
