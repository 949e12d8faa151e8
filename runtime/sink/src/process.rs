//! The process's own environment, for what is read again while it runs.

use std::io;
use std::path::Path;

use forebay_core::manifest::Environment;

/// The process's own environment.
pub struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "this is the manifest's environment")]
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
