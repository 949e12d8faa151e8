//! What is fed: a line is a record in JSON, or it is the value itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A record to feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Input {
    /// The topic, if the line names one.
    pub(crate) topic: Option<String>,
    /// The partition, if the line names one.
    pub(crate) partition: Option<i32>,
    /// The key.
    pub(crate) key: Option<Bytes>,
    /// The value, `None` for a tombstone.
    pub(crate) value: Option<Bytes>,
    /// The headers in order.
    pub(crate) headers: Vec<(Bytes, Option<Bytes>)>,
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp_ms: Option<i64>,
}

/// A line that is meant as a record and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}; the line is left out")]
pub(crate) struct BadLine {
    file: String,
    line: usize,
    what: String,
}

/// A record as a line of JSON spells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(default, borrow)]
    key: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value: Option<&'a RawValue>,
    #[serde(default, borrow)]
    headers: Option<BTreeMap<String, Option<&'a RawValue>>>,
    #[serde(default)]
    timestamp: Option<i64>,
}

const KEYS: [&str; 6] = ["topic", "partition", "key", "value", "headers", "timestamp"];

/// Reads lines and gives each to `take` until it says no more.
pub(crate) fn read(file: &str, source: impl Read, mut take: impl FnMut(Result<Input, BadLine>) -> bool) {
    let mut reader = BufReader::new(source);
    for line in 1.. {
        let mut bytes = Vec::new();
        let bad = |what: String| BadLine { file: file.to_owned(), line, what };
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                take(Err(bad(format!("it can not be read: {error}"))));
                return;
            }
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !text.is_empty() && !take(parse(text).map_err(bad)) {
            return;
        }
    }
}

/// An object with the keys of a record, `value` among them or a key for a tombstone, is a record; everything else is a
/// value as it stands.
fn parse(line: &[u8]) -> Result<Input, String> {
    let as_value = || Input { value: Some(Bytes::copy_from_slice(line)), ..Input::default() };
    let Ok(object) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else { return Ok(as_value()) };
    let is_record = object.contains_key("value") && object.keys().all(|key| KEYS.contains(&key.as_str()));
    if !is_record {
        return Ok(as_value());
    }
    let Line { topic, partition, key, value, headers, timestamp } =
        serde_json::from_slice(line).map_err(|error| format!("not a record: {error}"))?;
    if partition.is_some_and(|partition| partition < 0) {
        return Err("not a record: a partition is 0 or more".to_owned());
    }
    let headers = headers.unwrap_or_default().into_iter();
    let headers = headers.map(|(name, value)| (Bytes::from(name), value.and_then(bytes))).collect();
    let (key, value) = (key.and_then(bytes), value.and_then(bytes));
    Ok(Input { topic, partition, key, value, headers, timestamp_ms: timestamp })
}

/// A string stands for its text, null for null, and all else for its JSON as it is written.
fn bytes(raw: &RawValue) -> Option<Bytes> {
    match serde_json::from_str::<Option<String>>(raw.get()) {
        Ok(text) => text.map(Bytes::from),
        Err(_) => Some(Bytes::copy_from_slice(raw.get().as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Result<Input, String>> {
        let mut list = Vec::new();
        read("in.jsonl", text.as_bytes(), |input| {
            list.push(input.map_err(|error| error.to_string()));
            true
        });
        list
    }

    fn value(text: &'static str) -> Input {
        Input { value: Some(Bytes::from_static(text.as_bytes())), ..Input::default() }
    }

    #[test]
    fn a_line_that_is_no_record_is_a_value() {
        let inputs = all("hello\n\n{\"order\": 1, \"value\": 3}\r\n{\"key\": \"k\"}\n{broken");
        let values = ["hello", "{\"order\": 1, \"value\": 3}", "{\"key\": \"k\"}", "{broken"];
        assert_eq!(inputs, values.map(|text| Ok(value(text))));
    }

    #[test]
    fn a_record_keeps_its_json_as_it_is_written() {
        let line = r#"{"topic":"t","key":"k","value":{"b": 1.0, "a":18446744073709551616},"headers":{"h":"x","n":null},"partition":2,"timestamp":5}"#;
        let expected = Input {
            topic: Some("t".to_owned()),
            partition: Some(2),
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from_static(br#"{"b": 1.0, "a":18446744073709551616}"#)),
            headers: vec![(Bytes::from_static(b"h"), Some(Bytes::from_static(b"x"))), (Bytes::from_static(b"n"), None)],
            timestamp_ms: Some(5),
        };
        assert_eq!(all(line), [Ok(expected)]);
    }

    #[test]
    fn null_is_a_tombstone() {
        assert_eq!(all(r#"{"key":"k","value":null}"#), [Ok(Input { key: Some("k".into()), ..Input::default() })]);
    }

    #[test]
    fn a_record_with_a_wrong_type_is_named_by_its_line() {
        let inputs = all("x\n{\"value\":1,\"partition\":\"one\"}\n{\"value\":1,\"partition\":-1}");
        assert_eq!(inputs[0], Ok(value("x")));
        let second = inputs[1].as_ref().unwrap_err();
        assert!(second.starts_with("in.jsonl:2: not a record: invalid type: string \"one\", expected i32"), "{second}");
        assert_eq!(
            inputs[2],
            Err("in.jsonl:3: not a record: a partition is 0 or more; the line is left out".to_owned())
        );
    }
}
