//! `[sinks.NAME]`: a database.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::node::{Node, shown};
use super::section::Section;
use super::settings::{Secret, Sink, SinkKind, Timeouts};
use super::{defaults, schema};

pub(super) fn sink(node: Node<'_>) -> Option<Sink> {
    let label = format!("[sinks.{}", shown(node.key));
    let section = Section::open(node, format!("{label}]"), schema::SINK)?;
    let kind = section.need("kind", "add `kind = \"postgres\"` or `kind = \"sqlite\"`").and_then(kind);
    let hint = match kind {
        Some(Kind::Sqlite) => "add `url = \"sqlite:path/to/file.db\"`",
        Some(Kind::Postgres) | None => "add `url = \"${env:DATABASE_URL}\"`",
    };
    let url = section.need("url", hint);
    let text = url.and_then(|node| node.string());
    let written = url.and_then(|node| node.value.as_str()).unwrap_or_default();
    let kind = match (kind, url, &text) {
        (Some(Kind::Postgres), _, _) => Some(SinkKind::Postgres),
        (Some(Kind::Sqlite), Some(url), Some(text)) => file(&url, text).map(SinkKind::Sqlite),
        _ => None,
    };
    let pool_size = match kind {
        Some(SinkKind::Sqlite(_)) => section.or("pool-size", NonZeroUsize::MIN, one_writer),
        Some(SinkKind::Postgres) | None => section.or("pool-size", defaults::POOL_SIZE, Node::count),
    };
    let timeouts = section.or("timeouts", defaults::TIMEOUTS, |node| timeouts(node, &label));
    Some(Sink {
        name: section_name(node)?,
        kind: kind?,
        url: Secret::of_manifest(text?, written, node.reader.folder()),
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

#[derive(Debug, Clone, Copy)]
enum Kind {
    Postgres,
    Sqlite,
}

fn kind(node: Node<'_>) -> Option<Kind> {
    node.choice(&[("postgres", Kind::Postgres), ("sqlite", Kind::Sqlite)])
}

fn file(node: &Node<'_>, url: &str) -> Option<PathBuf> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Some(node.reader.folder().join(path)),
        _ => {
            node.report("not the address of a SQLite file", "write `sqlite:path/to/file.db`");
            None
        }
    }
}

fn one_writer(node: Node<'_>) -> Option<NonZeroUsize> {
    let count = node.count()?;
    if count != NonZeroUsize::MIN {
        node.report("a sqlite sink has one writer", "remove the key");
        return None;
    }
    Some(count)
}

fn timeouts(node: Node<'_>, parent: &str) -> Option<Timeouts> {
    let section = Section::open(node, format!("{parent}.timeouts]"), schema::TIMEOUTS)?;
    let connect = section.or("connect", defaults::TIMEOUTS.connect, Node::positive_duration);
    let statement = section.or("statement", defaults::TIMEOUTS.statement, Node::positive_duration);
    let lock = section.or("lock", defaults::TIMEOUTS.lock, Node::positive_duration);
    let idle = section.or("idle", defaults::TIMEOUTS.idle, Node::positive_duration);
    Some(Timeouts { connect: connect?, statement: statement?, lock: lock?, idle: idle? })
}
