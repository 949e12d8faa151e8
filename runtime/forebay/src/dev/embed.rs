//! A manifest for a cluster in this process and SQLite files: the same bindings, plugins and policies, other servers.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use camino::Utf8Path;
use forebay_core::manifest::Environment;
use forebay_core::manifest::settings::{DeadLetter, Kafka, Manifest, Secret, SinkKind, TargetKind};
use parking_lot::Mutex;

use crate::error::{Error, ErrorKind};
use crate::load;

/// The tables of a trial, beside the manifest.
pub(crate) const SCRIPT: &str = "schema.sqlite.sql";

/// What stands in for a variable or a file that is not there: it names a server or its password, and there is none.
const NOT_THERE: &str = "not-there";

/// The environment of a manifest whose servers are left out: what is missing is noted instead of refused.
#[derive(Default)]
struct Lenient {
    missing: Mutex<Vec<String>>,
}

impl Environment for Lenient {
    fn variable(&self, name: &str) -> Option<String> {
        Some(forebay_sink::Process.variable(name).unwrap_or_else(|| {
            self.missing.lock().push(format!("${{env:{name}}}"));
            NOT_THERE.to_owned()
        }))
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        forebay_sink::Process.file(path).or_else(|_| {
            self.missing.lock().push(format!("${{file:{}}}", path.display()));
            Ok(NOT_THERE.to_owned())
        })
    }
}

/// Reads the tables' statements, which stand beside the manifest.
///
/// # Errors
/// Where they are missed.
pub(crate) fn script(manifest: &Utf8Path, parsed: &Manifest) -> Result<Option<String>, Error> {
    let path = manifest.with_file_name(SCRIPT);
    match std::fs::read_to_string(&path) {
        Ok(script) => Ok(Some(script)),
        Err(_) if parsed.sinks.is_empty() => Ok(None),
        Err(error) => {
            let message = format!(
                "read `{path}`: {error}; `forebay dev` makes its SQLite tables by it: write a CREATE TABLE … STRICT for each table \
                 that the targets name"
            );
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

/// Reads a manifest, and returns it with the references that lead nowhere.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(path: &Utf8Path) -> Result<(Manifest, Vec<String>), Error> {
    let environment = Lenient::default();
    let manifest = load::manifest_in(path, &environment)?;
    let mut missing = environment.missing.into_inner();
    missing.sort_unstable();
    missing.dedup();
    Ok((manifest, missing))
}

/// Puts the cluster `kafka` and a file in `folder` for each sink into a manifest.
///
/// # Errors
/// Where two tables have one name once their schemas are left out.
pub(crate) fn embed(mut manifest: Manifest, kafka: Kafka, folder: &Utf8Path) -> Result<Manifest, Error> {
    // The mock needs nothing of what a real cluster asks for; a short session makes a restart quick.
    let properties = BTreeMap::from([("session.timeout.ms".to_owned(), Secret::new("3000"))]);
    manifest.kafka = Kafka { name: manifest.kafka.name, properties, ..kafka };
    for (name, sink) in &mut manifest.sinks {
        let file = folder.join(format!("{name}.sqlite"));
        sink.url = Secret::new(format!("sqlite:{file}"));
        sink.kind = SinkKind::Sqlite(file.into());
    }
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    for binding in &mut manifest.bindings {
        // One record a transaction, so that what a person sees belongs to one record. The result is the same.
        binding.batch.max_records = NonZeroUsize::MIN;
        // Samples are there to fail: nobody wants a trial to pause over them.
        if let DeadLetter::Topic { pause_above, .. } = &mut binding.dead_letter {
            pause_above.percent = 100;
        }
        for target in &mut binding.targets {
            let TargetKind::Table(table) = &mut target.kind else { continue };
            let full = table.full_name();
            table.schema = None;
            let before = names.insert((table.sink.clone(), table.table.clone()), full.clone());
            if let Some(before) = before.filter(|before| *before != full) {
                let message = format!(
                    "`forebay dev` has no schemas, and {before} and {full} would be one table; give them names of their own"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
    }
    Ok(manifest)
}

/// Returns every topic of a manifest: those it reads, and those it writes to.
pub(super) fn topics(manifest: &Manifest) -> Vec<String> {
    let mut topics = Vec::new();
    for binding in &manifest.bindings {
        topics.extend(binding.topics.iter().cloned());
        topics.extend(binding.targets.iter().filter_map(|target| match &target.kind {
            TargetKind::Topic(topic) => Some(topic.clone()),
            TargetKind::Table(_) => None,
        }));
        if let DeadLetter::Topic { topic, .. } = &binding.dead_letter {
            topics.push(topic.clone());
        }
    }
    topics.sort_unstable();
    topics.dedup();
    topics
}
