//! What ledger, group and log say of a binding's partitions.

use forebay_core::lane::position::{GroupOffset, LedgerRow, Question, Resolution, resolve};
use forebay_core::manifest::settings::{Binding, Manifest};
use forebay_core::verdict::Verdict;
use forebay_kafka::{Admin, Partition};
use forebay_sink::{Database, LaneKey, PositionRow, VersionAt};

use crate::cli::check::of_kafka;
use crate::cli::init::of_verdict;
use crate::cli::position::Which;
use crate::error::{Error, ErrorKind};

/// A binding's partitions as servers see them.
pub(super) struct Facts<'a> {
    pub(super) binding: &'a Binding,
    /// What the ledger calls the cluster.
    pub(super) source: &'a str,
    pub(super) admin: Admin,
    /// The database with the ledger, and the ledger's id; a binding without a table has neither.
    pub(super) ledger: Option<(Database, String)>,
    pub(super) partitions: Vec<PartitionFacts>,
}

/// One partition.
pub(super) struct PartitionFacts {
    pub(super) at: Partition,
    pub(super) row: Option<PositionRow>,
    /// Which versions of the plugin wrote it, the first one first.
    pub(super) versions: Vec<VersionAt>,
    pub(super) group: Option<GroupOffset>,
    pub(super) question: Question,
    /// How many partitions the topic has.
    pub(super) partitions: i32,
}

impl<'a> Facts<'a> {
    /// Asks all three. Where the database has no ledger yet, it is made if `makes_ledger`; looking alone changes nothing.
    pub(super) async fn gather(
        manifest: &'a Manifest,
        binding: &'a Binding,
        which: &Which,
        makes_ledger: bool,
    ) -> Result<Self, Error> {
        let admin = Admin::start(&manifest.kafka).map_err(|error| of_kafka(&error))?;
        let source = manifest.kafka.name.as_str();
        let failed = |verdict: Verdict| of_verdict(&verdict);
        let (mut ledger, mut rows, mut versions) = (None, Vec::new(), Vec::new());
        if let Some(sink) = binding.sink().and_then(|name| manifest.sinks.get(name)) {
            let sink = Database::new(sink).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
            let id = match makes_ledger {
                true => Some(sink.ledger_id().await.map_err(failed)?),
                false => sink.find_ledger().await.map_err(failed)?,
            };
            if id.is_some() {
                rows = sink.positions(source, &binding.group).await.map_err(failed)?;
                versions = sink.versions(source, &binding.group).await.map_err(failed)?;
            }
            ledger = Some((sink, id.unwrap_or_default()));
        }
        let ledger_id = ledger.as_ref().map(|(_, id)| id.clone()).unwrap_or_default();
        let mut partitions = partitions(&admin, binding, which, (rows, ledger_id)).await?;
        for one in &mut partitions {
            let own = versions.iter().filter(|version| *version.topic == *one.at.topic);
            one.versions = own.filter(|version| version.partition == one.at.partition).cloned().collect();
        }
        Ok(Self { binding, source, admin, ledger, partitions })
    }
}

async fn partitions(
    admin: &Admin,
    binding: &Binding,
    which: &Which,
    (rows, ledger_id): (Vec<PositionRow>, String),
) -> Result<Vec<PartitionFacts>, Error> {
    let cluster_id = admin.cluster_id().await.map_err(|error| of_kafka(&error))?;
    let mut meant = Vec::new();
    for topic in &binding.topics {
        let facts = admin.describe(topic).await.map_err(|error| of_kafka(&error))?.ok_or_else(|| {
            let sentence = format!("topic `{topic}` does not exist; create it or correct the manifest");
            Error::new(ErrorKind::Config, sentence)
        })?;
        let own = (0..facts.partitions).filter(|partition| which.has(topic, *partition));
        meant.extend(own.map(|partition| (topic.as_str(), partition, facts.id.clone(), facts.partitions)));
    }
    if meant.is_empty() {
        let sentence = format!("binding `{}` has no such partition; leave --partition out to see them", binding.name);
        return Err(Error::new(ErrorKind::Usage, sentence));
    }
    let places = meant.iter().map(|(topic, partition, ..)| Partition { topic: (*topic).into(), partition: *partition });
    let places: Vec<Partition> = places.collect();
    let committed = admin.committed(&binding.group, &places).await.map_err(|error| of_kafka(&error))?;
    let mut found = Vec::with_capacity(places.len());
    for ((at, committed), (_, _, topic_id, count)) in places.into_iter().zip(committed).zip(meant) {
        let log = admin.watermarks(&at).await.map_err(|error| of_kafka(&error))?;
        let row = rows.iter().find(|row| *row.topic == *at.topic && row.partition == at.partition).cloned();
        let group = committed.map(|committed| GroupOffset {
            offset: committed.offset,
            metadata: committed.metadata.unwrap_or_default(),
        });
        let question = Question {
            topic: at.topic.to_string(),
            partition: at.partition,
            group: binding.group.clone(),
            binding: binding.name.clone(),
            ledger_id: ledger_id.clone(),
            cluster_id: Some(cluster_id.clone()),
            topic_id,
            log: (log.low, log.high),
            start: binding.start,
        };
        let versions = Vec::new();
        found.push(PartitionFacts { at, row, versions, group, question, partitions: count });
    }
    Ok(found)
}

impl Facts<'_> {
    /// Whether the group's offset was set by Forebay with this ledger.
    pub(super) fn is_ours(&self, group: &GroupOffset) -> bool {
        self.ledger.as_ref().is_some_and(|(_, id)| group.is_of_ledger(id))
    }
}

impl PartitionFacts {
    /// Returns where it stands: in the ledger, or in the group where that is the position.
    pub(super) fn position(&self, facts: &Facts<'_>) -> Option<i64> {
        match &facts.ledger {
            Some(_) => self.ledger().map(|row| row.next_offset),
            None => self.group.as_ref().map(|group| group.offset),
        }
    }

    /// Returns the ledger's row, if there is one.
    pub(super) fn ledger(&self) -> Option<&LedgerRow> {
        self.row.as_ref().map(|row| &row.row)
    }

    /// Says what a process that acquires it now would do.
    pub(super) fn resolution(&self) -> Resolution {
        resolve(self.ledger(), self.group.as_ref(), &self.question)
    }

    /// Returns the partition's key in the ledger.
    pub(super) fn key(&self, source: &str) -> LaneKey {
        LaneKey {
            source: source.to_owned(),
            group: self.question.group.clone(),
            topic: self.question.topic.clone(),
            partition: self.at.partition,
        }
    }
}
