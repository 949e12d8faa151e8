//! One binding's handler under test: what it makes of the samples, whether that is expected, and whether it is pure.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::fault::Fault;
use forebay_core::manifest::settings::{Binding, Instances, Manifest};
use forebay_core::outcome::Handled;
use forebay_plugin_host::{Check, Host, Job, Plugin};
use serde_json::Value as Json;

use crate::dev::embed;
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::proof::golden::{self, Expected};
use crate::proof::purity::{self, Pass, Violation};
use crate::proof::sample::Samples;
use crate::proof::{ground, spelled};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The manifest, or its folder.
    pub manifest: Utf8PathBuf,
    /// One binding alone.
    pub binding: Option<String>,
    /// The samples, where they are not beside the manifest.
    pub input: Option<Utf8PathBuf>,
    /// Whether the outcomes are what is expected from now on.
    pub bless: bool,
}

/// What became of one binding's samples.
#[derive(Debug)]
pub struct Report {
    /// The binding.
    pub binding: String,
    /// Its plugin.
    pub plugin: String,
    /// The component's digest.
    pub digest: String,
    /// The file of samples.
    pub samples: String,
    /// The outcome of each, in their order.
    pub outcomes: Vec<Json>,
    /// The samples that failed by number, from 0, each with its fault.
    pub failures: Vec<(usize, Fault)>,
    /// The file of expected outcomes.
    pub golden: Utf8PathBuf,
    /// How they compare.
    pub expected: Expected,
    /// How often the handler ran on each sample, over all passes.
    pub passes: usize,
    /// What gave another outcome in other company.
    pub violations: Vec<Violation>,
}

/// Tests the handlers of a manifest's bindings.
///
/// # Errors
/// What keeps one from being tested; what fails the test is in its report.
pub async fn test(wish: &Wish, host: &Host) -> Result<Vec<Report>, Error> {
    let path = load::file(&wish.manifest);
    let (manifest, _) = embed::read(&path)?;
    let mut reports = Vec::new();
    for binding in chosen(&manifest, wish.binding.as_deref())? {
        reports.push(one(wish, &path, &manifest, binding, host).await?);
    }
    Ok(reports)
}

/// Returns the bindings of this name, or all.
pub(super) fn chosen<'m>(manifest: &'m Manifest, name: Option<&str>) -> Result<Vec<&'m Binding>, Error> {
    let is_chosen = |binding: &&Binding| name.is_none_or(|name| binding.name == name);
    let list: Vec<&Binding> = manifest.bindings.iter().filter(is_chosen).collect();
    if list.is_empty() {
        let names: Vec<&str> = manifest.bindings.iter().map(|binding| binding.name.as_str()).collect();
        let message = format!("no binding is called `{}`; there are: {}", name.unwrap_or_default(), names.join(", "));
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(list)
}

async fn one(
    wish: &Wish,
    path: &Utf8Path,
    manifest: &Manifest,
    binding: &Binding,
    host: &Host,
) -> Result<Report, Error> {
    let samples = Samples::read(binding, path, wish.input.as_deref())?;
    let bench = Bench::new(path, manifest, binding, host).await?;
    let all: Vec<usize> = (0..samples.len()).collect();
    let alone = bench.run(&samples, &all, true).await?;
    let outcomes = spell(&samples, &all, &alone);
    let (sound, failing): (Vec<usize>, Vec<usize>) =
        all.iter().partition(|index| alone.get(**index).is_some_and(|handled| handled.result.is_ok()));
    let fault = |(index, handled): (usize, &Handled)| Some((index, handled.result.clone().err()?));
    let failures = alone.iter().enumerate().filter_map(fault).collect();
    let passes = purity::passes(&sound, &failing);
    let mut violations: Vec<Violation> = Vec::new();
    for pass in &passes {
        let Pass { order, is_fresh, .. } = pass;
        let then = spell(&samples, order, &bench.run(&samples, order, *is_fresh).await?);
        violations.extend(pass.judge(&outcomes, &then));
    }
    let golden = golden::path(path, binding);
    let expected = if wish.bless { golden::bless(&golden, &outcomes)? } else { golden::compare(&golden, &outcomes)? };
    Ok(Report {
        binding: binding.name.clone(),
        plugin: binding.plugin.clone(),
        digest: bench.plugin.digest().to_owned(),
        samples: samples.file.clone(),
        outcomes,
        failures,
        golden,
        expected,
        passes: passes.len(),
        violations,
    })
}

