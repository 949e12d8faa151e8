//! A string that may hold a secret, and where it is read again: whoever runs the process may change the file behind it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::origin::Environment;
use super::reference;

/// A string that may hold a secret: never printed. Two are equal where the same is written in the manifest: what a file behind
/// it says may change at any time.
#[derive(Clone)]
pub struct Secret {
    text: String,
    source: Option<Arc<Source>>,
}

/// A string of the manifest with references to files.
#[derive(PartialEq, Eq)]
struct Source {
    text: String,
    folder: PathBuf,
}

impl Secret {
    /// Wraps a string.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    /// Wraps what a string of a manifest in `folder` stands for.
    pub(super) fn of_manifest(resolved: String, written: &str, folder: &Path) -> Self {
        let source = || Arc::new(Source { text: written.to_owned(), folder: folder.to_owned() });
        Self { text: resolved, source: written.contains("${file:").then(source) }
    }

    /// Returns the string, for the client that needs it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Reads the files behind it again. Returns what it stands for now if that is something else; nothing where a file can
    /// not be read: it may be just being replaced.
    pub fn read_again(&self, environment: &dyn Environment) -> Option<Self> {
        let source = self.source.as_ref()?;
        let text = reference::resolve(&source.text, &source.folder, environment).ok()?;
        (text != self.text).then(|| Self { text, source: self.source.clone() })
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Some(own), Some(others)) => own == others,
            (None, None) => self.text == other.text,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}
