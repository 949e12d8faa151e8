//! `plugins.NAME.config`: any TOML, as the one JSON object that a handler's `init` gets.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::node::{Node, shown};
use super::section::entries;

/// Makes the JSON object's text. Dates and times become strings as RFC 3339 writes them.
pub(super) fn object(node: Node<'_>) -> Option<String> {
    node.table()?;
    value(node).map(|value| value.to_string())
}

fn value(node: Node<'_>) -> Option<Value> {
    match node.value {
        DeValue::String(text) => node.reader.resolve(text, node.span).map(Value::String),
        DeValue::Integer(_) => node.integer().map(Value::from),
        DeValue::Float(float) => number(&node, float.as_str()).map(Value::Number),
        DeValue::Boolean(value) => Some(Value::Bool(*value)),
        DeValue::Datetime(time) => Some(Value::String(time.to_string())),
        DeValue::Array(_) => {
            let items: Vec<Option<Value>> = node.items()?.into_iter().map(value).collect();
            items.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        DeValue::Table(table) => {
            let members: Vec<(String, Option<Value>)> =
                entries(node.reader, table).into_iter().map(|entry| (entry.key.to_owned(), value(entry))).collect();
            let members: Option<Map<String, Value>> =
                members.into_iter().map(|(name, value)| Some((name, value?))).collect();
            members.map(Value::Object)
        }
    }
}

fn number(node: &Node<'_>, text: &str) -> Option<Number> {
    let number = text.replace('_', "").parse().ok().and_then(Number::from_f64);
    if number.is_none() {
        let message = format!("`{}` is {}, which JSON has no number for", shown(node.key), shown(text));
        node.report(message, "a handler's config reaches it as JSON; write a string");
    }
    number
}
