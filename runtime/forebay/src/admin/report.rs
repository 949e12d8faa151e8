//! What the pages say: the status as JSON, and the gauges that are read when they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_core::lane::State;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::{STUCK, Site};
use crate::consumer::{Access, Binding};
use crate::status::{GroupView, LaneName, LaneView};

/// The status in the shape that is documented.
pub(super) fn status(site: &Site) -> Value {
    let lanes = site.board.lanes();
    let groups: BTreeMap<String, GroupView> = site.board.groups().into_iter().collect();
    let live = site.live.all();
    let bindings: Vec<Value> = live
        .iter()
        .map(|binding| {
            let settings = &binding.settings;
            // Without an assignment there is no partition that could say it.
            let trouble = groups.get(&settings.group).and_then(|view| view.trouble.as_ref());
            let own = lanes.iter().filter(|(name, _)| name.binding == settings.name);
            let partitions: Vec<Value> = own.map(|(name, view)| partition(site, name, view)).collect();
            json!({
                "name": settings.name, "group": settings.group, "plugin": settings.plugin,
                "digest": binding.needs.plugin.digest(), "paused": binding.steering.is_paused(),
                "why": trouble.map(|trouble| format!("kafka: {trouble}")), "partitions": partitions,
            })
        })
        .collect();
    let sinks: Vec<Value> = sinks(&live).iter().map(|(name, (kind, access))| sink(name, kind, access)).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"), "started_at": site.started_at.to_string(),
        "ready": site.board.not_ready(STUCK).is_empty(),
        "bindings": bindings, "sinks": sinks, "plugins": plugins(&live),
    })
}

/// Returns the sinks in use, each with what is told of access to it.
fn sinks(live: &[Arc<Binding>]) -> BTreeMap<&str, (&'static str, &Access)> {
    let both = live.iter().filter_map(|binding| Some((binding.needs.sink.as_ref()?, binding.access()?)));
    both.map(|(sink, access)| (sink.name(), (sink.kind(), access))).collect()
}

fn sink(name: &str, kind: &str, access: &Access) -> Value {
    let latency = access.latency();
    let seconds = latency.map(|(p50, p99)| json!({ "p50": p50.as_secs_f64(), "p99": p99.as_secs_f64() }));
    json!({ "name": name, "kind": kind, "breaker": access.breaker().as_str(), "latency_seconds": seconds })
}

fn partition(site: &Site, name: &LaneName, view: &LaneView) -> Value {
    let now_ms = Timestamp::now().as_millisecond();
    json!({
        "topic": name.topic, "partition": name.partition, "state": view.state().as_str(),
        "position": view.status.position, "committed": view.committed, "end": view.end,
        "lag_messages": view.lag_messages(), "lag_seconds": view.lag_seconds(now_ms),
        "retention_left_seconds": Value::Null, "why": view.why(site.board.now()),
    })
}

fn plugins(live: &[Arc<Binding>]) -> Vec<Value> {
    let mut plugins: Vec<_> = live.iter().map(|binding| &binding.needs.plugin).collect();
    plugins.sort_by_key(|plugin| plugin.name().to_owned());
    plugins.dedup_by_key(|plugin| plugin.name().to_owned());
    plugins
        .into_iter()
        .map(|plugin| json!({ "name": plugin.name(), "digest": plugin.digest(), "world": plugin.world() }))
        .collect()
}

/// Sets the gauges to what is true now.
pub(super) fn gather(site: &Site) {
    let metrics = &site.metrics;
    // Lanes that went away must not stay in the figures.
    metrics.lag_messages.reset();
    metrics.lag_seconds.reset();
    metrics.position_offset.reset();
    metrics.lane_state.reset();
    let now_ms = Timestamp::now().as_millisecond();
    for (name, view) in site.board.lanes() {
        let partition = name.partition.to_string();
        let labels = [name.binding.as_str(), view.group.as_str(), name.topic.as_str(), partition.as_str()];
        if let Some(lag) = view.lag_messages() {
            metrics.lag_messages.with_label_values(&labels).set(lag);
        }
        if let Some(lag) = view.lag_seconds(now_ms) {
            metrics.lag_seconds.with_label_values(&labels).set(lag);
        }
        if let Some(position) = view.status.position {
            metrics.position_offset.with_label_values(&labels).set(position);
        }
        let state = view.state();
        for each in State::ALL {
            let labels = [name.binding.as_str(), name.topic.as_str(), partition.as_str(), each.as_str()];
            metrics.lane_state.with_label_values(&labels).set(i64::from(each == state));
        }
    }
    // A version that is no longer in force must not stay either.
    metrics.plugin_info.reset();
    metrics.guest_memory_bytes.reset();
    let live = site.live.all();
    for binding in live.iter() {
        let plugin = &binding.needs.plugin;
        metrics.plugin_info.with_label_values(&[plugin.name(), plugin.digest()]).set(1);
        let memory = i64::try_from(plugin.peak_memory_bytes()).unwrap_or(i64::MAX);
        metrics.guest_memory_bytes.with_label_values(&[plugin.name()]).set(memory);
    }
    metrics.breaker_state.reset();
    for (name, (_, access)) in sinks(&live) {
        metrics.breaker_state.with_label_values(&[name]).set(access.breaker().number());
    }
    metrics.rate_limit.reset();
    metrics.governor_limit.reset();
    metrics.governor_under_way.reset();
    for binding in live.iter() {
        let labels = [binding.settings.name.as_str()];
        if let Some(rate) = binding.pace.rate() {
            metrics.rate_limit.with_label_values(&labels).set(rate);
        }
        if let Some(governed) = binding.pace.governed() {
            metrics.governor_limit.with_label_values(&labels).set(governed.limit);
            let under_way = i64::try_from(governed.under_way).unwrap_or(i64::MAX);
            metrics.governor_under_way.with_label_values(&labels).set(under_way);
        }
    }
    let outcomes: usize = live.iter().map(|binding| binding.room_used()).sum();
    metrics.buffered_bytes.set(i64::try_from(site.budget.used() + outcomes).unwrap_or(i64::MAX));
}
