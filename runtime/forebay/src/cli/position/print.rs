//! Positions on paper: a table for people, or JSON.

use forebay_core::lane::position::{LedgerRow, Resolution};
use forebay_sink::VersionAt;
use serde_json::{Value, json};

use crate::cli::columns::columns;
use crate::cli::position::facts::{Facts, PartitionFacts};
use crate::telemetry;

/// How many versions are told to people.
const VERSIONS: usize = 3;
/// `sha256:` and as much of a digest as tells versions apart.
const DIGEST: usize = 19;

const HEADER: [&str; 7] = ["PARTITION", "LEDGER", "GROUP", "LOG", "LAG", "PENDING", "OWNER"];

/// Prints where each partition stands.
pub(super) fn show(facts: &Facts<'_>, as_json: bool) {
    if as_json {
        let partitions: Vec<Value> = facts.partitions.iter().map(|one| partition(facts, one)).collect();
        let sink = facts.ledger.as_ref().map(|(sink, _)| sink.name());
        let (name, group) = (&facts.binding.name, &facts.binding.group);
        let shown = json!({
            "binding": name, "group": group, "source": facts.source, "sink": sink, "partitions": partitions,
        });
        return telemetry::print(&shown.to_string());
    }
    let mut lines: Vec<[String; 7]> = vec![HEADER.map(str::to_owned)];
    lines.extend(facts.partitions.iter().map(|one| line(facts, one)));
    telemetry::print(&columns(&lines));
    for one in facts.partitions.iter().filter(|one| !one.versions.is_empty()) {
        telemetry::print(&format!("{} was written by {}", one.question.place(), history(&one.versions)));
    }
    for one in facts.partitions.iter().filter(|_| facts.ledger.is_some()) {
        match one.resolution() {
            Resolution::Halt(cause) => telemetry::print(&format!("{} halts: {}", one.question.place(), cause.message)),
            Resolution::Resume(_, Some(warning)) => telemetry::print(&format!("{}: {warning}", one.question.place())),
            Resolution::Resume(..) if one.ledger().is_some_and(LedgerRow::is_decided) => {
                telemetry::print(&format!("{}: moved by hand, and not taken up yet", one.question.place()));
            }
            Resolution::Resume(_, None) => {}
            Resolution::Adopt(offset) => {
                let place = one.question.place();
                telemetry::print(&format!("{place}: a start takes the group's offset {offset} over"));
            }
            Resolution::Start => {
                telemetry::print(&format!("{}: a start begins where `start` says", one.question.place()));
            }
        }
    }
}

/// Says which versions wrote, from which offset on: the last few, the last one first.
fn history(versions: &[VersionAt]) -> String {
    let one = |version: &VersionAt| {
        let VersionAt { from, plugin, digest, since, .. } = version;
        format!("{plugin} {} from {from} ({since})", digest.get(..DIGEST).unwrap_or(digest))
    };
    let mut told: Vec<String> = versions.iter().rev().take(VERSIONS).map(one).collect();
    let more = versions.len().saturating_sub(VERSIONS);
    told.extend((more > 0).then(|| format!("{more} more (`--output json`)")));
    told.join(", before that ")
}

fn line(facts: &Facts<'_>, one: &PartitionFacts) -> [String; 7] {
    let none = || "-".to_owned();
    let (low, high) = one.question.log;
    let group = one.group.as_ref().map(|group| match group.is_marked() {
        _ if facts.ledger.is_none() || facts.is_ours(group) => group.offset.to_string(),
        true => format!("{} (another database's)", group.offset),
        false => format!("{} (not Forebay's)", group.offset),
    });
    [
        one.question.place(),
        one.ledger().map_or_else(none, |row| row.next_offset.to_string()),
        group.unwrap_or_else(none),
        format!("{low}..{high}"),
        one.position(facts).map_or_else(none, |position| (high - position).max(0).to_string()),
        one.row.as_ref().map_or_else(none, |row| row.pending.to_string()),
        one.ledger().map_or_else(none, |row| row.owner.clone()),
    ]
}

fn partition(facts: &Facts<'_>, one: &PartitionFacts) -> Value {
    let (low, high) = one.question.log;
    let ledger = one.row.as_ref().map(|row| {
        json!({
            "position": row.row.next_offset, "owner_epoch": row.row.owner_epoch, "owner": row.row.owner,
            "binding": row.row.binding, "cluster_id": row.row.cluster_id, "topic_id": row.row.topic_id,
            "plugin_digest": row.plugin_digest, "updated_at": row.updated_at, "pending": row.pending,
        })
    });
    let group = one
        .group
        .as_ref()
        .map(|group| json!({ "position": group.offset, "metadata": group.metadata, "ours": facts.is_ours(group) }));
    let version = |version: &VersionAt| {
        let VersionAt { from, plugin, digest, since, .. } = version;
        json!({ "from": from, "plugin": plugin, "digest": digest, "since": since })
    };
    let versions: Vec<Value> = one.versions.iter().map(version).collect();
    let (then, why) = match one.resolution() {
        _ if facts.ledger.is_none() => ("group", None),
        Resolution::Resume(_, warning) => ("resume", warning),
        Resolution::Adopt(_) => ("adopt", None),
        Resolution::Start => ("start", None),
        Resolution::Halt(cause) => ("halt", Some(cause.message)),
    };
    json!({
        "topic": one.question.topic, "partition": one.at.partition, "ledger": ledger, "group": group,
        "versions": versions,
        "log": { "start": low, "end": high },
        "lag_messages": one.position(facts).map(|position| (high - position).max(0)), "then": then, "why": why,
    })
}
