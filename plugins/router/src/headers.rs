//! The headers of what is published: the message's own, and further ones.

use forebay_fields::{Field, Scope, Table};
use forebay_plugin::serde_json::Value;
use forebay_plugin::{Header, Result};

use crate::body::{Body, Form};

/// Which headers a published message has.
#[derive(Debug)]
pub(crate) struct Headers {
    are_kept: bool,
    added: Vec<(String, Added)>,
}

#[derive(Debug)]
enum Added {
    Constant(String),
    Read(Body),
}

/// Names that begin so are the host's own, which writes them anew.
const RESERVED: [&str; 2] = ["forebay.", "__dlq."];

impl Headers {
    /// Reads the keys `headers` and `add-headers`. What is wrong is noted.
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let words = [("keep", true), ("none", false)];
        let are_kept = table.get("headers").map_or(Some(true), |field| field.word("choice", &words));
        let added: Vec<Option<(String, Added)>> = match table.get("add-headers") {
            Some(field) => field.table()?.fields().map(|(name, field)| added(name, &field)).collect(),
            None => Vec::new(),
        };
        Some(Self { are_kept: are_kept?, added: added.into_iter().collect::<Option<_>>()? })
    }

    /// Returns the headers: those that were there, in their order, then those that are added.
    ///
    /// One that is made of a part of the message is left out where the part is not there.
    ///
    /// # Errors
    /// Where the message can not be read.
    pub(crate) fn of(&self, scope: &Scope<'_>) -> Result<Vec<Header>> {
        let is_ours = |header: &&Header| !is_reserved(&header.name);
        let kept = scope.message().headers.iter().filter(|_| self.are_kept).filter(is_ours);
        let mut headers: Vec<Header> = kept.cloned().collect();
        for (name, added) in &self.added {
            let value = match added {
                Added::Constant(text) => Some(Some(text.as_bytes().to_vec())),
                Added::Read(body) => body.bytes(scope)?,
            };
            headers.extend(value.map(|value| Header { name: name.clone(), value }));
        }
        Ok(headers)
    }
}

fn added(name: &str, field: &Field<'_>) -> Option<(String, Added)> {
    if is_reserved(name) {
        field.wrong(format!("header names that begin with {RESERVED:?} are the host's own"));
    }
    let added = match field.value() {
        // Other than a path, a constant may be empty.
        Value::String(text) => Added::Constant(text.clone()),
        _ => Added::Read(Body::read(field, Form::Text)?),
    };
    Some((name.to_owned(), added))
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|start| name.starts_with(start))
}
