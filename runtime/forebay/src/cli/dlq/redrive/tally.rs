//! What is told of a redrive: each letter where only a trial was asked for, and the sum at the end.

use std::collections::BTreeMap;

use forebay_core::letter::{Letter, Origin};
use forebay_core::outcome::{Effect, Row, Value};
use serde_json::{Value as Json, json};

use crate::cli::dlq::json::harmless;
use crate::cli::dlq::readable::line;
use crate::cli::dlq::redrive::end::End;
use crate::telemetry;

/// Counts by end.
pub(super) struct Tally {
    as_json: bool,
    /// Whether every letter is told.
    is_trial: bool,
    counts: BTreeMap<&'static str, u64>,
    /// What of it a person should know why.
    reasons: BTreeMap<(&'static str, String), u64>,
}

impl Tally {
    pub(super) fn new(as_json: bool, is_trial: bool) -> Self {
        Self { as_json, is_trial, counts: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    /// Takes one letter.
    pub(super) fn add(&mut self, letter: &Letter, end: &End) {
        *self.counts.entry(end.as_str()).or_default() += 1;
        let why = match end {
            End::Failed(class, code, _) => Some(format!("{class} {code}")),
            End::Stale(why) | End::Lost(why) => Some(why.clone()),
            _ => None,
        };
        if let Some(why) = why {
            *self.reasons.entry((end.as_str(), why)).or_default() += 1;
        }
        if self.is_trial {
            let text = if self.as_json { harmless(&told(letter, end).to_string()) } else { sentence(letter, end) };
            telemetry::print(&text);
        }
    }

    /// Returns the sum.
    pub(super) fn end(&self, topic: &str) -> String {
        let total: u64 = self.counts.values().sum();
        let reasons = || self.reasons.iter().map(|((end, why), count)| (*end, line(why), *count));
        if self.as_json {
            let reasons: Vec<Json> =
                reasons().map(|(end, why, count)| json!({ "end": end, "why": why, "letters": count })).collect();
            let sum = json!({ "topic": topic, "dry_run": self.is_trial, "letters": total, "ends": self.counts, "reasons": reasons });
            return harmless(&sum.to_string());
        }
        let counts: Vec<String> = self.counts.iter().map(|(end, count)| format!("{count} {end}")).collect();
        let trial = if self.is_trial { " (nothing was changed)" } else { "" };
        let mut text = match counts.as_slice() {
            [] => format!("{topic}: no letter is meant{trial}"),
            counts => format!("{topic}: {}{trial}", counts.join(", ")),
        };
        for (end, why, count) in reasons() {
            text.push_str(&format!("\n  {end}: {why} ({count})"));
        }
        if self.counts.contains_key("stale") {
            text.push_str("\n  stale letters were left alone; `--allow-stale` overwrites the rows");
        }
        if self.counts.contains_key("used-up") {
            text.push_str(
                "\n  used-up letters came back too often and were left alone; `--max-redrives N` allows more",
            );
        }
        text
    }
}

fn place(letter: &Letter) -> String {
    let origin = match &letter.origin {
        Some(Origin { topic, partition, offset, .. }) => format!(" of {}/{partition}@{offset}", line(topic)),
        None => String::new(),
    };
    format!("{}@{}{origin}", letter.partition(), letter.offset())
}

fn sentence(letter: &Letter, end: &End) -> String {
    let what = match end {
        End::Applied(effects) => {
            let rows: Vec<String> =
                effects.iter().map(|effect| format!("\n    {}", line(&effect_json(effect).to_string()))).collect();
            rows.concat()
        }
        End::Skipped(why) | End::Stale(why) | End::Lost(why) => format!(": {}", line(why)),
        End::Failed(class, code, message) => format!(": {} {}: {}", line(class), line(code), line(message)),
        End::Returned(topic) => format!(" to {}", line(topic)),
        End::Known | End::UsedUp | End::Foreign => String::new(),
    };
    format!("{}: {}{what}", place(letter), end.as_str())
}

fn told(letter: &Letter, end: &End) -> Json {
    let mut told = json!({
        "partition": letter.partition(), "offset": letter.offset(), "id": letter.id, "redrives": letter.redrives,
        "end": end.as_str(),
    });
    let more = match end {
        End::Applied(effects) => Some(("effects", effects.iter().map(effect_json).collect())),
        End::Skipped(why) | End::Stale(why) | End::Lost(why) => Some(("why", json!(why))),
        End::Failed(class, code, message) => {
            Some(("failure", json!({ "class": class, "code": code, "message": message })))
        }
        End::Returned(topic) => Some(("topic", json!(topic))),
        End::Known | End::UsedUp | End::Foreign => None,
    };
    if let (Some(told), Some((name, value))) = (told.as_object_mut(), more) {
        told.insert(name.to_owned(), value);
    }
    told
}

fn effect_json(effect: &Effect) -> Json {
    let row = |op: &str, row: &Row| {
        let columns: Vec<Json> =
            row.columns.iter().map(|column| json!({ &column.name: value(&column.value) })).collect();
        json!({ "op": op, "target": row.target, "columns": columns })
    };
    match effect {
        Effect::Upsert(one) => row("upsert", one),
        Effect::Insert(one) => row("insert", one),
        Effect::Update(one) => row("update", one),
        Effect::Add(one) => row("add", one),
        Effect::Delete(one) => row("delete", one),
        Effect::Publish(publish) => {
            let text =
                |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            json!({ "op": "publish", "target": publish.target, "key": text(&publish.key), "value": text(&publish.value) })
        }
    }
}

fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::Bytes(value) => json!(value.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Value::TimestampMicros(value) => {
            json!(jiff::Timestamp::from_microsecond(*value).map_or_else(|_| value.to_string(), |at| at.to_string()))
        }
    }
}
