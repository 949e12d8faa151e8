//! One worker's share of the work: it runs a job's records one by one on one instance, and finds the guilty one.
//!
//! A record that fails in any way costs its instance. It runs once more alone in a fresh one, and the rest goes on in
//! another fresh one, so that no record ever runs in an instance that has seen a failure.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Instant;

use forebay_core::fault::Fault;
use forebay_core::manifest::settings::Instances;
use forebay_core::outcome::Outcome;
use forebay_core::record::Record;
use tracing::warn;

use crate::convert::{self, LoweredHeader};
use crate::error::HandleError;
use crate::instance::{Instance, StartError};
use crate::job::Job;
use crate::plugin::Plugin;
use crate::trap::{Failed, Telling};
use forebay_core::outcome::Handled;

/// The most instances a worker keeps for reuse, over all plugins; beyond it the one unused for longest goes.
pub(crate) const KEPT_MAX: usize = 8;

/// A worker's own memory between jobs.
#[derive(Default)]
pub(crate) struct Worker {
    /// Instances of plugins with `instances = { reuse = N }`, the one used last at the end.
    kept: Vec<Kept>,
}

struct Kept {
    /// Weak, so that a plugin that was replaced is not held up here.
    plugin: Weak<Plugin>,
    instance: Instance,
    /// Batches it may still serve.
    batches_left: u32,
}

/// Whether a worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// With the next record.
    On,
    /// What is done so far is the answer.
    End,
    /// Nobody wants an answer.
    Abandon,
}

/// One job under way.
struct Run<'a> {
    plugin: &'a Plugin,
    job: &'a Job,
    /// The instance that serves the next record; made when it is needed, gone after a failure.
    instance: Option<Instance>,
    /// What is left of the batch's log, over all its instances.
    log_lines_left: u32,
    log_lines_dropped: u32,
    /// Records that failed and did not when they ran alone, and the first of them.
    impure: u32,
    first_impure: Option<(&'a Record, Fault)>,
    /// The headers of the record that is being run.
    scratch: Vec<LoweredHeader<'a>>,
}

impl Worker {
    /// Runs some of a job's records, as long as `flow` says so: it is asked before the first one and after each.
    pub(crate) fn run(
        &mut self,
        plugin: &Arc<Plugin>,
        job: &Job,
        range: Range<usize>,
        mut flow: impl FnMut(Option<&Handled>) -> Flow,
    ) -> Result<Vec<Handled>, HandleError> {
        let Some(records) = job.records.get(range.clone()) else {
            return Err(HandleError::Internal(format!("no records {range:?} in a batch of {}", job.records.len())));
        };
        let (instance, batches_left) = self.take(plugin);
        let is_kept = instance.is_some();
        let mut run = Run::begin(plugin, job, instance);
        let mut handled = Vec::with_capacity(records.len());
        let mut has_failed = false;
        for record in records {
            match flow(handled.last()) {
                Flow::On => {}
                Flow::End => break,
                Flow::Abandon => return Err(HandleError::Stopped),
            }
            let one = run.record(record)?;
            has_failed |= one.runs > 1;
            handled.push(one);
        }
        // The last one is counted as well.
        if handled.len() == records.len() {
            flow(handled.last());
        }
        let batches_left = if is_kept && !has_failed { batches_left } else { lifetime(plugin) };
        let instance = run.finish();
        drop(run);
        self.keep(plugin, instance, batches_left.saturating_sub(1));
        Ok(handled)
    }

    fn take(&mut self, plugin: &Arc<Plugin>) -> (Option<Instance>, u32) {
        self.kept.retain(|kept| kept.plugin.strong_count() > 0);
        let ours = self.kept.iter().position(|kept| std::ptr::eq(kept.plugin.as_ptr(), Arc::as_ptr(plugin)));
        match ours.map(|index| self.kept.remove(index)) {
            Some(kept) => (Some(kept.instance), kept.batches_left),
            None => (None, 0),
        }
    }

    fn keep(&mut self, plugin: &Arc<Plugin>, instance: Option<Instance>, batches_left: u32) {
        let Some(instance) = instance else { return };
        if batches_left == 0 {
            return;
        }
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push(Kept { plugin: Arc::downgrade(plugin), instance, batches_left });
    }
}

/// Returns how many batches an instance serves.
fn lifetime(plugin: &Plugin) -> u32 {
    match plugin.instances {
        Instances::PerBatch => 1,
        Instances::Reuse(batches) => batches.get(),
    }
}

