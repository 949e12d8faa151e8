//! Records that reached their terminal state: one place for the log and the metrics.

use forebay_core::lane::{Fate, Write, fate};
use forebay_core::outbox::Outgoing;
use forebay_sink::Committed;
use jiff::Timestamp;
use tracing::debug;

use crate::consumer::binding::{Binding, Prepared};
use crate::metrics::Metrics;

/// Counts what a transaction committed.
pub(super) fn committed(
    binding: &Binding,
    prepared: &Prepared,
    write: &Write,
    committed: &Committed,
    metrics: &Metrics,
) {
    let name = binding.settings.name.as_str();
    let now_ms = Timestamp::now().as_millisecond();
    // Collected here and added at once: every observation of its own would be a shared counter's.
    let staleness = metrics.staleness_seconds.with_label_values(&[name]).local();
    let (mut applied, mut skipped, mut dead_lettered) = (0, 0, 0);
    let both = write.records.iter().zip(write.handled.iter()).enumerate();
    for (index, (record, handled)) in both.take(committed.written.done).skip(write.from) {
        match fate(handled, committed.refused.get(&index)) {
            Fate::Applied(_) => {
                applied += 1;
                if let Some(timestamp) = record.timestamp_ms {
                    #[expect(clippy::cast_precision_loss, reason = "an age in milliseconds is far below 2^53")]
                    staleness.observe((now_ms - timestamp).max(0) as f64 / 1000.0);
                }
            }
            Fate::Skipped(reason) => {
                skipped += 1;
                debug!(topic = %record.topic, partition = record.partition, offset = record.offset, reason, "record skipped");
            }
            Fate::DeadLettered(fault) => {
                dead_lettered += 1;
                metrics.failure(name, &fault);
                let (class, code) = (fault.class.as_str(), &fault.code);
                debug!(topic = %record.topic, partition = record.partition, offset = record.offset, class, code, "record dead-lettered");
            }
        }
    }
    staleness.flush();
    let topic = write.records.first().map(|record| record.topic.to_string()).unwrap_or_default();
    for (state, count) in [("applied", applied), ("skipped", skipped), ("dead-lettered", dead_lettered)] {
        if count > 0 {
            metrics.records.with_label_values(&[name, topic.as_str(), state]).inc_by(count);
        }
    }
    for ((target, op), count) in &committed.rows {
        if let Some(target) = prepared.targets.get(*target) {
            metrics.rows.with_label_values(&[name, target.name.as_str(), op.as_str()]).inc_by(*count as u64);
        }
    }
    if dead_lettered > 0 {
        tracing::warn!(binding = name, topic, records = dead_lettered, "records dead-lettered");
    }
}

/// Counts what Kafka acknowledged.
pub(super) fn sent(binding: &Binding, prepared: &Prepared, messages: &[Outgoing], metrics: &Metrics) {
    for message in messages.iter().filter(|message| !message.is_letter) {
        let target = prepared.targets.iter().find(|target| match &target.kind {
            forebay_core::plan::target::TargetKind::Topic(topic) => topic.topic == message.topic,
            forebay_core::plan::target::TargetKind::Table(_) => false,
        });
        if let Some(target) = target {
            metrics.publishes.with_label_values(&[binding.settings.name.as_str(), target.name.as_str()]).inc();
        }
    }
}
