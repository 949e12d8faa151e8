//! What every database's ledger is asked: which partition, by whom, and what is known of it besides.

use forebay_core::lane::position::{GroupOffset, Question};

/// A partition's key in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// `kafka.name` of the manifest.
    pub source: String,
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// Who wants which partition, and what is known of it besides the ledger.
#[derive(Debug, Clone)]
pub struct AcquireRequest {
    /// The partition.
    pub key: LaneKey,
    /// Who asks, for people: host, process, start.
    pub owner: String,
    /// What the rows are checked against.
    pub question: Question,
    /// The group's offset, if it has one.
    pub group_offset: Option<GroupOffset>,
    /// Where `start` leads.
    pub start_offset: i64,
    /// How many partitions the topic has now.
    pub partitions: i32,
    /// The digest of the plugin in force.
    pub plugin_digest: String,
}
