//! What is said where nobody but a person can decide: what happened, how many records are concerned, and the commands that
//! lead out.

use crate::lane::position::{GroupOffset, LedgerRow, Question, differs};
use crate::verdict::{Cause, Reason};

pub(super) fn no_position(question: &Question) -> Cause {
    let (place, group, (low, high)) = (question.place(), &question.group, question.log);
    halt(format!(
        "{place} of group `{group}` has no position in the ledger or the group, and the manifest says start = \"error\"; its \
         log has {}; to go on: {} (or latest, an offset, a time), or another `start`",
        offsets(high - low),
        set(question, "earliest")
    ))
}

/// Checked columns: a row of another cluster, topic or binding never looks like a fresh start.
pub(super) fn mistaken(row: &LedgerRow, question: &Question) -> Option<Cause> {
    let Question { group, binding, log: (low, high), .. } = question;
    let (place, position) = (question.place(), row.next_offset);
    if row.binding != *binding {
        let other = &row.binding;
        return Some(halt(format!(
            "{place} of group `{group}` belongs to binding `{other}` in the ledger, not to `{binding}`, and is at {position}; \
             give this binding a group of its own, or, if it was renamed: {}",
            adopt(question)
        )));
    }
    if differs(row.cluster_id.as_deref(), question.cluster_id.as_deref()) {
        return Some(halt(format!(
            "{place} of group `{group}` was processed up to {position} on another cluster (id {}, this one is {}, where its log \
             has {}); give this cluster its own kafka.name in the manifest, or, if the topic moved here: {} (or an offset), or \
             {} for the group's offset",
            row.cluster_id.as_deref().unwrap_or_default(),
            question.cluster_id.as_deref().unwrap_or_default(),
            offsets(high - low),
            set(question, "earliest"),
            adopt(question)
        )));
    }
    if differs(row.topic_id.as_deref(), question.topic_id.as_deref()) {
        return Some(halt(format!(
            "{place} was made anew since group `{group}` processed it up to {position}; the new log has {}; to read them: {}; to \
             leave them out: {}",
            offsets(high - low),
            set(question, "earliest"),
            set(question, "latest")
        )));
    }
    None
}

pub(super) fn outside_log(position: i64, whose: &str, question: &Question) -> Option<Cause> {
    let Question { group, log: (low, high), .. } = question;
    let place = question.place();
    if position < *low {
        let gone = low - position;
        return Some(halt(format!(
            "{whose} {position} of {place}, group `{group}`, is below the log's start {low}: {} gone; to go on at the log's \
             start: {}",
            are(gone),
            set(question, "earliest")
        )));
    }
    if position > *high {
        let gone = position - high;
        return Some(halt(format!(
            "{whose} {position} of {place}, group `{group}`, is above the log's end {high}: {} gone; to go on at the log's end: \
             {}; to read what the log has, {}: {}",
            are(gone),
            set(question, "latest"),
            offsets(high - low),
            set(question, "earliest")
        )));
    }
    None
}

pub(super) fn other_database(group_offset: &GroupOffset, question: &Question) -> Cause {
    let Question { group, log: (low, high), .. } = question;
    let (place, offset) = (question.place(), group_offset.offset);
    halt(format!(
        "group `{group}` was run by Forebay up to offset {offset} of {place}, but with another database than this one, whose \
         ledger has no row for it; connect the database it was run with, or, to go on here at {offset}, where {} still to come: \
         {}, or anywhere else, such as at the log's start {low}: {}",
        are(high - offset.min(*high)),
        adopt(question),
        set(question, "earliest")
    ))
}

pub(super) fn moved_group(position: i64, group_offset: &GroupOffset, question: &Question) -> Cause {
    let (place, group, offset) = (question.place(), &question.group, group_offset.offset);
    let between = match offset > position {
        true => format!("{} between them, not processed here", are(offset - position)),
        false => format!("{} between them, processed here already", are(position - offset)),
    };
    halt(format!(
        "the offset of group `{group}` for {place} is {offset}, moved by somebody else, and the ledger is at {position}: \
         {between}; to take the group's: {}; to keep the ledger's: {}",
        adopt(question),
        set(question, &position.to_string())
    ))
}

pub(super) fn rewound(position: i64, group: &GroupOffset, question: &Question) -> String {
    format!(
        "the ledger of {} is at {position}, below the group's offset {}: the database was rewound, and {} processed again",
        question.place(),
        group.offset,
        are(group.offset - position)
    )
}

/// Adds what a group says that somebody else has moved to where the log still is.
pub(super) fn or_adopt(cause: Cause, group: Option<&GroupOffset>, question: &Question) -> Cause {
    let (low, high) = question.log;
    let moved = group.filter(|group| !group.is_of_ledger(&question.ledger_id) && (low..=high).contains(&group.offset));
    match moved {
        Some(GroupOffset { offset, .. }) => {
            let message = format!(
                "{}; the group's offset is {offset}, moved by somebody else: to take that: {}",
                cause.message,
                adopt(question)
            );
            Cause { message, ..cause }
        }
        None => cause,
    }
}

fn are(count: i64) -> String {
    if count == 1 { "1 offset is".to_owned() } else { format!("{count} offsets are") }
}

fn offsets(count: i64) -> String {
    if count == 1 { "1 offset".to_owned() } else { format!("{count} offsets") }
}

fn adopt(question: &Question) -> String {
    let Question { binding, topic, partition, .. } = question;
    format!("`forebay position adopt {binding} --topic {topic} --partition {partition}`")
}

fn set(question: &Question, to: &str) -> String {
    let Question { binding, topic, partition, .. } = question;
    format!("`forebay position set {binding} --topic {topic} --partition {partition} --to {to}`")
}

fn halt(message: String) -> Cause {
    Cause::new(Reason::Position, message)
}
