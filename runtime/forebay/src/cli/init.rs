//! `forebay init`: makes the ledger's schema, or prints it.

use camino::Utf8Path;
use forebay_core::verdict::Verdict;
use forebay_sink::Postgres;
use forebay_sink::postgres::DDL;

use crate::app;
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::telemetry;

pub(super) fn run(manifest: &Utf8Path, print: bool) -> Result<(), Error> {
    if print {
        telemetry::print(DDL.trim_end());
        return Ok(());
    }
    let manifest = load::manifest(manifest)?;
    app::runtime()?.block_on(async {
        let mut errors = Vec::new();
        for sink in manifest.sinks.values() {
            let made = match Postgres::new(sink) {
                Ok(sink) => sink.init().await.map_err(|verdict| of_verdict(&verdict)),
                Err(error) => Err(Error::new(ErrorKind::Config, error.to_string())),
            };
            match made {
                Ok(()) => telemetry::print(&format!("sink `{}`: the schema `forebay` is there", sink.name)),
                Err(error) => errors.push(error),
            }
        }
        Error::join(errors).map_or(Ok(()), Err)
    })
}

/// What a one-shot command says of an adapter's verdict.
pub(super) fn of_verdict(verdict: &Verdict) -> Error {
    match verdict {
        Verdict::Misconfigured(cause) => Error::new(ErrorKind::Config, cause.message.clone()),
        Verdict::Unavailable(cause) => Error::new(ErrorKind::Unavailable, cause.message.clone()),
        Verdict::Unknown(what) => Error::new(ErrorKind::Unavailable, what.clone()),
        Verdict::Record(fault) => Error::new(ErrorKind::Internal, fault.message.clone()),
        Verdict::Fenced => Error::new(ErrorKind::Unavailable, "another process changed the ledger at the same time"),
    }
}
