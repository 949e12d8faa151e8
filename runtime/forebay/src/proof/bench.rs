//! How fast a handler is, beside a reference measured in the same minute: figures of two machines, or of one machine on two
//! days, say nothing about each other, a ratio does.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_core::budget::Permit;
use forebay_core::fault::Fault;
use forebay_core::manifest::settings::{BuiltIn, Component, Headers, Instances, Plugin as Settings, PluginLimits};
use forebay_core::outcome::Outcome;
use forebay_core::record::{At, Record};
use forebay_core::records::Records;
use forebay_plugin_host::{Check, Host, Job, Plugin};

use crate::dev::embed;
use crate::error::{Error, ErrorKind};
use crate::host;
use crate::load;
use crate::proof::sample::Samples;
use crate::proof::test::{Wish, chosen};

/// Messages of one call of the host, as a batch of a busy binding.
const BATCH: usize = 500;
/// Handler and reference take turns.
const ROUNDS: usize = 9;
/// How long a turn takes, about.
const TURN: Duration = Duration::from_millis(150);
/// Fresh instances that are timed.
const STARTS: usize = 15;

/// The configuration of the reference: what many a handler does.
const REFERENCE: &str = r#"{"rows":[{"target":"orders","columns":{"order_id":{"path":"order_id","type":"integer"},"customer":"customer.name",
"total":{"path":"total","type":"decimal"},"placed_at":{"path":"placed_at","type":"timestamp","unit":"ms"},"note":"note"}}]}"#;
/// Its message.
const ORDER: &[u8] =
    br#"{"order_id":9007199254740993,"customer":{"id":42,"name":"Ada Lovelace"},"total":"1249.50","currency":"EUR",
"placed_at":1760000000000,"note":"ring twice","lines":[{"sku":"A-1","quantity":2},{"sku":"B-7","quantity":1}]}"#;

/// What was measured of one handler.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The binding.
    pub binding: String,
    /// Its plugin.
    pub plugin: String,
    /// The component's digest.
    pub digest: String,
    /// The component's size, if it is a file.
    pub bytes: Option<u64>,
    /// What was measured of it.
    pub handler: Measured,
    /// The same of the reference.
    pub reference: Measured,
    /// Messages per second, handler by reference, turn by turn: the median.
    pub ratio: f64,
    /// Samples that failed, and were left out.
    pub failed: usize,
}

/// What is measured of a handler.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Messages per second of one core: the median of several turns.
    pub per_second: f64,
    /// From the component to a handler that is ready, with an empty cache.
    pub compile: Duration,
    /// The same where the compiled code is in the cache.
    pub cached: Duration,
    /// A fresh instance with its first message: the median.
    pub first: Duration,
    /// The memory of the largest instance.
    pub memory: usize,
}

/// Some records through one instance, in order.
fn job(records: Records, count: usize, headers: Arc<Headers>) -> Job {
    Job {
        range: 0..count.min(records.len()),
        records,
        headers,
        check: Arc::new(NoCheck),
        binding: "bench".into(),
        output_bytes: Job::OUTPUT_BYTES,
        is_whole: true,
    }
}

struct NoCheck;

impl Check for NoCheck {
    fn check(&self, _outcome: &Outcome) -> Result<(), Fault> {
        Ok(())
    }
}

/// Measures the handlers of a manifest's bindings.
///
/// # Errors
/// What keeps one from being measured.
pub async fn bench(wish: &Wish) -> Result<Vec<Figures>, Error> {
    let path = load::file(&wish.manifest);
    let (manifest, _) = embed::read(&path)?;
    let mut figures = Vec::new();
    for binding in chosen(&manifest, wish.binding.as_deref())? {
        let samples = Samples::read(binding, &path, wish.input.as_deref())?;
        let Some(settings) = manifest.plugins.get(&binding.plugin) else {
            return Err(Error::new(ErrorKind::Internal, format!("plugin `{}` is not in the manifest", binding.plugin)));
        };
        let host = host::start_with(NonZeroUsize::MIN, host::cache_dir())?;
        let (started, reference) = (Started::load(settings, &host)?, Started::load(&reference(), &host)?);

        let headers = Arc::new(binding.headers.clone());
        let (sound, failed) = sound(&host, &started.plugin, &samples, &headers).await?;
        let handler = Lane { host: &host, started, records: samples.records(&sound), headers };
        let orders = (0..BATCH).map(|_| order()).collect::<Vec<_>>().into();
        let beside = Lane { host: &host, started: reference, records: orders, headers: Arc::new(Headers::None) };
        let rates = race(&handler, &beside).await?;
        let (rates, ratios): (Vec<(f64, f64)>, Vec<f64>) =
            rates.into_iter().map(|(own, other)| ((own, other), own / other)).unzip();
        let (own, other): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
        let bytes = settings.component.file().and_then(|path| path.metadata().ok()).map(|facts| facts.len());
        figures.push(Figures {
            binding: binding.name.clone(),
            plugin: binding.plugin.clone(),
            digest: handler.started.plugin.digest().to_owned(),
            bytes,
            handler: handler.measured(median(own)).await?,
            reference: beside.measured(median(other)).await?,
            ratio: median(ratios),
            failed,
        });
    }
    Ok(figures)
}

