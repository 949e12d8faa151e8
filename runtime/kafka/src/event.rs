//! The nouns between a group's thread and whoever owns its lanes.

use std::sync::Arc;

use forebay_core::record::Record;

use crate::error::Error;
use crate::feed::Feed;
use crate::verdict::Code;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

/// A position to commit: everything below `offset` is terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The next offset to read.
    pub offset: i64,
    /// The epoch of the last record's leader: lets the broker notice a truncated log.
    pub leader_epoch: Option<i32>,
    /// ASCII, below 4 KiB.
    pub metadata: String,
}

/// A position that the group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// What was committed with it; bytes that are not UTF-8 are replaced.
    pub metadata: Option<String>,
    /// The leader's epoch that was committed with it.
    pub leader_epoch: Option<i32>,
}

/// Where reading is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The next offset to deliver.
    pub offset: i64,
    /// The leader's epoch of the record before it: given, the log is asked whether it still has that record.
    pub leader_epoch: Option<i32>,
}

/// A partition that this member now owns.
#[derive(Debug)]
pub struct Assigned {
    /// Which.
    pub partition: Partition,
    /// Tells this assignment from every other one of this group's handle.
    pub assignment: u64,
    /// What the group has committed; an error if the coordinator could not be asked in time. Without a position the
    /// feed starts at the log's beginning.
    pub committed: Result<Option<Committed>, Error>,
    /// Its records, flowing already.
    pub feed: Feed,
}

/// What happens to a group.
#[derive(Debug)]
pub enum GroupEvent {
    /// These came.
    Assigned(Vec<Assigned>),
    /// These went; their feeds have ended. If they are `lost`, somebody else may own them already.
    Revoked {
        /// With the assignment that ended.
        partitions: Vec<(Partition, u64)>,
        /// Whether no commit was possible any more.
        lost: bool,
    },
    /// A commit has been answered. After an error the newest position is tried again as long as the assignment lives.
    CommitSettled {
        /// Which partition.
        partition: Partition,
        /// Its assignment when the commit was given.
        assignment: u64,
        /// The offset that was committed.
        offset: i64,
        /// Whether the coordinator took it.
        result: Result<(), Error>,
    },
    /// Something keeps the group, or one of its partitions, from going on: it waits. Said once per cause until recovery.
    Unavailable(Error),
    /// The group goes on.
    Recovered,
    /// The client is at its end and has left the group; every partition is lost.
    Fatal(Error),
}

/// What comes out of a [`Feed`].
#[derive(Debug)]
pub enum Fetched {
    /// Records in offset order, at least one.
    Records {
        /// Counts the seeks of this assignment.
        generation: u64,
        /// The records.
        records: Vec<Record>,
    },
    /// Everything below `offset` has been delivered, and that was the log's end (its last stable offset) just now.
    End {
        /// Counts the seeks of this assignment.
        generation: u64,
        /// The log's end.
        offset: i64,
    },
    /// The answer to `start_at`: everything after this starts at `offset`, and nothing older comes any more.
    Seeked {
        /// Counts the seeks of this assignment.
        generation: u64,
        /// Where reading goes on.
        offset: i64,
    },
    /// Nothing more comes before another `start_at`.
    Stopped {
        /// Counts the seeks of this assignment.
        generation: u64,
        /// The offset that could not be read, where it is known.
        offset: Option<i64>,
        /// Why.
        cause: StopCause,
        /// The code behind it.
        code: Code,
        /// The client's sentence.
        reason: String,
    },
}

/// Why a partition cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// The position is below the log's start or above its end, or the log was cut.
    OutOfRange,
    /// The log was cut below the position and has gone on since: what is there now is not what was next.
    Truncated,
    /// A batch fails its checksum or cannot be parsed.
    Corrupt,
    /// A batch is compressed with something this build cannot unpack, or is larger than the client may receive.
    Undecodable,
}
