//! The manifest as a whole.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::binding::{self, Draft};
use super::error::{Errors, Span};
use super::node::{Node, shown};
use super::origin::{Environment, Origin};
use super::reader::Reader;
use super::section::{Section, entries};
use super::settings::{Binding, Manifest};
use super::{admin, defaults, kafka, links, plugin, schema, sink};

/// The only version there is so far.
const VERSION: i64 = 1;

/// Reads a manifest and checks all that can be checked without a server or a component.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the text; only the first problem where the text is not TOML.
pub fn parse(text: &str, origin: &Origin, environment: &dyn Environment) -> Result<Manifest, Errors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader::new(text, origin, environment);
    let manifest = match DeTable::parse(text) {
        Ok(document) => manifest(&reader, document.get_ref()),
        Err(error) => {
            let span = error.span().map_or(Span::START, Span::from);
            reader.report(span, format!("this is not TOML: {}", shown(error.message())), "");
            None
        }
    };
    let errors = reader.into_errors();
    debug_assert!(manifest.is_some() || !errors.is_empty(), "whatever is not read was reported");
    match manifest {
        Some(manifest) if errors.is_empty() => Ok(manifest),
        _ => Err(errors),
    }
}

fn manifest<'r>(reader: &'r Reader<'r>, document: &'r DeTable<'r>) -> Option<Manifest> {
    let root = Section::root(reader, document);
    if is_newer(&root) {
        return None; // What a newer version means is not ours to judge.
    }
    root.report_unknown(schema::ROOT);
    let kafka = root.need("kafka", "add a table `[kafka]` with `bootstrap-servers`").and_then(kafka::kafka);
    let admin = root.or("admin", defaults::ADMIN, admin::admin);
    let shutdown_deadline = root.or("shutdown", defaults::SHUTDOWN_DEADLINE, admin::shutdown);
    let buffered_bytes = root.or("limits", defaults::BUFFERED_BYTES, admin::limits);
    let sinks = named(&root, "sinks", sink::sink);
    let plugins = named(&root, "plugins", plugin::plugin);
    let drafts = bindings(&root);
    links::check(reader, &drafts, &names(&root, "sinks"), &names(&root, "plugins"));
    let bindings: Option<Vec<Binding>> = drafts.into_iter().map(|draft| draft.binding).collect();
    Some(Manifest {
        kafka: kafka?,
        admin: admin?,
        shutdown_deadline: shutdown_deadline?,
        buffered_bytes: buffered_bytes?,
        sinks: sinks?,
        plugins: plugins?,
        bindings: bindings?,
    })
}

/// Checks the version; `true` ends the reading.
fn is_newer(root: &Section<'_>) -> bool {
    let Some(node) = root.need("manifest-version", "add `manifest-version = 1` as its first line") else {
        return false;
    };
    match node.integer() {
        Some(VERSION) | None => false,
        Some(version) if version > VERSION => {
            let message = format!("manifest-version {version} is newer than what this build reads");
            node.report(message, format!("this build reads version {VERSION}: use a newer forebay"));
            true
        }
        Some(version) => {
            node.report(format!("there is no manifest-version {version}"), format!("write {VERSION}"));
            false
        }
    }
}

/// Reads a table of named things.
fn named<'r, T>(root: &Section<'r>, key: &str, read: fn(Node<'r>) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let Some(node) = root.get(key) else {
        return Some(BTreeMap::new());
    };
    let read: Vec<(String, Option<T>)> =
        entries(root.reader, node.table()?).into_iter().map(|entry| (entry.key.to_owned(), read(entry))).collect();
    read.into_iter().map(|(name, value)| Some((name, value?))).collect()
}

/// Returns the names of a table of named things, those included that could not be read.
fn names<'r>(root: &Section<'r>, key: &str) -> Vec<&'r str> {
    let table = root.get(key).and_then(|node| node.value.as_table());
    table.map(|table| entries(root.reader, table).into_iter().map(|entry| entry.key).collect()).unwrap_or_default()
}

fn bindings(root: &Section<'_>) -> Vec<Draft> {
    let hint = "add a table `[[bindings]]`: without one there is nothing to run";
    let items = root.need("bindings", hint).and_then(|node| match node.value {
        DeValue::Table(_) => node.wrong_type("an array of tables", "write `[[bindings]]`"),
        DeValue::Array(array) if array.is_empty() => {
            node.report("`bindings` is empty", hint);
            None
        }
        _ => node.items(),
    });
    items.unwrap_or_default().into_iter().map(binding::binding).collect()
}
