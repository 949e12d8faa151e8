//! `forebay dev`: the arguments.

use camino::Utf8PathBuf;

use crate::error::Error;
use crate::{app, dev, host};

/// Runs the bindings of a manifest with an in-process broker and SQLite tables. Feeds records, shows each one's fate, and
/// takes edits of component, manifest, tables and input over while it runs.
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    /// The manifest, or its folder
    #[arg(default_value = ".", value_name = "DIR or MANIFEST")]
    manifest: Utf8PathBuf,
    /// What is fed: a file of lines or of JSON documents, or `-` for standard input [default: the `.jsonl` file beside the manifest, else
    /// standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<Utf8PathBuf>,
    /// End once every record is applied, skipped or dead-lettered
    #[arg(long)]
    once: bool,
}

impl Command {
    /// Runs the trial.
    ///
    /// # Errors
    /// What ended it.
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let Self { manifest, input, once } = self;
        let host = host::start()?;
        let runtime = app::runtime()?;
        let result = runtime.block_on(dev::run(dev::Settings { manifest, input, once, as_json }, host));
        // A read from a terminal never ends; nothing waits for it.
        runtime.shutdown_timeout(std::time::Duration::from_millis(200));
        result
    }
}
