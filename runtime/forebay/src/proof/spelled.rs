//! An outcome as JSON that a person can read and a file can keep: equal JSON is an equal outcome.

use forebay_core::outcome::{Effect, Handled, Header, Outcome, Publish, Row, Value};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// Returns what became of a message: `effects`, `skip`, `reject` or `fault`, under the message's key if it has one.
pub(super) fn of(handled: &Handled, key: Option<&str>) -> Json {
    let (name, value) = match &handled.result {
        Ok(Outcome::Ok(effects)) => ("effects", effects.iter().map(effect).collect()),
        Ok(Outcome::Skip(reason)) => ("skip", json!(reason)),
        Ok(Outcome::Reject(failure)) => ("reject", json!({ "code": failure.code, "message": failure.message })),
        // Words and site of a trap tell of the build: they change with every edit.
        Err(fault) => ("fault", json!({ "class": fault.class.as_str(), "code": fault.code })),
    };
    let mut object = Map::new();
    object.extend(key.map(|key| ("key".to_owned(), json!(key))));
    object.insert(name.to_owned(), value);
    Json::Object(object)
}

fn effect(effect: &Effect) -> Json {
    match effect {
        Effect::Upsert(of) => row("upsert", of),
        Effect::Insert(of) => row("insert", of),
        Effect::Update(of) => row("update", of),
        Effect::Add(of) => row("add", of),
        Effect::Delete(of) => row("delete", of),
        Effect::Publish(of) => publish(of),
    }
}

fn row(operation: &str, row: &Row) -> Json {
    let columns: Map<String, Json> =
        row.columns.iter().map(|column| (column.name.clone(), value(&column.value))).collect();
    // Which of two equal names counts is the host's to say: nothing is hidden here.
    let columns = if columns.len() == row.columns.len() {
        Json::Object(columns)
    } else {
        row.columns.iter().map(|column| json!([column.name, value(&column.value)])).collect()
    };
    json!({ operation: row.target, "row": columns })
}

fn value(of: &Value) -> Json {
    match of {
        Value::Null => Json::Null,
        Value::Boolean(is) => json!(is),
        Value::Integer(number) => json!(number),
        // JSON has no word for these.
        Value::Float(number) if !number.is_finite() => json!({ "float": number.to_string() }),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({ "bytes": hex(bytes) }),
        Value::TimestampMicros(micros) => match Timestamp::from_microsecond(*micros) {
            Ok(timestamp) => json!({ "timestamp": timestamp.to_string() }),
            Err(_) => json!({ "timestamp-micros": micros }),
        },
    }
}

fn publish(publish: &Publish) -> Json {
    let Publish { target, key, value, headers, metadata } = publish;
    let mut object = Map::new();
    object.insert("publish".to_owned(), json!(target));
    object.insert("key".to_owned(), bytes(key.as_deref()));
    object.insert("value".to_owned(), bytes(value.as_deref()));
    if !headers.is_empty() {
        let header = |header: &Header| json!([header.name, bytes(header.value.as_deref())]);
        object.insert("headers".to_owned(), headers.iter().map(header).collect());
    }
    if !metadata.is_empty() {
        object.insert("metadata".to_owned(), json!(metadata));
    }
    Json::Object(object)
}

fn bytes(bytes: Option<&[u8]>) -> Json {
    match bytes.map(std::str::from_utf8) {
        None => Json::Null,
        Some(Ok(text)) => json!(text),
        Some(Err(_)) => json!({ "bytes": hex(bytes.unwrap_or_default()) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use forebay_core::fault::{Class, Fault};
    use forebay_core::outcome::{Column, Failure};

    use super::*;

    fn assert_spelled(result: Result<Outcome, Fault>, expected: &str) {
        let expected: Json = serde_json::from_str(expected).unwrap();
        assert_eq!(of(&Handled { result, runs: 1 }, Some("k")), expected);
    }

    #[test]
    fn every_kind_of_value_is_told_from_every_other() {
        let values = [
            Value::Null,
            Value::Boolean(true),
            Value::Integer(1),
            Value::Integer(i64::MAX),
            Value::Float(1.0),
            Value::Float(f64::NAN),
            Value::Text("1".to_owned()),
            Value::Bytes(b"1".to_vec()),
            Value::TimestampMicros(1_500_000),
            Value::TimestampMicros(i64::MAX),
        ];
        let told: Vec<String> = values.iter().map(|of| value(of).to_string()).collect();
        let expected = [
            "null",
            "true",
            "1",
            "9223372036854775807",
            "1.0",
            r#"{"float":"NaN"}"#,
            r#""1""#,
            r#"{"bytes":"31"}"#,
            r#"{"timestamp":"1970-01-01T00:00:01.5Z"}"#,
            r#"{"timestamp-micros":9223372036854775807}"#,
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_outcome_is_one_of_four() {
        let column = |name: &str| Column { name: name.to_owned(), value: Value::Integer(1) };
        let row =
            |names: &[&str]| Row { target: "t".to_owned(), columns: names.iter().map(|name| column(name)).collect() };
        let effects = vec![
            Effect::Upsert(row(&["b", "a"])),
            Effect::Delete(row(&["a", "a"])),
            Effect::Publish(Publish {
                target: "p".to_owned(),
                key: None,
                value: Some(vec![255]),
                headers: vec![Header { name: "h".to_owned(), value: Some(b"x".to_vec()) }],
                metadata: Vec::new(),
            }),
        ];
        assert_spelled(
            Ok(Outcome::Ok(effects)),
            r#"{"key":"k","effects":[{"upsert":"t","row":{"b":1,"a":1}},{"delete":"t","row":[["a",1],["a",1]]},{"publish":"p","key":null,"value":{"bytes":"ff"},"headers":[["h","x"]]}]}"#,
        );
        assert_spelled(Ok(Outcome::Skip("why".to_owned())), r#"{"key":"k","skip":"why"}"#);
        let failure = Failure { code: "c".to_owned(), message: "m".to_owned() };
        assert_spelled(Ok(Outcome::Reject(failure)), r#"{"key":"k","reject":{"code":"c","message":"m"}}"#);
        let fault = Fault { class: Class::Trap, code: "c".to_owned(), message: "m".to_owned(), site: "s".to_owned() };
        assert_spelled(Err(fault), r#"{"key":"k","fault":{"class":"trap","code":"c"}}"#);
    }
}
