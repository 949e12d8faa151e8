//! The first batch after a death: record by record, each noted in the ledger before it is begun, so that one that takes the
//! process down is known after the next death, and is a dead letter after the third.

use std::sync::Arc;

use forebay_core::fault::{Class, Fault};
use forebay_core::lane::{AfterDeath, Command};
use forebay_core::outcome::Handled;
use forebay_core::verdict::Verdict;
use forebay_kafka::Partition;
use tracing::{debug, warn};

use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::{acquire, compute};

/// How often the process died on a record that is given up.
const DEATHS: u32 = 3;

/// Runs a batch.
pub(super) async fn run(
    binding: &Binding,
    prepared: &Arc<Prepared>,
    command: &Command,
    care: AfterDeath,
    owner: &str,
) -> Result<Vec<Handled>, Verdict> {
    let note = async |offset: Option<i64>| match (&binding.needs.sink, command.records.first()) {
        (Some(sink), Some(first)) => {
            let at = Partition { topic: first.topic.clone(), partition: first.partition };
            sink.begin_record(&acquire::key(binding, &at), owner, offset).await
        }
        _ => Ok(()),
    };
    let mut handled = Vec::with_capacity(command.records.len() - command.from);
    for (index, record) in command.records.iter().enumerate().skip(command.from) {
        if care.convicted() == Some(record.offset) {
            warn!(offset = record.offset, "the process died {DEATHS} times on this record; it is not run again");
            handled.push(crash());
            continue;
        }
        if care.is_noted(record.offset) {
            note(Some(record.offset)).await?;
        }
        handled.extend(compute::run(binding, prepared, command, index..index + 1, usize::MAX).await?);
    }
    // All of them passed: what comes now is in doubt no more.
    note(None).await?;
    debug!(records = handled.len(), "the first batch after a death has passed");
    Ok(handled)
}

fn crash() -> Handled {
    let message =
        format!("the process died {DEATHS} times while the handler ran on this record, which was not run again");
    let fault = Fault { class: Class::Crash, code: "crash".to_owned(), message, site: String::new() };
    Handled { result: Err(fault), runs: DEATHS }
}
