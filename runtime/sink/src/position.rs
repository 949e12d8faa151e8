//! What every ledger makes of its rows when a partition is acquired, whatever SQL brought them.

use std::sync::Arc;

use bytes::Bytes;
use forebay_core::lane::position::Resolution;
use forebay_core::lane::{AfterDeath, Resend};
use forebay_core::outbox;
use forebay_core::verdict::{Cause, Reason, Verdict};
use tracing::info;

use crate::ledger::AcquireRequest;

/// Where a partition without a row starts, in a topic that had `seen` partitions at first.
pub(crate) fn start(request: &AcquireRequest, resolution: &Resolution, seen: i32) -> i64 {
    let place = request.question.place();
    if let Resolution::Adopt(offset) = resolution {
        info!(partition = %place, offset, "the group's offset is taken over from another consumer");
        return *offset;
    }
    let (start, why) = match request.key.partition < seen {
        true => (request.start_offset, "as `start` says"),
        false => (request.question.log.0, "at its beginning: it was added to the topic later"),
    };
    info!(partition = %place, offset = start, "a partition without a position starts {why}");
    start
}

/// What the owner before left: nothing if it let go, or was this process.
pub(crate) fn after_death(
    owner: &str,
    running: Option<String>,
    record: Option<i64>,
    begun: Option<i32>,
) -> Option<AfterDeath> {
    let died = running.filter(|running| running != owner)?;
    info!(
        died,
        record, begun, "the process that had this partition did not let it go; its first batch goes record by record"
    );
    let begun = record.zip(begun.and_then(|begun| u32::try_from(begun).ok()));
    Some(AfterDeath { begun })
}

/// Reads a row of the outbox, which stands in `table`.
pub(crate) fn resend(table: &str, (from, next): (i64, i64), payload: &[u8]) -> Result<Resend, Verdict> {
    match outbox::decode(&Bytes::copy_from_slice(payload)) {
        Ok(messages) => Ok(Resend { from, next, messages: Arc::new(messages) }),
        Err(damaged) => {
            let message = format!("the row {next} of {table} can not be read: {damaged}; mend or remove it");
            Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)))
        }
    }
}
