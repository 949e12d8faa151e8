//! Records that reached their terminal state, for somebody who watches each of them: `forebay dev`.

use std::sync::Arc;

use bytes::Bytes;
use forebay_core::fault::Fault;
use forebay_core::lane::{Fate, Write, fate};
use forebay_core::outcome::Effect;
use forebay_core::plan::target::{TargetKind, Targets};
use forebay_sink::{Change, Committed};
use tokio::sync::mpsc;
use tracing::error;

/// One record and what became of it.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its terminal state.
    pub state: Ended,
    /// The rows before and after; those of the whole transaction stand with its last record.
    pub changes: Vec<Change>,
    /// What is published for it.
    pub publishes: Vec<Published>,
}

/// A record's terminal state.
#[derive(Debug, Clone)]
pub enum Ended {
    /// Its effects are applied.
    Applied,
    /// The handler ignored it, and why.
    Skipped(String),
    /// It is a dead letter.
    DeadLettered(Fault),
}

/// A message that a handler publishes.
#[derive(Debug, Clone)]
pub struct Published {
    /// The topic.
    pub topic: Arc<str>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
}

/// Where terminal records are told. Whoever watches keeps no more records under way than there is room for here.
pub type Observer = mpsc::Sender<Terminal>;

/// Tells the records of a transaction.
pub(super) fn tell(observer: &Observer, targets: &Targets, write: &Write, committed: &Committed) {
    let both = write.records.iter().zip(write.handled.iter()).enumerate();
    let last = committed.written.done.checked_sub(1);
    for (index, (record, handled)) in both.take(committed.written.done).skip(write.from) {
        let (state, publishes) = match fate(handled, committed.refused.get(&index)) {
            Fate::Applied(effects) => (Ended::Applied, published(effects, targets)),
            Fate::Skipped(reason) => (Ended::Skipped(reason.to_owned()), Vec::new()),
            Fate::DeadLettered(fault) => (Ended::DeadLettered(fault.into_owned()), Vec::new()),
        };
        let changes = if Some(index) == last { committed.changes.clone() } else { Vec::new() };
        let (topic, partition, offset) = (record.topic.clone(), record.partition, record.offset);
        let terminal = Terminal { topic, partition, offset, state, changes, publishes };
        if observer.try_send(terminal).is_err() {
            error!("a terminal record could not be told: nobody watches any more");
        }
    }
}

fn published(effects: &[Effect], targets: &Targets) -> Vec<Published> {
    let publishes = effects.iter().filter_map(|effect| match effect {
        Effect::Publish(publish) => Some(publish),
        _ => None,
    });
    let told = publishes.filter_map(|publish| {
        let target = targets.get(targets.index(&publish.target)?)?;
        let TargetKind::Topic(topic) = &target.kind else { return None };
        let (key, value) = (publish.key.clone().map(Bytes::from), publish.value.clone().map(Bytes::from));
        Some(Published { topic: topic.topic.clone(), key, value })
    });
    told.collect()
}
