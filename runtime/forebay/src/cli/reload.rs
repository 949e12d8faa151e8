//! `forebay reload`: a running process reads its manifest again.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::Value;

use crate::app;
use crate::cli::remote::{self, Remote};
use crate::error::Error;
use crate::load;
use crate::telemetry;

/// How long loading, compiling and asking servers may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// `forebay reload`
#[derive(Debug, Args)]
pub(super) struct Reload {
    /// The manifest: it says where the process is that runs it
    #[arg(default_value = "forebay.toml")]
    manifest: Utf8PathBuf,
}

impl Reload {
    pub(super) fn run(self, admin: Option<&str>, as_json: bool) -> Result<(), Error> {
        // What is wrong with it is said here, before anybody is asked.
        let manifest = load::manifest(&self.manifest)?;
        let remote = Remote::of(&manifest, admin);
        let answer = app::runtime()?.block_on(remote::post(&remote, "/reload", PATIENCE))?;
        if as_json {
            telemetry::print(&answer);
            return Ok(());
        }
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        // A process that was named may be on another machine, and its paths are that one's.
        let runs = answer.get("manifest").and_then(Value::as_str).filter(|_| admin.is_none());
        if let (Some(runs), Ok(given)) = (runs, self.manifest.canonicalize_utf8())
            && given != runs
        {
            telemetry::warn(&format!(
                "the process that answers runs another manifest, and has read that one again: {runs}"
            ));
        }
        let changes: Vec<&str> =
            answer.get("changes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if changes.is_empty() {
            telemetry::print("nothing is different");
        }
        changes.iter().for_each(|change| telemetry::print(change));
        Ok(())
    }
}
