//! How a lane gets its position: what the broker knows, what the ledger knows, and the table that decides.

use std::sync::Arc;

use forebay_core::lane::Acquired;
use forebay_core::lane::position::{GroupOffset, Question};
use forebay_core::manifest::settings::Start;
use forebay_core::verdict::{Cause, Reason, Verdict};
use forebay_kafka::{Committed, Partition, Watermark};
use forebay_sink::{AcquireRequest, LaneKey};

use crate::consumer::binding::{Binding, Prepared};

/// A lane's row, with what the binding needs to work on it.
pub(super) struct Granted {
    /// For the lane.
    pub(super) acquired: Acquired,
    /// What servers said of the binding.
    pub(super) prepared: Arc<Prepared>,
}

/// Asks everything anew, but for the group's offset where it is known: a halt that a person mended is seen at the next
/// probe.
pub(super) async fn acquire(
    binding: &Binding,
    at: &Partition,
    owner: &str,
    known: Option<Option<Committed>>,
) -> Result<Granted, Verdict> {
    let prepared = binding.prepare().await?;
    let admin = &binding.needs.admin;
    let committed = match known {
        Some(known) if binding.needs.sink.is_some() => known,
        _ => {
            let asked = admin.committed(&binding.settings.group, std::slice::from_ref(at)).await;
            asked.map_err(|error| error.verdict())?.into_iter().next().flatten()
        }
    };
    let log = admin.watermarks(at).await.map_err(|error| error.verdict())?;
    let start_offset = start_offset(binding, at, log).await?;
    // Of all its topics: this process may own no partition of some, and a reload may bring a rate.
    for topic in &binding.settings.topics {
        if binding.pace.wants_total(topic) {
            let facts = admin.describe(topic).await.map_err(|error| error.verdict())?;
            facts.into_iter().for_each(|facts| binding.pace.total(topic, facts.partitions));
        }
    }
    let acquired = match (&binding.needs.sink, &prepared.ledger_id) {
        (Some(sink), Some(ledger_id)) => {
            let request = request(binding, at, owner, ledger_id, (committed, log, start_offset)).await?;
            let acquired = sink.acquire(&request).await?;
            // Before the first record: a pause outlives every restart.
            let wanted = sink.wanted(&binding.needs.source, &binding.settings.group).await?;
            binding.steering.take(wanted.get(&binding.settings.name).cloned().unwrap_or_default());
            acquired
        }
        _ => {
            let leader_epoch = committed.as_ref().and_then(|committed| committed.leader_epoch);
            let position = of_group(binding, at, committed, log, start_offset)?;
            Acquired { epoch: 0, position, leader_epoch, is_decided: false, after_death: None, resend: Vec::new() }
        }
    };
    Ok(Granted { acquired, prepared })
}

async fn request(
    binding: &Binding,
    at: &Partition,
    owner: &str,
    ledger_id: &str,
    (committed, log, start_offset): (Option<Committed>, Watermark, i64),
) -> Result<AcquireRequest, Verdict> {
    let admin = &binding.needs.admin;
    let Some(facts) = admin.describe(&at.topic).await.map_err(|error| error.verdict())? else {
        let message = format!("topic `{}` does not exist any more; create it or correct the manifest", at.topic);
        return Err(Verdict::Unavailable(Cause::new(Reason::Kafka, message)));
    };
    let cluster_id = admin.cluster_id().await.map_err(|error| error.verdict())?;
    Ok(AcquireRequest {
        key: key(binding, at),
        owner: owner.to_owned(),
        question: Question {
            topic: at.topic.to_string(),
            partition: at.partition,
            group: binding.settings.group.clone(),
            binding: binding.settings.name.clone(),
            ledger_id: ledger_id.to_owned(),
            cluster_id: Some(cluster_id),
            topic_id: facts.id,
            log: (log.low, log.high),
            start: binding.settings.start,
        },
        group_offset: committed.map(|committed| GroupOffset {
            offset: committed.offset,
            metadata: committed.metadata.unwrap_or_default(),
        }),
        start_offset,
        partitions: facts.partitions,
        plugin_digest: binding.needs.plugin.digest().to_owned(),
    })
}

/// A partition's key in the ledger.
pub(super) fn key(binding: &Binding, at: &Partition) -> LaneKey {
    LaneKey {
        source: binding.needs.source.clone(),
        group: binding.settings.group.clone(),
        topic: at.topic.to_string(),
        partition: at.partition,
    }
}

async fn start_offset(binding: &Binding, at: &Partition, log: Watermark) -> Result<i64, Verdict> {
    match binding.settings.start {
        Start::Earliest | Start::Error => Ok(log.low),
        Start::Latest => Ok(log.high),
        Start::Timestamp(time) => binding.needs.admin.offset_for_time(at, time).await.map_err(|error| error.verdict()),
    }
}

/// Without a ledger the group's offset is the position, and what is outside the log halts as well.
fn of_group(
    binding: &Binding,
    at: &Partition,
    committed: Option<Committed>,
    log: Watermark,
    start_offset: i64,
) -> Result<i64, Verdict> {
    let halt = |message: String| Err(Verdict::Misconfigured(Cause::new(Reason::Position, message)));
    let (topic, partition, group) = (&at.topic, at.partition, &binding.settings.group);
    match committed {
        None if binding.settings.start == Start::Error => halt(format!(
            "{topic}/{partition} has no offset in group `{group}`, and the manifest says start = \"error\""
        )),
        None => Ok(start_offset),
        Some(Committed { offset, .. }) if !(log.low..=log.high).contains(&offset) => halt(format!(
            "the offset {offset} of group `{group}` is outside the log of {topic}/{partition} ({} to {}); stop the group's \
             processes, and set it: `forebay position set {} --topic {topic} --partition {partition} --to earliest` (or latest, or \
             an offset)",
            log.low, log.high, binding.settings.name
        )),
        Some(Committed { offset, .. }) => Ok(offset),
    }
}
