//! `[sinks.NAME]`: a database.

use super::node::{Node, shown};
use super::section::Section;
use super::settings::{Secret, Sink, SinkKind, Timeouts};
use super::{defaults, refused, schema};

pub(super) fn sink(node: Node<'_>) -> Option<Sink> {
    let label = format!("[sinks.{}", shown(node.key));
    let section = Section::open(node, format!("{label}]"), schema::SINK)?;
    let kind = section.need("kind", "add `kind = \"postgres\"`").and_then(kind);
    let url = section.need("url", "add `url = \"${env:DATABASE_URL}\"`").and_then(|node| node.string());
    let pool_size = section.or("pool-size", defaults::POOL_SIZE, Node::count);
    let timeouts = section.or("timeouts", defaults::TIMEOUTS, |node| timeouts(node, &label));
    Some(Sink {
        name: section_name(node)?,
        kind: kind?,
        url: Secret::new(url?),
        pool_size: pool_size?,
        timeouts: timeouts?,
    })
}

/// Returns the name a table stands under.
pub(super) fn section_name(node: Node<'_>) -> Option<String> {
    if node.key.is_empty() {
        node.reader.report(node.key_span, "a name is empty", "give it a name");
        return None;
    }
    Some(node.key.to_owned())
}

fn kind(node: Node<'_>) -> Option<SinkKind> {
    match node.choice(&[("postgres", Some(SinkKind::Postgres)), ("sqlite", None)])? {
        Some(kind) => Some(kind),
        None => refused::value(&node, "sinks of kind `sqlite`", "write `postgres`"),
    }
}

fn timeouts(node: Node<'_>, parent: &str) -> Option<Timeouts> {
    let section = Section::open(node, format!("{parent}.timeouts]"), schema::TIMEOUTS)?;
    let connect = section.or("connect", defaults::TIMEOUTS.connect, Node::positive_duration);
    let statement = section.or("statement", defaults::TIMEOUTS.statement, Node::positive_duration);
    let lock = section.or("lock", defaults::TIMEOUTS.lock, Node::positive_duration);
    let idle = section.or("idle", defaults::TIMEOUTS.idle, Node::positive_duration);
    Some(Timeouts { connect: connect?, statement: statement?, lock: lock?, idle: idle? })
}