fn timed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<(Duration, T), Error> {
    let start = Instant::now();
    work().map(|done| (start.elapsed(), done))
}

fn reference() -> Settings {
    Settings {
        name: "reference".to_owned(),
        component: Component::BuiltIn(BuiltIn::JsonToRows),
        sha256: None,
        config: REFERENCE.to_owned(),
        limits: PluginLimits { memory: 64 << 20, cpu: Duration::from_secs(1) },
        instances: Instances::PerBatch,
    }
}

fn order() -> Record {
    let at = At { topic: "orders".into(), partition: 0, offset: 0, timestamp_ms: Some(0), leader_epoch: None };
    Record::copy(at, Some(b"9007199254740993"), Some(ORDER), &[], |_| Permit::free())
}

/// Returns as many samples as a batch takes, over and over, without those that fail; and how many these are.
async fn sound(
    host: &Host,
    plugin: &Arc<Plugin>,
    samples: &Samples,
    headers: &Arc<Headers>,
) -> Result<(Vec<usize>, usize), Error> {
    let all: Vec<usize> = (0..samples.len()).collect();
    let (records, headers) = (samples.records(&all), headers.clone());
    let handled = host.handle(plugin, job(records, all.len(), headers)).await;
    let handled = handled.map_err(|error| Error::new(ErrorKind::Plugin, error.to_string()))?;
    let is_sound = |index: &usize| handled.get(*index).is_some_and(|handled| handled.result.is_ok());
    let sound: Vec<usize> = all.into_iter().filter(is_sound).collect();
    if sound.is_empty() {
        let message = format!("every sample of `{}` fails; see why with `forebay plugin test`", samples.file);
        return Err(Error::new(ErrorKind::Plugin, message));
    }
    let failed = samples.len() - sound.len();
    Ok((sound.into_iter().cycle().take(BATCH).collect(), failed))
}

/// A plugin, and how long it took to load.
struct Started {
    settings: Settings,
    plugin: Arc<Plugin>,
    compile: Duration,
    cached: Duration,
}

impl Started {
    fn load(settings: &Settings, host: &Host) -> Result<Self, Error> {
        let (compile, _) = timed(|| load::plugin(settings, &host::start_with(NonZeroUsize::MIN, None)?))?;
        // Now it is in the cache, whether or not it was before.
        load::plugin(settings, host)?;
        let (cached, plugin) = timed(|| load::plugin(settings, host))?;
        Ok(Self { settings: settings.clone(), plugin, compile, cached })
    }
}

/// Records that run through one plugin again and again.
struct Lane<'h> {
    host: &'h Host,
    started: Started,
    records: Records,
    headers: Arc<Headers>,
}

impl Lane<'_> {
    async fn run(&self, plugin: &Arc<Plugin>, count: usize) -> Result<Duration, Error> {
        let (records, headers) = (self.records.clone(), self.headers.clone());
        let job = job(records, count, headers);
        let start = Instant::now();
        let handled = self.host.handle(plugin, job).await;
        handled.map_err(|error| Error::new(ErrorKind::Plugin, error.to_string()))?;
        Ok(start.elapsed())
    }

    async fn measured(&self, per_second: f64) -> Result<Measured, Error> {
        let Started { settings: _, plugin, compile, cached } = &self.started;
        let first = self.first().await?;
        Ok(Measured { per_second, compile: *compile, cached: *cached, first, memory: plugin.peak_memory_bytes() })
    }

    /// Returns the time of a message that has an instance to itself.
    async fn first(&self) -> Result<Duration, Error> {
        let settings = Settings { instances: Instances::PerBatch, ..self.started.settings.clone() };
        let fresh = load::plugin(&settings, self.host)?;
        let mut times = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            times.push(self.run(&fresh, 1).await?.as_secs_f64());
        }
        Ok(Duration::from_secs_f64(median(times)))
    }

    /// Returns the messages per second of one turn.
    async fn turn(&self) -> Result<f64, Error> {
        let (mut count, mut spent) = (0, 0.0);
        while spent < TURN.as_secs_f64() {
            spent += self.run(&self.started.plugin, BATCH).await?.as_secs_f64();
            count += BATCH;
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 messages")]
        let count = count as f64;
        Ok(count / spent)
    }
}

async fn race(handler: &Lane<'_>, reference: &Lane<'_>) -> Result<Vec<(f64, f64)>, Error> {
    // The first turn of each warms caches and branches, and does not count.
    handler.turn().await?;
    reference.turn().await?;
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rates.push((handler.turn().await?, reference.turn().await?));
    }
    Ok(rates)
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_unstable_by(f64::total_cmp);
    list.get(list.len() / 2).copied().unwrap_or_default()
}