fn spell(samples: &Samples, order: &[usize], handled: &[Handled]) -> Vec<Json> {
    let of = |(index, handled): (&usize, &Handled)| spelled::of(handled, samples.key(*index));
    order.iter().zip(handled).map(of).collect()
}

/// A plugin with what it takes to run samples through it.
pub(super) struct Bench<'h> {
    host: &'h Host,
    pub(super) plugin: Arc<Plugin>,
    headers: Arc<forebay_core::manifest::settings::Headers>,
    check: Arc<dyn Check>,
}

impl<'h> Bench<'h> {
    async fn new(path: &Utf8Path, manifest: &Manifest, binding: &Binding, host: &'h Host) -> Result<Self, Error> {
        let check = ground::check(path, manifest, binding).await?;
        let Some(settings) = manifest.plugins.get(&binding.plugin) else {
            return Err(Error::new(ErrorKind::Internal, format!("plugin `{}` is not in the manifest", binding.plugin)));
        };
        // However long an instance is to live later, it is this test that says which messages share one.
        let mut settings = settings.clone();
        settings.instances = Instances::PerBatch;
        let plugin = load::plugin(&settings, host)?;
        Ok(Self { host, plugin, headers: Arc::new(binding.headers.clone()), check })
    }

    /// Runs samples in this order: all in one instance, or each in its own.
    async fn run(&self, samples: &Samples, order: &[usize], is_fresh: bool) -> Result<Vec<Handled>, Error> {
        let records = samples.records(order);
        let batch = if is_fresh { 1 } else { records.len().max(1) };
        let mut handled = Vec::with_capacity(records.len());
        for start in (0..records.len()).step_by(batch) {
            let job = Job {
                range: start..(start + batch).min(records.len()),
                records: records.clone(),
                headers: self.headers.clone(),
                check: self.check.clone(),
                binding: self.plugin.name().into(),
                output_bytes: Job::OUTPUT_BYTES,
                is_whole: true,
            };
            let count = job.range.len();
            let done = self.host.handle(&self.plugin, job).await;
            let done = done.map_err(|error| Error::new(ErrorKind::Plugin, error.to_string()))?;
            if done.len() < count {
                let (limit, done) = (Job::OUTPUT_BYTES >> 20, done.len());
                let message = format!("the handler gave back more than {limit} MiB for the first {done} samples");
                return Err(Error::new(ErrorKind::Plugin, message));
            }
            handled.extend(done);
        }
        Ok(handled)
    }
}

impl Report {
    /// Returns what is wrong, if anything is.
    ///
    /// # Errors
    /// A sentence for each thing that fails the test.
    pub fn verdict(&self) -> Result<(), Error> {
        let Self { binding, golden, expected, violations, .. } = self;
        let mut errors = Vec::new();
        match expected {
            Expected::Same | Expected::Written(_) => {}
            Expected::None => {
                let message = format!(
                    "binding `{binding}` has no expected outcomes; look at what it does, and write `{golden}` with `forebay plugin test --bless`"
                );
                errors.push(Error::new(ErrorKind::Config, message));
            }
            Expected::Different(_) => {
                let message = format!(
                    "binding `{binding}` has other outcomes than `{golden}` expects; correct the handler, or take them with `forebay plugin test --bless`"
                );
                errors.push(Error::new(ErrorKind::Plugin, message));
            }
        }
        if !violations.is_empty() {
            let message = format!(
                "the handler of binding `{binding}` is not a pure function: it keeps something between messages (a counter, a cache, a \
                 random generator), and what it keeps is gone with its instance; make everything of the message alone, and let the \
                 database count (`add`)"
            );
            errors.push(Error::new(ErrorKind::Plugin, message));
        }
        Error::join(errors).map_or(Ok(()), Err)
    }

    /// Returns how many samples were applied, skipped, rejected and failed.
    pub fn counts(&self) -> [(usize, &'static str); 4] {
        let count = |name: &str| self.outcomes.iter().filter(|outcome| outcome.get(name).is_some()).count();
        [
            (count("effects"), "applied"),
            (count("skip"), "skipped"),
            (count("reject"), "rejected"),
            (count("fault"), "failed"),
        ]
    }
}
