//! Messages to send, made step by step.

use serde::Serialize;

use crate::{Header, Publish, Result};

impl Publish {
    /// Starts a message for a target of the manifest, with neither key nor value: a tombstone without a key.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            key: None,
            value: None,
            headers: Vec::new(),
            metadata: Vec::new(),
        }
    }

    /// Gives it a key, which also decides its partition.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Gives it a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Gives it a value as JSON.
    ///
    /// # Errors
    /// Where the value has no form in JSON, such as a map whose keys are no text.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        Ok(self.value(serde_json::to_vec(value)?))
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }
}
