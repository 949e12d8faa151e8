//! `forebay init`: makes the ledger's schema, or prints it.

use camino::Utf8Path;
use forebay_core::manifest::settings::SinkKind;
use forebay_core::verdict::Verdict;
use forebay_sink::Database;
use serde_json::json;

use crate::app;
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::telemetry;

pub(super) fn run(manifest: &Utf8Path, print: bool, as_json: bool) -> Result<(), Error> {
    if print {
        // Without a manifest PostgreSQL's: a database for the ledger may be prepared before there is one.
        let kinds =
            load::manifest(manifest).map(|manifest| manifest.sinks.into_values().map(|sink| sink.kind).collect());
        let kinds: Vec<SinkKind> = kinds.unwrap_or_else(|_| vec![SinkKind::Postgres]);
        let mut scripts: Vec<&str> = kinds.iter().map(|kind| Database::ddl(kind).trim_end()).collect();
        scripts.dedup();
        let sql = scripts.join("\n\n");
        telemetry::print(&if as_json { json!({ "sql": sql }).to_string() } else { sql });
        return Ok(());
    }
    let manifest = load::manifest(manifest)?;
    app::runtime()?.block_on(async {
        let (mut made, mut errors) = (Vec::new(), Vec::new());
        for sink in manifest.sinks.values() {
            let answer = match Database::new(sink) {
                Ok(sink) => sink.init().await.map_err(|verdict| of_verdict(&verdict)),
                Err(error) => Err(Error::new(ErrorKind::Config, error.to_string())),
            };
            match answer {
                Ok(()) => made.push(sink.name.as_str()),
                Err(error) => errors.push(error),
            }
        }
        tell(&made, &errors, as_json);
        Error::join(errors).map_or(Ok(()), Err)
    })
}

fn tell(made: &[&str], errors: &[Error], as_json: bool) {
    if as_json {
        let faults: Vec<&String> = errors.iter().flat_map(Error::sentences).map(|sentence| &sentence.text).collect();
        return telemetry::print(&json!({ "ok": errors.is_empty(), "sinks": made, "faults": faults }).to_string());
    }
    for sink in made {
        telemetry::print(&format!("sink `{sink}`: the schema `forebay` is there"));
    }
}

/// What a one-shot command says of an adapter's verdict.
pub(super) fn of_verdict(verdict: &Verdict) -> Error {
    match verdict {
        Verdict::Misconfigured(cause) => Error::of_cause(ErrorKind::Config, cause.clone()),
        Verdict::Unavailable(cause) => Error::new(ErrorKind::Unavailable, cause.message.clone()),
        Verdict::Unknown(what) => Error::new(ErrorKind::Unavailable, what.clone()),
        Verdict::Record(fault) => Error::new(ErrorKind::Internal, fault.message.clone()),
        Verdict::Fenced => Error::new(ErrorKind::Unavailable, "another process changed the ledger at the same time"),
    }
}
