//! A batch to where the binding's rows go.

use std::sync::Arc;

use forebay_core::dead_letter::Origin;
use forebay_core::lane::Write;
use forebay_core::verdict::Verdict;
use forebay_kafka::Partition;
use forebay_sink::{Committed, WriteContext};
use jiff::Timestamp;

use crate::consumer::access::Pass;
use crate::consumer::acquire;
use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::pace::Admission;

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

/// A write that may go.
pub(super) struct Allowed<'a> {
    admission: Option<Admission>,
    pass: Option<Pass<'a>>,
}

/// Waits until the binding may write so much, and the sink can be used.
///
/// # Errors
/// Where the sink is out of reach.
pub(super) async fn allow<'a>(
    binding: &'a Binding,
    write: &Write,
    lane: u64,
    throttled: impl Fn(bool),
) -> Result<Allowed<'a>, Verdict> {
    // Without records only the position moves, or the outbox is cleared.
    let mut admission = match write.handled.len().saturating_sub(write.from) {
        0 => None,
        records => Some(binding.pace.admit(records, throttled).await),
    };
    let pass = match &binding.share {
        Some(share) => Some(share.enter(lane).await?),
        None => None,
    };
    admission.iter_mut().for_each(Admission::begin);
    Ok(Allowed { admission, pass })
}

impl Allowed<'_> {
    /// It has ended so.
    pub(super) fn end<T>(self, result: &Result<T, Verdict>) {
        if let Some(admission) = self.admission {
            admission.end(result);
        }
        if let Some(pass) = self.pass {
            pass.end(result);
        }
    }
}
