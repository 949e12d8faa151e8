//! What outcomes are checked against without servers: the manifest's targets, and the tables that `schema.sqlite.sql` makes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::fault::Fault;
use forebay_core::manifest::settings::{Binding, Manifest, SinkKind, TargetKind as Kind};
use forebay_core::outcome::Outcome;
use forebay_core::plan::check;
use forebay_core::plan::target::{TableTarget, Target, TargetKind, Targets, TopicTarget};
use forebay_plugin_host::Check;
use forebay_sink::Sqlite;

use crate::dev::{embed, of_verdict};
use crate::error::{Error, ErrorKind};

/// What a topic takes by default.
const MESSAGE_MAX: usize = 1_048_588;

/// Nobody else has the file.
const LOCK: Duration = Duration::from_secs(1);

struct Contract(Targets);

impl Check for Contract {
    fn check(&self, outcome: &Outcome) -> Result<(), Fault> {
        check::outcome(outcome, &self.0)
    }
}

/// Returns the check of a binding's outcomes, as a run would do it.
///
/// # Errors
/// What is wrong with the tables' script, or a table that it does not make.
pub(super) async fn check(manifest: &Utf8Path, parsed: &Manifest, binding: &Binding) -> Result<Arc<dyn Check>, Error> {
    let room = Room::new()?;
    let script = embed::script(manifest, parsed)?.unwrap_or_default();
    let embedded = embed::embed(parsed.clone(), parsed.kafka.clone(), &room.folder)?;
    let mut targets = Vec::new();
    let targets_of =
        embedded.bindings.iter().filter(|other| other.name == binding.name).flat_map(|binding| &binding.targets);
    for target in targets_of {
        let kind = match &target.kind {
            Kind::Topic(topic) => {
                let topic = topic.as_str().into();
                TargetKind::Topic(TopicTarget { topic, max_bytes: MESSAGE_MAX, is_compacted: false })
            }
            Kind::Table(table) => {
                let Some(SinkKind::Sqlite(path)) = embedded.sinks.get(&table.sink).map(|sink| &sink.kind) else {
                    continue;
                };
                let sink = Sqlite::new(&table.sink, path, LOCK);
                let is_new = !path.exists();
                let report = async {
                    if is_new {
                        sink.execute_script(&script).await?;
                    }
                    sink.table(table).await
                };
                let report = report.await.map_err(|verdict| of_verdict(&verdict));
                sink.close().await;
                let report = report?;
                let faults = report.faults.into_iter().map(|fault| Error::of_cause(ErrorKind::Config, fault));
                if let Some(error) = Error::join(faults.collect()) {
                    return Err(error);
                }
                let joined = TableTarget::try_new(table.clone(), Arc::new(report.facts));
                let joined = joined.map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
                TargetKind::Table(Box::new(joined))
            }
        };
        targets.push(Target { name: target.name.clone(), kind });
    }
    Ok(Arc::new(Contract(Targets::new(targets))))
}

/// A folder for the tables, gone when they were looked at.
struct Room {
    folder: Utf8PathBuf,
}

impl Room {
    fn new() -> Result<Self, Error> {
        let failed = |folder: &str, error: std::io::Error| {
            let message = format!("make the folder `{folder}`: {error}; set TMPDIR to a folder that is writable");
            Error::new(ErrorKind::Config, message)
        };
        let name = format!("forebay-test-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).map_err(|error| failed(&folder.to_string_lossy(), error))?;
        let named = Utf8PathBuf::from_path_buf(folder);
        let folder =
            named.map_err(|path| failed(&path.to_string_lossy(), std::io::ErrorKind::InvalidFilename.into()))?;
        Ok(Self { folder })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::debug!(folder = %self.folder, %error, "a temporary folder stays behind");
        }
    }
}
