//! A batch through the plugin.

use std::sync::Arc;

use forebay_core::fault::Class;
use forebay_core::lane::Command;
use forebay_core::outcome::Handled;
use forebay_core::verdict::{Cause, Reason, Verdict};
use forebay_plugin_host::{HandleError, Job};

use crate::consumer::binding::{Binding, Prepared};

/// Runs a batch; once more with the tables as they are now, if a row names a column that came since.
pub(super) async fn compute(
    binding: &Binding,
    prepared: &Arc<Prepared>,
    command: &Command,
) -> Result<Computed, Verdict> {
    let handled = run(binding, prepared, command).await?;
    if handled.iter().any(names_unknown_column)
        && let Some(grown) = binding.grown(prepared).await
    {
        let handled = run(binding, &grown, command).await?;
        return Ok(Computed { handled, grown: Some(grown) });
    }
    Ok(Computed { handled, grown: None })
}

/// A computed batch.
pub(super) struct Computed {
    /// One for each record.
    pub(super) handled: Vec<Handled>,
    /// The binding with columns that came since.
    pub(super) grown: Option<Arc<Prepared>>,
}

async fn run(binding: &Binding, prepared: &Arc<Prepared>, command: &Command) -> Result<Vec<Handled>, Verdict> {
    let job = Job {
        records: command.records.clone(),
        range: command.from..command.records.len(),
        headers: binding.headers.clone(),
        check: prepared.check.clone(),
    };
    let plugin = &binding.needs.plugin;
    binding.needs.host.handle(plugin, job).await.map_err(|error| of_host(plugin.name(), &error))
}

fn names_unknown_column(handled: &Handled) -> bool {
    handled.result.as_ref().is_err_and(|fault| fault.class == Class::Contract && fault.code == "unknown-column")
}

/// Whose fault an error of the host is: never a record's.
fn of_host(plugin: &str, error: &HandleError) -> Verdict {
    let message = format!("plugin `{plugin}`: {error}");
    match error {
        HandleError::Init { .. } => Verdict::Misconfigured(Cause::new(Reason::Plugin, message)),
        HandleError::WallClock { .. } => Verdict::Unavailable(Cause::new(Reason::Machine, message)),
        HandleError::Stopped | HandleError::Internal(_) => Verdict::Unavailable(Cause::new(Reason::Plugin, message)),
    }
}
