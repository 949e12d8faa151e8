//! Where a manifest comes from, and the only way its reading reaches the outside.

use std::io;
use std::path::{Path, PathBuf};

/// Where a manifest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file's name as errors show it.
    pub name: String,
    /// The folder that relative paths in the manifest start from.
    pub folder: PathBuf,
}

/// What `${env:NAME}` and `${file:PATH}` are looked up in.
pub trait Environment {
    /// Returns the variable's value, `None` if it is not set or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// Returns the file's text. `path` is already resolved against the manifest's folder.
    ///
    /// # Errors
    ///
    /// Whatever reading the file fails with; its text is shown to the user.
    fn file(&self, path: &Path) -> io::Result<String>;
}

impl Origin {
    /// Makes the origin of a manifest that is called `name` and stands in `folder`.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), folder: folder.into() }
    }
}
