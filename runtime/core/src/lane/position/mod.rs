//! Which position holds when ledger, consumer group and log are asked: the acquire table, as a pure function.

mod halt;

use crate::manifest::settings::Start;
use crate::verdict::Cause;

/// The first part of commit metadata that Forebay writes.
const MARKER: &str = "fb1;";

/// How the owner of a row begins while a position that a person has decided waits to be taken up: until then it holds
/// whatever the group's offset says.
pub const DECIDED: &str = "forebay position:";

/// A partition's row in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Everything below it is terminal.
    pub next_offset: i64,
    /// The leader epoch of the record before it, where it is known.
    pub leader_epoch: Option<i32>,
    /// How often the row was acquired.
    pub owner_epoch: i64,
    /// Who acquired it last, or who moved it.
    pub owner: String,
    /// The cluster it was written for.
    pub cluster_id: Option<String>,
    /// The topic it was written for.
    pub topic_id: Option<String>,
    /// The binding it was written for.
    pub binding: String,
}

/// A partition's offset in the consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// The next offset to read.
    pub offset: i64,
    /// Its commit metadata.
    pub metadata: String,
}

/// What is asked about a partition, besides its row and its group offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The consumer group, for people.
    pub group: String,
    /// The binding that asks.
    pub binding: String,
    /// The id of this ledger.
    pub ledger_id: String,
    /// The cluster, where the broker tells.
    pub cluster_id: Option<String>,
    /// The topic's id, where the broker tells.
    pub topic_id: Option<String>,
    /// The log's first offset and its end.
    pub log: (i64, i64),
    /// Where a partition without a position starts.
    pub start: Start,
}

/// Which position holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Resolution {
    /// The ledger's; something is worth a warning.
    Resume(i64, Option<String>),
    /// The group's: taking it over from another consumer.
    Adopt(i64),
    /// Nobody's: resolve `start` and write it to the ledger first.
    Start,
    /// None until somebody decides.
    Halt(Cause),
}

/// What a person's `adopt` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// The group's offset.
    Group(i64),
    /// The ledger's own position: only the row's binding changes, or nothing.
    Ledger(i64),
    /// There is nothing to take.
    Nothing,
}

impl LedgerRow {
    /// Whether a person has moved it and no process has taken it up since.
    pub fn is_decided(&self) -> bool {
        self.owner.starts_with(DECIDED)
    }

    /// Whether its offsets are those of this log: the same cluster and topic, as far as both are known.
    pub fn is_of_log(&self, cluster_id: Option<&str>, topic_id: Option<&str>) -> bool {
        !differs(self.cluster_id.as_deref(), cluster_id) && !differs(self.topic_id.as_deref(), topic_id)
    }
}

impl GroupOffset {
    /// Whether Forebay committed it, whatever its database.
    pub fn is_marked(&self) -> bool {
        self.metadata.starts_with(MARKER)
    }

    /// Whether Forebay committed it with this ledger.
    pub fn is_of_ledger(&self, ledger_id: &str) -> bool {
        let rest = self.metadata.strip_prefix(MARKER);
        rest.and_then(|rest| rest.split(';').next()).is_some_and(|id| id == ledger_id)
    }
}

impl Question {
    /// Returns `topic/partition`, for people.
    pub fn place(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }
}

/// Returns the commit metadata that marks an offset as this ledger's.
pub fn marker(ledger_id: &str, epoch: i64) -> String {
    format!("{MARKER}{ledger_id};{epoch}")
}

/// Says which position holds.
pub fn resolve(ledger: Option<&LedgerRow>, group: Option<&GroupOffset>, question: &Question) -> Resolution {
    match (ledger, group) {
        (None, None) => match question.start {
            Start::Error => Resolution::Halt(halt::no_position(question)),
            Start::Earliest | Start::Latest | Start::Timestamp(_) => Resolution::Start,
        },
        (None, Some(group)) if group.is_marked() => Resolution::Halt(halt::other_database(group, question)),
        (None, Some(group)) => match halt::outside_log(group.offset, "the group's offset", question) {
            Some(cause) => Resolution::Halt(cause),
            None => Resolution::Adopt(group.offset),
        },
        (Some(row), group) => resume(row, group, question),
    }
}

/// Says what `adopt` takes: the group's offset where somebody else set it or the row is none of this log's; the ledger's
/// own where the group only follows it.
pub fn adopt(ledger: Option<&LedgerRow>, group: Option<&GroupOffset>, question: &Question) -> Adoption {
    let Question { cluster_id, topic_id, ledger_id, .. } = question;
    let row = ledger.filter(|row| row.is_of_log(cluster_id.as_deref(), topic_id.as_deref()));
    match (row, group) {
        (Some(row), Some(group)) if group.is_of_ledger(ledger_id) => Adoption::Ledger(row.next_offset),
        (_, Some(group)) => Adoption::Group(group.offset),
        (Some(row), None) => Adoption::Ledger(row.next_offset),
        (None, None) => Adoption::Nothing,
    }
}

fn resume(row: &LedgerRow, group: Option<&GroupOffset>, question: &Question) -> Resolution {
    let position = row.next_offset;
    if let Some(cause) = halt::mistaken(row, question) {
        return Resolution::Halt(cause);
    }
    if let Some(cause) = halt::outside_log(position, "the ledger's position", question) {
        return Resolution::Halt(halt::or_adopt(cause, group, question));
    }
    match group {
        None => Resolution::Resume(position, None),
        Some(_) if row.is_decided() => Resolution::Resume(position, None),
        Some(group) if group.offset == position => Resolution::Resume(position, None),
        Some(group) if !group.is_of_ledger(&question.ledger_id) => {
            Resolution::Halt(halt::moved_group(position, group, question))
        }
        Some(group) if group.offset > position => {
            Resolution::Resume(position, Some(halt::rewound(position, group, question)))
        }
        Some(_) => Resolution::Resume(position, None),
    }
}

fn differs(known: Option<&str>, now: Option<&str>) -> bool {
    matches!((known, now), (Some(known), Some(now)) if known != now)
}

#[cfg(test)]
mod tests;