impl<'a> Run<'a> {
    fn begin(plugin: &'a Plugin, job: &'a Job, mut instance: Option<Instance>) -> Self {
        let log_lines_left = plugin.template.log.take(Instant::now());
        if let Some(kept) = &mut instance {
            kept.state_mut().log.lines_left = log_lines_left;
        }
        let (log_lines_dropped, impure) = (0, 0);
        Self {
            plugin,
            job,
            instance,
            log_lines_left,
            log_lines_dropped,
            impure,
            first_impure: None,
            scratch: Vec::new(),
        }
    }

    fn record(&mut self, record: &'a Record) -> Result<Handled, HandleError> {
        match self.attempt(record, Telling::Name)? {
            Ok(outcome) => Ok(Handled { result: Ok(outcome), runs: 1 }),
            Err(first) => {
                // The poisoned store is gone already. The second run is alone in its instance: nothing ran before it,
                // and nothing runs after it.
                let second = self.attempt(record, Telling::Full)?;
                self.drop_instance();
                if second.is_ok() {
                    self.impure += 1;
                    self.first_impure.get_or_insert((record, first));
                }
                Ok(Handled { result: second, runs: 2 })
            }
        }
    }

    /// Runs one record in the instance at hand or a fresh one, and drops the instance if anything is wrong.
    fn attempt(&mut self, record: &'a Record, telling: Telling) -> Result<Result<Outcome, Fault>, HandleError> {
        #[cfg(feature = "native")]
        if let Some(handle) = crate::native::get() {
            let outcome = handle(record);
            return Ok(self.job.check.check(&outcome).map(|()| outcome));
        }
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.start()?,
        };
        let (headers, check) = (&self.job.headers, &self.job.check);
        let answer =
            convert::with_message(record, headers, &mut self.scratch, |message| instance.handle(message, telling));
        let answer = match answer {
            Ok(outcome) => check.check(&outcome).map(|()| outcome),
            Err(Failed::Fault(fault)) => Err(fault),
            Err(Failed::Host(error)) => return Err(error),
        };
        self.instance = Some(instance);
        if answer.is_err() {
            self.drop_instance();
        }
        Ok(answer)
    }

    fn start(&self) -> Result<Instance, HandleError> {
        Instance::start(&self.plugin.template, self.log_lines_left).map_err(not_started)
    }

    fn drop_instance(&mut self) {
        if let Some(mut instance) = self.instance.take() {
            self.settle(&mut instance);
        }
    }

    /// Takes over what an instance counted and wrote.
    fn settle(&mut self, instance: &mut Instance) {
        self.plugin.settle(instance);
        let log = &mut instance.state_mut().log;
        self.log_lines_left = log.lines_left;
        self.log_lines_dropped = self.log_lines_dropped.saturating_add(std::mem::take(&mut log.lines_dropped));
    }

    /// Settles the batch and gives back the instance that served its last record, if it is still sound.
    fn finish(&mut self) -> Option<Instance> {
        let mut instance = self.instance.take();
        if let Some(instance) = &mut instance {
            self.settle(instance);
        }
        let (left, dropped) = (std::mem::take(&mut self.log_lines_left), std::mem::take(&mut self.log_lines_dropped));
        self.plugin.template.log.settle(left, dropped, Instant::now());
        if let Some((record, fault)) = self.first_impure.take() {
            warn!(
                plugin = self.plugin.name(), records = self.impure, topic = %record.topic, partition = record.partition,
                offset = record.offset, class = %fault.class, code = fault.code,
                "a handler failed on records and did not when they ran alone: it is not a pure function; the first one is named"
            );
        }
        instance
    }
}

impl Drop for Run<'_> {
    /// A batch that was given up is settled as well.
    fn drop(&mut self) {
        self.finish();
    }
}

fn not_started(error: StartError) -> HandleError {
    match error {
        StartError::Init { code, message } => HandleError::Init { code, message },
        StartError::Fault(fault) => HandleError::Init { code: fault.code, message: fault.message },
        StartError::Memory => HandleError::Init {
            code: "memory-limit".to_owned(),
            message: "the instance needs more memory to start than `limits.memory` allows".to_owned(),
        },
        StartError::Shape(reason) => HandleError::Internal(reason),
        StartError::Host(error) => error,
    }
}
