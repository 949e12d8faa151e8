//! Configurations and messages, and what becomes of them.

mod messages;
mod readme;
mod refusals;

use forebay_plugin::serde_json::Value as Config;
use forebay_plugin::{Effect, Message, Row, Value};

use crate::plan::Plan;

/// Reads a configuration that is fine.
fn plan(config: &Config) -> Plan {
    Plan::read(config).unwrap_or_else(|failure| panic!("{config}: {failure}"))
}

/// Handles a message, and returns its effects as lines, or why it is skipped or rejected.
fn handled(config: &Config, message: &Message) -> String {
    match crate::handle(message, &plan(config)) {
        Ok(outcome) if outcome.effects().is_empty() => format!("{outcome:?}"),
        Ok(outcome) => outcome.effects().iter().map(shown).collect::<Vec<_>>().join("\n"),
        Err(failure) => failure.to_string(),
    }
}

fn shown(effect: &Effect) -> String {
    let row = |word: &str, row: &Row| {
        let columns: Vec<String> =
            row.columns.iter().map(|column| format!("{}={}", column.name, value(&column.value))).collect();
        format!("{word} {} {}", row.target, columns.join(" "))
    };
    match effect {
        Effect::Upsert(inner) => row("upsert", inner),
        Effect::Insert(inner) => row("insert", inner),
        Effect::Update(inner) => row("update", inner),
        Effect::Add(inner) => row("add", inner),
        Effect::Delete(inner) => row("delete", inner),
        Effect::Publish(_) => "publish".to_owned(),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value}f"),
        Value::Text(value) => format!("{value:?}"),
        Value::Bytes(value) => format!("{value:?}"),
        Value::TimestampMicros(value) => format!("@{value}"),
    }
}
