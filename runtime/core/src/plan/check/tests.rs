//! Every contract code, once.

use std::sync::Arc;

use super::*;
use crate::manifest::settings;
use crate::outcome::Header;
use crate::plan::target::{ColumnFacts, TableFacts, Target};

fn column(name: &str, kind: ColumnKind, is_nullable: bool) -> ColumnFacts {
    let type_name = "some type".into();
    ColumnFacts { name: name.into(), kind, type_name, is_nullable, has_default: false, is_generated: name == "made" }
}

fn targets() -> Targets {
    let facts = TableFacts {
        sql_name: "orders".into(),
        columns: vec![
            column("id", ColumnKind::Int8, false),
            column("amount", ColumnKind::Int4, false),
            column("note", ColumnKind::Text(Some(3)), true),
            column("made", ColumnKind::Int4, true),
        ],
        is_strict: false,
        deferred: Vec::new(),
        takes_copy: false,
    };
    let table = |key: &[&str]| settings::Table {
        sink: "s".into(),
        schema: None,
        table: "orders".into(),
        key: key.iter().map(|key| (*key).into()).collect(),
        columns: None,
        on_conflict: settings::OnConflict::Overwrite,
        missing: settings::Missing::Reject,
        fold: settings::Fold::Auto,
    };
    let target = |name: &str, key: &[&str]| {
        let table = TableTarget::try_new(table(key), Arc::new(facts.clone())).unwrap();
        Target { name: name.into(), kind: TargetKind::Table(Box::new(table)) }
    };
    let topic = TopicTarget { topic: "out".into(), max_bytes: 1000, is_compacted: false };
    let topic = Target { name: "out".into(), kind: TargetKind::Topic(topic) };
    Targets::new(vec![target("orders", &["id"]), target("log", &[]), topic])
}

fn row(target: &str, columns: &[(&str, Value)]) -> Row {
    let columns = columns.iter().map(|(name, value)| Column { name: (*name).into(), value: value.clone() });
    Row { target: target.into(), columns: columns.collect() }
}

fn code(effect: Effect) -> Option<String> {
    outcome(&Outcome::Ok(vec![effect]), &targets()).err().map(|fault| fault.code)
}

fn int(number: i64) -> Value {
    Value::Integer(number)
}

#[test]
fn takes_what_keeps_the_contract() {
    assert_eq!(code(Effect::Upsert(row("orders", &[("id", int(1)), ("amount", int(2))]))), None);
    assert_eq!(code(Effect::Update(row("orders", &[("id", int(1)), ("note", Value::Null)]))), None);
    assert_eq!(code(Effect::Delete(row("orders", &[("id", int(1))]))), None);
    assert_eq!(code(Effect::Add(row("orders", &[("id", int(1)), ("amount", Value::Null)]))), None);
    assert_eq!(code(Effect::Insert(row("log", &[("id", int(1)), ("amount", int(2))]))), None);
}

#[test]
fn names_what_is_unknown() {
    assert_eq!(code(Effect::Insert(row("nowhere", &[]))).as_deref(), Some("unknown-target"));
    assert_eq!(code(Effect::Insert(row("out", &[]))).as_deref(), Some("wrong-target"));
    let unknown = row("orders", &[("id", int(1)), ("colour", int(1))]);
    assert_eq!(code(Effect::Upsert(unknown)).as_deref(), Some("unknown-column"));
}

#[test]
fn finds_rows_that_do_not_fit() {
    let upsert = |columns: &[(&str, Value)]| code(Effect::Upsert(row("orders", columns)));
    assert_eq!(upsert(&[("amount", int(1))]).as_deref(), Some("missing-key"));
    assert_eq!(upsert(&[("id", Value::Null), ("amount", int(1))]).as_deref(), Some("null"));
    assert_eq!(upsert(&[("id", int(1))]).as_deref(), Some("null"));
    assert_eq!(upsert(&[("id", int(1)), ("amount", int(1 << 40))]).as_deref(), Some("range"));
    assert_eq!(upsert(&[("id", int(1)), ("amount", Value::Boolean(true))]).as_deref(), Some("type"));
    let long = Value::Text("four".into());
    assert_eq!(upsert(&[("id", int(1)), ("amount", int(1)), ("note", long)]).as_deref(), Some("length"));
    let nul = Value::Text("\0".into());
    assert_eq!(upsert(&[("id", int(1)), ("amount", int(1)), ("note", nul)]).as_deref(), Some("nul-byte"));
    assert_eq!(upsert(&[("id", int(1)), ("amount", int(1)), ("made", int(1))]).as_deref(), Some("generated-column"));
    assert_eq!(upsert(&[("id", int(1)), ("amount", int(1)), ("id", int(1))]).as_deref(), Some("duplicate-column"));
}

#[test]
fn holds_each_operation_to_its_columns() {
    let extra = row("orders", &[("id", int(1)), ("amount", int(1))]);
    assert_eq!(code(Effect::Delete(extra)).as_deref(), Some("extra-columns"));
    let text = row("orders", &[("id", int(1)), ("amount", int(1)), ("note", Value::Text("a".into()))]);
    assert_eq!(code(Effect::Add(text)).as_deref(), Some("type"));
    assert_eq!(code(Effect::Upsert(row("log", &[("id", int(1))]))).as_deref(), Some("missing-key"));
    assert_eq!(code(Effect::Update(row("orders", &[("id", int(1))]))).as_deref(), Some("missing-column"));
}

#[test]
fn keeps_the_hosts_headers_and_the_topics_size() {
    let publish = |name: &str, bytes: usize| {
        let headers = vec![Header { name: name.into(), value: None }];
        let value = Some(vec![0; bytes]);
        code(Effect::Publish(Publish { target: "out".into(), key: None, value, headers, metadata: Vec::new() }))
    };
    assert_eq!(publish("mine", 10), None);
    assert_eq!(publish("forebay.id", 10).as_deref(), Some("reserved-header"));
    assert_eq!(publish("__dlq.errors.topic", 10).as_deref(), Some("reserved-header"));
    assert_eq!(publish("mine", 1000).as_deref(), Some("too-large"));
}
