//! Between the core's nouns and the generated ones: records go in without a copy, outcomes come out moved.

use forebay_core::manifest::settings::Headers;
use forebay_core::outcome::{Column, Effect, Failure, Header, Outcome, Publish, Row, Value};
use forebay_core::record::{RawHeader, Record};

use crate::bindings::v0_1::forebay::handler::types as wit;

/// A header as it is lowered, borrowed from its record.
pub(crate) type LoweredHeader<'a> = wit::HeaderParam<'a>;
/// A message as it is lowered.
pub(crate) type LoweredMessage<'a> = wit::Message<'a>;
/// An outcome as it was lifted.
pub(crate) type LiftedOutcome = wit::Outcome;

/// Calls `call` with `record` as the guest sees it.
///
/// `scratch` holds the headers meanwhile; it is emptied first and keeps its room from message to message.
pub(crate) fn with_message<'a, T>(
    record: &'a Record,
    headers: &Headers,
    scratch: &mut Vec<LoweredHeader<'a>>,
    call: impl FnOnce(LoweredMessage<'_>) -> T,
) -> T {
    scratch.clear();
    if *headers == Headers::None {
        return call(message(record, scratch));
    }
    for (name, value) in wanted(record, headers) {
        match std::str::from_utf8(name) {
            Ok(name) => scratch.push(LoweredHeader { name, value }),
            // Rare enough for a way of its own: names that must be written anew.
            Err(_) => return with_repaired_names(record, headers, call),
        }
    }
    call(message(record, scratch))
}

/// Header names that are not UTF-8 are passed with U+FFFD in place of what can not be read.
fn with_repaired_names<T>(record: &Record, headers: &Headers, call: impl FnOnce(LoweredMessage<'_>) -> T) -> T {
    let named: Vec<_> = wanted(record, headers).map(|(name, value)| (String::from_utf8_lossy(name), value)).collect();
    let lowered: Vec<_> = named.iter().map(|(name, value)| LoweredHeader { name, value: *value }).collect();
    call(message(record, &lowered))
}

fn wanted<'a>(record: &'a Record, headers: &Headers) -> impl Iterator<Item = RawHeader<'a>> {
    record.headers().filter(move |(name, _)| match headers {
        Headers::All => true,
        Headers::None => false,
        Headers::Only(names) => names.iter().any(|wanted| wanted.as_bytes() == *name),
    })
}

fn message<'a>(record: &'a Record, headers: &'a [LoweredHeader<'a>]) -> LoweredMessage<'a> {
    LoweredMessage {
        topic: &record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key(),
        value: record.value(),
        headers,
        metadata: &[],
    }
}

/// Moves a lifted outcome into the core's.
pub(crate) fn outcome(outcome: LiftedOutcome) -> Outcome {
    match outcome {
        wit::Outcome::Ok(effects) => Outcome::Ok(effects.into_iter().map(effect).collect()),
        wit::Outcome::Skip(reason) => Outcome::Skip(reason),
        wit::Outcome::Reject(reason) => Outcome::Reject(failure(reason)),
    }
}

/// Moves a lifted failure into the core's.
pub(crate) fn failure(wit::Failure { code, message }: wit::Failure) -> Failure {
    Failure { code, message }
}

fn effect(effect: wit::Effect) -> Effect {
    match effect {
        wit::Effect::Upsert(it) => Effect::Upsert(row(it)),
        wit::Effect::Insert(it) => Effect::Insert(row(it)),
        wit::Effect::Update(it) => Effect::Update(row(it)),
        wit::Effect::Add(it) => Effect::Add(row(it)),
        wit::Effect::Delete(it) => Effect::Delete(row(it)),
        wit::Effect::Publish(it) => Effect::Publish(publish(it)),
    }
}

fn row(wit::Row { target, columns }: wit::Row) -> Row {
    Row { target, columns: columns.into_iter().map(column).collect() }
}

fn column(wit::Column { name, value }: wit::Column) -> Column {
    let value = match value {
        wit::Value::Null => Value::Null,
        wit::Value::Boolean(it) => Value::Boolean(it),
        wit::Value::Integer(it) => Value::Integer(it),
        wit::Value::Float(it) => Value::Float(it),
        wit::Value::Text(it) => Value::Text(it),
        wit::Value::Bytes(it) => Value::Bytes(it),
        wit::Value::TimestampMicros(it) => Value::TimestampMicros(it),
    };
    Column { name, value }
}

/// Leaves out the metadata: this host knows no name of any, and what is held has to be counted.
fn publish(wit::Publish { target, key, value, headers, metadata: _ }: wit::Publish) -> Publish {
    let headers = headers.into_iter().map(|wit::HeaderResult { name, value }| Header { name, value }).collect();
    Publish { target, key, value, headers, metadata: Vec::new() }
}

#[cfg(test)]
mod tests {
    use forebay_core::budget::Permit;
    use forebay_core::record::At;

    use super::*;

    fn record() -> Record {
        let at = At { topic: "t".into(), partition: 1, offset: 2, timestamp_ms: Some(3), leader_epoch: None };
        let headers: [RawHeader<'_>; 3] = [(b"a", Some(b"1")), (b"b\xff", None), (b"a", Some(b""))];
        Record::copy(at, None, Some(b"v"), &headers, |_| Permit::free())
    }

    fn names(headers: &Headers) -> Vec<(String, Option<Vec<u8>>)> {
        with_message(&record(), headers, &mut Vec::new(), |message| {
            message.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        })
    }

    #[test]
    fn repairs_header_names_that_are_not_utf8_and_keeps_order_and_nulls() {
        let expected =
            [("a".to_owned(), Some(b"1".to_vec())), ("b\u{fffd}".to_owned(), None), ("a".to_owned(), Some(Vec::new()))];
        assert_eq!(names(&Headers::All), expected);
    }

    #[test]
    fn passes_only_the_headers_asked_for() {
        assert_eq!(names(&Headers::None), []);
        let expected = [("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), Some(Vec::new()))];
        assert_eq!(names(&Headers::Only(vec!["a".to_owned()])), expected);
    }
}
