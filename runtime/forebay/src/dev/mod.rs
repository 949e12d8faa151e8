//! `forebay dev`: the same runtime without servers. A cluster in this process and SQLite files stand in for them; a file
//! or standard input is fed, each record's fate is shown, and what a person edits is taken over.

pub(crate) mod embed;
mod fate;
mod feed;
mod room;
mod session;
mod tally;
mod trial;

use std::sync::Arc;

use camino::Utf8PathBuf;
use forebay_core::verdict::{Reason, Verdict};
use forebay_plugin_host::Host;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind};
use crate::shutdown::Signals;
use trial::Trial;

/// What is asked of a trial.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The manifest, or its folder.
    pub manifest: Utf8PathBuf,
    /// What is fed: a file, `-` for standard input; what stands beside the manifest if `None`.
    pub input: Option<Utf8PathBuf>,
    /// Whether it ends once every record is terminal.
    pub once: bool,
    /// Whether facts are printed for programs.
    pub as_json: bool,
}

/// Runs until everything is done, or until a signal.
///
/// # Errors
/// What is wrong with the manifest, its components, its tables or the input.
pub async fn run(settings: Settings, host: Host) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let signals =
        Signals::new().map_err(|error| Error::new(ErrorKind::Internal, format!("take signals over: {error}")))?;
    let watched = signals.watch(stop.clone(), || tracing::warn!("SIGHUP: what is edited is taken over at once here"));
    let mut trial = Trial::start(settings, Arc::new(host)).await?;
    tokio::select! {
        // Ends the process at the second signal, and never by itself.
        () = watched => Ok(()),
        ended = trial.run(&stop) => ended,
    }
}

/// What ends a trial that nobody can mend while it runs.
pub(crate) fn of_verdict(verdict: &Verdict) -> Error {
    match verdict {
        Verdict::Misconfigured(cause) => {
            let kind = if cause.reason == Reason::Plugin { ErrorKind::Plugin } else { ErrorKind::Config };
            Error::of_cause(kind, cause.clone())
        }
        Verdict::Unavailable(cause) => Error::new(ErrorKind::Unavailable, cause.message.clone()),
        Verdict::Unknown(what) => Error::new(ErrorKind::Unavailable, what.clone()),
        Verdict::Record(fault) => Error::new(ErrorKind::Config, fault.message.clone()),
        Verdict::Fenced => Error::new(ErrorKind::Internal, "another owner took a partition of this process"),
    }
}
