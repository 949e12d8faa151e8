//! A batch through the plugin.

use std::ops::Range;
use std::sync::Arc;

use forebay_core::fault::Class;
use forebay_core::lane::Command;
use forebay_core::outcome::{Handled, Outcomes};
use forebay_core::record::Record;
use forebay_core::verdict::Verdict;
use forebay_plugin_host::Job;
use forebay_sink::failpoint;

use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::doubt;
use crate::consumer::room::Room;

/// Runs a batch; once more with the tables as they are now, if a row names a column that came since.
pub(super) async fn compute(
    binding: &Binding,
    prepared: &Arc<Prepared>,
    command: &Command,
    owner: &str,
) -> Result<Computed, Verdict> {
    let records = command.records.get(command.from..).unwrap_or_default();
    let size = |count: usize| records.iter().take(count).map(Record::payload_bytes).sum();
    let mut permit = binding.room.reserve(size(records.len())).await;
    let output_bytes = Room::output_bytes(&permit);
    let count = |handled: Vec<Handled>| {
        let bytes = size(handled.len());
        Outcomes::new(handled, |outcomes| {
            binding.room.settle(&mut permit, bytes, outcomes);
            permit
        })
    };
    if let Some(care) = command.care {
        let handled = doubt::run(binding, prepared, command, care, owner).await?;
        return Ok(Computed { outcomes: count(handled), grown: None });
    }
    let all = command.from..command.records.len();
    let handled = run(binding, prepared, command, all.clone(), output_bytes).await?;
    if handled.iter().any(may_fit_by_now)
        && let Some(grown) = binding.grown(prepared).await
    {
        let handled = run(binding, &grown, command, all, output_bytes).await?;
        return Ok(Computed { outcomes: count(handled), grown: Some(grown) });
    }
    Ok(Computed { outcomes: count(handled), grown: None })
}

/// A computed batch.
pub(super) struct Computed {
    /// One for each record, or for as many of them as there was room for.
    pub(super) outcomes: Outcomes,
    /// The binding with columns that came since.
    pub(super) grown: Option<Arc<Prepared>>,
}

/// Runs some of a batch's records, as far as there is room for what becomes of them.
pub(super) async fn run(
    binding: &Binding,
    prepared: &Arc<Prepared>,
    command: &Command,
    range: Range<usize>,
    output_bytes: usize,
) -> Result<Vec<Handled>, Verdict> {
    command
        .records
        .get(range.clone())
        .unwrap_or_default()
        .iter()
        .for_each(|record| failpoint::pass_record(record.offset));
    let job = Job {
        records: command.records.clone(),
        range,
        headers: binding.headers.clone(),
        check: prepared.check.clone(),
        binding: binding.name.clone(),
        output_bytes,
        is_whole: false,
    };
    let plugin = &binding.needs.plugin;
    binding.needs.host.handle(plugin, job).await.map_err(|error| error.verdict(plugin.name()))
}

fn may_fit_by_now(handled: &Handled) -> bool {
    let codes = ["unknown-column", "type", "range", "length", "null"];
    handled.result.as_ref().is_err_and(|fault| fault.class == Class::Contract && codes.contains(&fault.code.as_str()))
}
