//! `[bindings.targets]`: what the logical names that handlers use stand for.

use super::binding::topic_name;
use super::node::{Node, Text, shown};
use super::section::Section;
use super::settings::{Fold, Missing, OnConflict, Table, Target, TargetKind};
use super::sink::section_name;
use super::{defaults, schema, suggest};

/// A target with the places of what it names, as far as it could be read.
pub(super) struct TargetDraft {
    /// The logical name.
    pub(super) name: String,
    /// Its sink, of a table.
    pub(super) sink: Option<Text>,
    /// Its topic, of a publish target.
    pub(super) topic: Option<Text>,
    /// The whole of it, if nothing in it is wrong by itself.
    pub(super) target: Option<Target>,
}

pub(super) fn target(node: Node<'_>) -> TargetDraft {
    let mut draft = TargetDraft { name: node.key.to_owned(), sink: None, topic: None, target: None };
    let label = format!("[bindings.targets.{}]", shown(node.key));
    let Some(section) = Section::open(node, label, schema::TARGET) else {
        return draft;
    };
    let kind = if section.get("topic").is_some() {
        publish(&section, &mut draft)
    } else if section.get("sink").is_none() && section.get("table").is_none() {
        let message = format!("{} says neither a table nor a topic", section.label);
        node.report(message, "add `sink` and `table`, or `topic`");
        None
    } else {
        table(&section, &mut draft)
    };
    draft.target = section_name(node).and_then(|name| Some(Target { name, kind: kind? }));
    draft
}

fn publish(section: &Section<'_>, draft: &mut TargetDraft) -> Option<TargetKind> {
    let foreign: Vec<Node<'_>> = section
        .entries()
        .into_iter()
        .filter(|entry| entry.key != "topic" && schema::TARGET.contains(&entry.key))
        .collect();
    for entry in &foreign {
        let message = format!("`{}` does not go with `topic` in {}", entry.key, section.label);
        section.reader.report(entry.key_span, message, "a target is a table or a topic: make two of it");
    }
    draft.topic = section.get("topic").and_then(|node| topic_name(&node));
    let topic = draft.topic.as_ref()?.resolved.clone();
    foreign.is_empty().then_some(TargetKind::Topic(topic))
}

fn table(section: &Section<'_>, draft: &mut TargetDraft) -> Option<TargetKind> {
    draft.sink = section.need("sink", "add `sink = \"NAME\"`: one of [sinks]").and_then(|node| node.text());
    let name = section.need("table", "add `table = \"SCHEMA.TABLE\"`").and_then(|node| table_name(&node));
    let columns = section.optional("columns", |node| node.strings());
    let allowed = columns.as_ref().and_then(|columns| columns.as_deref());
    let key = section.or("key", Vec::new(), |node| key(&node, allowed));
    let on_conflict = section.or("on-conflict", defaults::ON_CONFLICT, |node| on_conflict(&node, allowed));
    let missing = section.or("missing", defaults::MISSING, |node| {
        node.choice(&[("ignore", Missing::Ignore), ("reject", Missing::Reject)])
    });
    let fold =
        section.or("fold", defaults::FOLD, |node| node.choice(&[("auto", Fold::Auto), ("always", Fold::Always)]));
    let (schema, table) = name?;
    Some(TargetKind::Table(Table {
        sink: draft.sink.as_ref()?.resolved.clone(),
        schema,
        table,
        key: key?,
        columns: columns?,
        on_conflict: on_conflict?,
        missing: missing?,
        fold: fold?,
    }))
}

/// Reads `table` or `schema.table`.
fn table_name(node: &Node<'_>) -> Option<(Option<String>, String)> {
    let text = node.text()?;
    let parts: Vec<&str> = text.resolved.split('.').collect();
    match parts.as_slice() {
        [table] => Some((None, (*table).to_owned())),
        [schema, table] if !schema.is_empty() && !table.is_empty() => {
            Some((Some((*schema).to_owned()), (*table).to_owned()))
        }
        _ => {
            node.report(
                format!("bad table `{}`", shown(&text.shown)),
                "write `TABLE` or `SCHEMA.TABLE`, without quotes",
            );
            None
        }
    }
}

fn key(node: &Node<'_>, allowed: Option<&[String]>) -> Option<Vec<String>> {
    let texts = node.texts(|text| is_allowed(node, text, &text.resolved, allowed))?;
    Some(texts.into_iter().map(|text| text.resolved).collect())
}

/// Reads `overwrite`, `keep` or `newest(COLUMN)`.
fn on_conflict(node: &Node<'_>, allowed: Option<&[String]>) -> Option<OnConflict> {
    let words = ["overwrite", "keep", "newest(COLUMN)"];
    if !node.value.is_str() {
        return node.wrong_type("a string", &format!("one of {}", suggest::quoted_list(&words)));
    }
    let text = node.text()?;
    let column = text.resolved.strip_prefix("newest(").and_then(|rest| rest.strip_suffix(')'));
    match (text.resolved.as_str(), column) {
        ("overwrite", _) => Some(OnConflict::Overwrite),
        ("keep", _) => Some(OnConflict::Keep),
        (_, Some(column)) if !column.trim().is_empty() => {
            let column = column.trim();
            is_allowed(node, &text, column, allowed).then(|| OnConflict::Newest(column.to_owned()))
        }
        _ => node.unknown_word(&text, &words),
    }
}

/// Says whether the allow-list `columns`, where there is one, has the column, and reports it if not.
fn is_allowed(node: &Node<'_>, text: &Text, column: &str, allowed: Option<&[String]>) -> bool {
    let is_allowed = allowed.is_none_or(|columns| columns.iter().any(|allowed| allowed == column));
    if !is_allowed {
        let message = format!("`{}` of `{}` is not in `columns`", shown(&text.shown), node.key);
        node.reader.report(text.span, message, "add the column to `columns`: handlers may name only those");
    }
    is_allowed
}
