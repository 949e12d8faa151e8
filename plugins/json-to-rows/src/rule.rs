//! Messages that are skipped or rejected by what is in them.

use forebay_fields::{Condition, Scope, Table};
use forebay_plugin::{Failure, Result};

/// Which messages are skipped, and under which reason they are counted.
#[derive(Debug)]
pub(crate) struct SkipRule {
    pub(crate) when: Condition,
    pub(crate) reason: String,
}

/// Which messages are rejected, and why.
#[derive(Debug)]
pub(crate) struct RejectRule {
    pub(crate) when: Condition,
    code: String,
    message: Option<String>,
}

impl SkipRule {
    /// Reads a rule; what is wrong is noted.
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        table.only(&["when", "reason"]);
        let when = table.need("when").and_then(|field| Condition::read(&field));
        let reason = table.get("reason").map_or(Some("a rule of the configuration"), |field| field.text());
        Some(Self { when: when?, reason: reason?.to_owned() })
    }
}

impl RejectRule {
    /// Reads a rule; what is wrong is noted.
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        table.only(&["when", "code", "message"]);
        let when = table.need("when").and_then(|field| Condition::read(&field));
        let code = table.need("code").and_then(|field| field.text());
        let message = table.get("message").and_then(|field| field.text());
        Some(Self { when: when?, code: code?.to_owned(), message: message.map(str::to_owned) })
    }

    /// Returns what the message is rejected with: the rule's own words, or what was found.
    ///
    /// # Errors
    /// Where the message can not be read.
    pub(crate) fn failure(&self, scope: &Scope<'_>) -> Result<Failure> {
        let message = match &self.message {
            Some(message) => message.clone(),
            None => self.when.shown(scope, None)?,
        };
        Ok(forebay_plugin::reject(&self.code, message))
    }
}
