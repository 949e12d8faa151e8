//! One table of the manifest: its keys, with their places.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::Span;
use super::node::{Node, shown};
use super::reader::Reader;
use super::schema::Keys;
use super::suggest;

/// A table whose keys are known.
pub(super) struct Section<'r> {
    pub(super) reader: &'r Reader<'r>,
    /// Where its header or its braces are.
    pub(super) span: Span,
    /// What errors call it, in brackets.
    pub(super) label: String,
    table: &'r DeTable<'r>,
}

impl<'r> Section<'r> {
    /// Opens the whole document.
    pub(super) fn root(reader: &'r Reader<'r>, table: &'r DeTable<'r>) -> Self {
        Self { reader, span: Span::START, label: "the manifest".to_owned(), table }
    }

    /// Opens a table and reports the keys that it may not have.
    pub(super) fn open(node: Node<'r>, label: impl Into<String>, keys: Keys) -> Option<Self> {
        let section = Self { reader: node.reader, span: node.span, label: label.into(), table: node.table()? };
        section.report_unknown(keys);
        Some(section)
    }

    pub(super) fn report_unknown(&self, keys: Keys) {
        for node in self.entries().into_iter().filter(|node| !keys.contains(&node.key)) {
            let message = format!("unknown key `{}` in {}", shown(node.key), self.label);
            self.reader.report(node.key_span, message, suggest::hint(node.key, keys, "known keys"));
        }
    }

    /// Returns every entry in the manifest's order.
    pub(super) fn entries(&self) -> Vec<Node<'r>> {
        entries(self.reader, self.table)
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'r>> {
        let (key, value) = self.table.iter().find(|(found, _)| found.get_ref() == key)?;
        Some(node(self.reader, key, value))
    }

    /// Returns a value that must be there; `hint` says what to add.
    pub(super) fn need(&self, key: &str, hint: &str) -> Option<Node<'r>> {
        let node = self.get(key);
        if node.is_none() {
            self.reader.report(self.span, format!("missing key `{key}` in {}", self.label), hint);
        }
        node
    }

    /// Reads a value, or takes the default where the key is not given.
    pub(super) fn or<T>(&self, key: &str, default: T, read: impl FnOnce(Node<'r>) -> Option<T>) -> Option<T> {
        match self.get(key) {
            Some(node) => read(node),
            None => Some(default),
        }
    }

    /// Reads a value that may be left out.
    pub(super) fn optional<T>(&self, key: &str, read: impl FnOnce(Node<'r>) -> Option<T>) -> Option<Option<T>> {
        self.or(key, None, |node| read(node).map(Some))
    }
}

/// Returns a table's entries in the manifest's order.
pub(super) fn entries<'r>(reader: &'r Reader<'r>, table: &'r DeTable<'r>) -> Vec<Node<'r>> {
    let mut entries: Vec<Node<'r>> = table.iter().map(|(key, value)| node(reader, key, value)).collect();
    entries.sort_by_key(|entry| (entry.key_span, entry.span));
    entries
}

fn node<'r>(reader: &'r Reader<'r>, key: &'r Spanned<DeString<'r>>, value: &'r Spanned<DeValue<'r>>) -> Node<'r> {
    Node {
        reader,
        key: key.get_ref(),
        key_span: key.span().into(),
        is_item: false,
        value: value.get_ref(),
        span: value.span().into(),
    }
}
