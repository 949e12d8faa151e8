//! Which position holds when ledger, consumer group and log are asked: the acquire table, as a pure function.

use crate::manifest::settings::Start;
use crate::verdict::{Cause, Reason};

/// The first part of commit metadata that Forebay writes.
const MARKER: &str = "fb1;";

/// A partition's row in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Everything below it is terminal.
    pub next_offset: i64,
    /// How often the row was acquired.
    pub owner_epoch: i64,
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
    /// `topic/partition`, for people.
    pub partition: String,
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

/// Returns the commit metadata that marks an offset as this ledger's.
pub fn marker(ledger_id: &str, epoch: i64) -> String {
    format!("{MARKER}{ledger_id};{epoch}")
}

/// Says which position holds.
pub fn resolve(ledger: Option<&LedgerRow>, group: Option<&GroupOffset>, question: &Question) -> Resolution {
    match (ledger, group) {
        (None, None) => start(question),
        (None, Some(group)) if is_marked(group) => Resolution::Halt(other_database(group, question)),
        (None, Some(group)) => match outside_log(group.offset, "the group's offset", question) {
            Some(cause) => Resolution::Halt(cause),
            None => Resolution::Adopt(group.offset),
        },
        (Some(row), group) => resume(row, group, question),
    }
}

fn start(question: &Question) -> Resolution {
    match question.start {
        Start::Error => Resolution::Halt(halt(format!(
            "{} of group `{}` has no position in the ledger or the group, and the manifest says start = \"error\"; set \
             start to \"earliest\", \"latest\" or a time, or commit an offset for the group",
            question.partition, question.group
        ))),
        Start::Earliest | Start::Latest | Start::Timestamp(_) => Resolution::Start,
    }
}

fn resume(row: &LedgerRow, group: Option<&GroupOffset>, question: &Question) -> Resolution {
    let position = row.next_offset;
    if let Some(cause) = mistaken(row, question).or_else(|| outside_log(position, "the ledger's position", question)) {
        return Resolution::Halt(cause);
    }
    match group {
        None => Resolution::Resume(position, None),
        Some(group) if group.offset == position => Resolution::Resume(position, None),
        Some(group) if !is_ours(group, question) => Resolution::Halt(moved_group(position, group, question)),
        Some(group) if group.offset > position => {
            Resolution::Resume(position, Some(rewound(position, group, question)))
        }
        Some(_) => Resolution::Resume(position, None),
    }
}

fn is_marked(group: &GroupOffset) -> bool {
    group.metadata.starts_with(MARKER)
}

fn is_ours(group: &GroupOffset, question: &Question) -> bool {
    let rest = group.metadata.strip_prefix(MARKER);
    rest.and_then(|rest| rest.split(';').next()).is_some_and(|id| id == question.ledger_id)
}

/// Checked columns: a row of another cluster, topic or binding never looks like a fresh start.
fn mistaken(row: &LedgerRow, question: &Question) -> Option<Cause> {
    let differs =
        |known: &Option<String>, now: &Option<String>| matches!((known, now), (Some(known), Some(now)) if known != now);
    let Question { partition, group, binding, .. } = question;
    let by_hand = by_hand(question);
    if row.binding != *binding {
        let other = &row.binding;
        return Some(halt(format!(
            "{partition} of group `{group}` belongs to binding `{other}` in the ledger, not to `{binding}`; give this \
             binding a group of its own, or, if it was renamed, set binding = '{binding}' in {by_hand}"
        )));
    }
    if differs(&row.cluster_id, &question.cluster_id) {
        return Some(halt(format!(
            "{partition} of group `{group}` was processed on another cluster (id {}, this one is {}); give this cluster \
             its own kafka.name in the manifest, or delete the row in {by_hand} to start anew",
            row.cluster_id.as_deref().unwrap_or_default(),
            question.cluster_id.as_deref().unwrap_or_default()
        )));
    }
    if differs(&row.topic_id, &question.topic_id) {
        return Some(halt(format!(
            "{partition} was made anew since group `{group}` processed it up to offset {}; to start on the new topic, \
             delete the row in {by_hand}",
            row.next_offset
        )));
    }
    None
}

fn outside_log(position: i64, whose: &str, question: &Question) -> Option<Cause> {
    let Question { partition, group, log: (low, high), .. } = question;
    let by_hand = by_hand(question);
    if position < *low {
        let gone = low - position;
        return Some(halt(format!(
            "{whose} {position} of {partition}, group `{group}`, is below the log's start {low}: {gone} offsets are gone; \
             to go on at the log's start, set next_offset = {low} in {by_hand} and the group's offset to {low}"
        )));
    }
    if position > *high {
        let gone = position - high;
        return Some(halt(format!(
            "{whose} {position} of {partition}, group `{group}`, is above the log's end {high}: {gone} offsets are gone; \
             to go on at the log's end, set next_offset = {high} in {by_hand} and the group's offset to {high}"
        )));
    }
    None
}

fn other_database(group_offset: &GroupOffset, question: &Question) -> Cause {
    let Question { partition, group, .. } = question;
    halt(format!(
        "group `{group}` was run by Forebay up to offset {} of {partition}, but with another database than this one, whose \
         ledger has no row for it; connect the database it was run with, or, to take the group's offset over, commit it \
         again without Forebay's metadata with Kafka's own consumer-groups tool while no process runs",
        group_offset.offset
    ))
}

fn moved_group(position: i64, group_offset: &GroupOffset, question: &Question) -> Cause {
    let Question { partition, group, .. } = question;
    let offset = group_offset.offset;
    let by_hand = by_hand(question);
    halt(format!(
        "the offset of group `{group}` for {partition} is {offset}, moved by somebody else, and the ledger is at {position}; \
         to take the group's, set next_offset = {offset} in {by_hand} while no process runs; to keep the ledger's, set the \
         group's offset to {position} with Kafka's own consumer-groups tool"
    ))
}

fn rewound(position: i64, group: &GroupOffset, question: &Question) -> String {
    format!(
        "the ledger of {} is at {position}, below the group's offset {}: the database was rewound, and its records are \
         processed again from there",
        question.partition, group.offset
    )
}

fn by_hand(question: &Question) -> String {
    format!("forebay.ledger where consumer_group = '{}' and this topic and partition", question.group)
}

fn halt(message: String) -> Cause {
    Cause::new(Reason::Position, message)
}

#[cfg(test)]
mod tests;
