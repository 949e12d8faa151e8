//! A batch to where the binding's rows go.

use std::sync::Arc;

use forebay_core::dead_letter::Origin;
use forebay_core::lane::Write;
use forebay_core::verdict::Verdict;
use forebay_kafka::Partition;
use forebay_sink::{Committed, WriteContext};
use jiff::Timestamp;

use crate::consumer::acquire;
use crate::consumer::binding::{Binding, Prepared};

/// Writes a batch, or decides what is to be sent where there is no database.
pub(super) async fn write(
    (binding, prepared): (&Binding, &Arc<Prepared>),
    at: &Partition,
    write: &Write,
    notes_version: bool,
) -> Result<Committed, Verdict> {
    let context = WriteContext {
        key: acquire::key(binding, at),
        targets: prepared.targets.clone(),
        origin: Arc::<Origin>::clone(&prepared.origin),
        retry: binding.settings.retry,
        notes_version,
        redriven: None,
    };
    match &binding.needs.sink {
        Some(sink) => sink.write(&context, write, Timestamp::now()).await,
        // Nothing to write: what is decided goes to Kafka, and the group's offset follows its acknowledgement.
        None => Ok(Committed::without_sink(&context, write, Timestamp::now())),
    }
}
