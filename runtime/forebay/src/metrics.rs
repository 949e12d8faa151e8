//! Every metric's name, in one place.

use std::collections::{HashMap, HashSet};

use forebay_core::fault::Fault;
use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// More distinct codes than this are counted as `other`.
const CODES_MAX: usize = 50;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    /// Messages behind the log's end.
    pub lag_messages: IntGaugeVec,
    /// Age of the first record that is not terminal.
    pub lag_seconds: GaugeVec,
    /// Everything below it is terminal.
    pub position_offset: IntGaugeVec,
    /// Records by terminal state.
    pub records: IntCounterVec,
    failures: IntCounterVec,
    /// Waits before the same was tried again.
    pub retries: IntCounterVec,
    /// Rows by target and operation.
    pub rows: IntCounterVec,
    /// Messages published, once acknowledged.
    pub publishes: IntCounterVec,
    /// From a record's timestamp to its terminal state.
    pub staleness_seconds: HistogramVec,
    /// What the stages of a batch take.
    pub batch_seconds: HistogramVec,
    /// How large batches are.
    pub batch_records: HistogramVec,
    /// 1 for the state a lane is in.
    pub lane_state: IntGaugeVec,
    /// Rebalances by kind.
    pub rebalances: IntCounterVec,
    /// 1 for the version in force.
    pub plugin_info: IntGaugeVec,
    /// The largest instance of the last minute.
    pub guest_memory_bytes: IntGaugeVec,
    /// Bytes in memory between Kafka and their terminal state.
    pub buffered_bytes: IntGauge,
    /// A sink's breaker: 0 closed, 1 open, 2 half-open.
    pub breaker_state: IntGaugeVec,
    /// This process's share of a binding's rate.
    pub rate_limit: GaugeVec,
    /// The records that the governor lets be under way.
    pub governor_limit: GaugeVec,
    /// The records that are.
    pub governor_under_way: IntGaugeVec,
    codes: Mutex<HashMap<String, HashSet<String>>>,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// Never, unless two of them have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let lane = ["binding", "group", "topic", "partition"];
        let seconds = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let ages = vec![0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0];
        let counts = vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0];
        let r = &registry;
        Ok(Self {
            lag_messages: add(r, IntGaugeVec::new(opts("lag_messages", "messages behind the log's end"), &lane)?)?,
            lag_seconds: add(
                r,
                GaugeVec::new(opts("lag_seconds", "now less the timestamp of the first record not terminal"), &lane)?,
            )?,
            position_offset: add(
                r,
                IntGaugeVec::new(opts("position_offset", "everything below it is terminal"), &lane)?,
            )?,
            records: counter(r, "records_total", "records by terminal state", &["binding", "topic", "state"])?,
            failures: counter(r, "failures_total", "dead letters by class and code", &["binding", "class", "code"])?,
            retries: counter(r, "retries_total", "waits before the same was tried again", &["binding", "class"])?,
            rows: counter(r, "rows_total", "rows written by target and operation", &["binding", "target", "op"])?,
            publishes: counter(r, "publishes_total", "messages published and acknowledged", &["binding", "target"])?,
            staleness_seconds: histogram(
                r,
                "staleness_seconds",
                "from a record's timestamp to applied",
                ages,
                &["binding"],
            )?,
            batch_seconds: histogram(
                r,
                "batch_seconds",
                "what the stages of a batch take",
                seconds,
                &["binding", "stage"],
            )?,
            batch_records: histogram(r, "batch_records", "records in a batch", counts, &["binding"])?,
            lane_state: add(
                r,
                IntGaugeVec::new(
                    opts("lane_state", "1 for the state a lane is in"),
                    &["binding", "topic", "partition", "state"],
                )?,
            )?,
            rebalances: counter(r, "rebalances_total", "rebalances by kind", &["group", "kind"])?,
            plugin_info: add(r, IntGaugeVec::new(opts("plugin_info", "the version in force"), &["plugin", "digest"])?)?,
            guest_memory_bytes: add(
                r,
                IntGaugeVec::new(opts("guest_memory_bytes", "the largest instance of the last minute"), &["plugin"])?,
            )?,
            buffered_bytes: add(
                r,
                IntGauge::with_opts(opts("buffered_bytes", "bytes between Kafka and their terminal state"))?,
            )?,
            breaker_state: gauge(r, "breaker_state", "0 closed, 1 open, 2 half-open", "sink")?,
            rate_limit: share(r, "rate_limit_records_per_second", "this process's share of the rate")?,
            governor_limit: share(r, "governor_limit_records", "records that may be under way to the sink")?,
            governor_under_way: gauge(r, "governor_under_way_records", "records under way to the sink", "binding")?,
            codes: Mutex::default(),
            registry,
        })
    }

    /// Counts a dead letter. Codes beyond the first fifty of a binding are `other`.
    pub fn failure(&self, binding: &str, fault: &Fault) {
        let mut codes = self.codes.lock();
        let known = codes.entry(binding.to_owned()).or_default();
        let has_room = known.len() < CODES_MAX;
        let code = if known.contains(&fault.code) || (has_room && known.insert(fault.code.clone())) {
            &fault.code
        } else {
            "other"
        };
        self.failures.with_label_values(&[binding, fault.class.as_str(), code]).inc();
    }

    /// Returns how many records reached a terminal state.
    pub fn records_in_all(&self) -> u64 {
        let families = self.records.collect();
        let counts =
            families.iter().flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count below 2^53")]
        let sum = counts.sum::<f64>() as u64;
        sum
    }

    /// Returns everything as Prometheus text 0.0.4.
    ///
    /// # Errors
    /// Where a metric can not be written.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut buffer = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer).into_owned())
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("forebay_{name}"), help)
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(registry: &Registry, name: &str, help: &str, label: &str) -> Result<IntGaugeVec, prometheus::Error> {
    add(registry, IntGaugeVec::new(opts(name, help), &[label])?)
}

/// A gauge of each binding that is no whole number.
fn share(registry: &Registry, name: &str, help: &str) -> Result<GaugeVec, prometheus::Error> {
    add(registry, GaugeVec::new(opts(name, help), &["binding"])?)
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    add(registry, IntCounterVec::new(opts(name, help), labels)?)
}

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: Vec<f64>,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts::new(format!("forebay_{name}"), help).buckets(buckets);
    add(registry, HistogramVec::new(opts, labels)?)
}
