//! A binding with what servers say of it: its targets' tables and topics, the dead-letter topic, the ledger.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::dead_letter::{LetterTopic, Origin};
use forebay_core::fault::Fault;
use forebay_core::manifest::settings::{self, BatchLimits, DeadLetter, TargetKind as Kind};
use forebay_core::outcome::Outcome;
use forebay_core::plan::check;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableTarget, Target, TargetKind, Targets, TopicTarget};
use forebay_core::verdict::{Cause, Reason, Verdict};
use forebay_kafka::{Admin, TopicFacts};
use forebay_plugin_host::{Check, Host, Plugin};
use forebay_sink::{BindingKey, Database, Wish};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::info;

use crate::consumer::access::{Access, Share};
use crate::consumer::join::Joiner;
use crate::consumer::pace::Pace;
use crate::consumer::room::Room;
use crate::consumer::steering::Steering;

/// The tables are not looked at again more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a topic takes where the broker does not tell.
const MESSAGE_MAX: usize = 1_048_588;

/// What a binding works with.
#[derive(Clone)]
pub struct Needs {
    /// Runs handlers.
    pub host: Arc<Host>,
    /// The binding's plugin.
    pub plugin: Arc<Plugin>,
    /// The binding's database, if it has a table.
    pub sink: Option<Database>,
    /// Asks the cluster.
    pub admin: Admin,
    /// What the ledger calls the cluster.
    pub source: String,
}

/// A binding.
pub struct Binding {
    /// What the manifest says.
    pub settings: settings::Binding,
    /// Its name, for whoever shares with others.
    pub(super) name: Arc<str>,
    /// The headers that the handler gets.
    pub headers: Arc<settings::Headers>,
    /// What it works with.
    pub needs: Needs,
    /// What is wanted of it.
    pub steering: Arc<Steering>,
    /// How fast it may go.
    pub pace: Arc<Pace>,
    /// Its share of the sink.
    pub(super) share: Option<Arc<Share>>,
    /// Its lanes' small batches.
    pub(super) joiner: Arc<Joiner>,
    /// Room for what its handler makes of records.
    pub(super) room: Arc<Room>,
    prepared: parking_lot::Mutex<Option<Arc<Prepared>>>,
    /// Whoever asks first asks for all.
    asking: Mutex<()>,
    /// When the tables were looked at again for the last time.
    looked: parking_lot::Mutex<Option<Instant>>,
}

/// What servers said of a binding.
pub struct Prepared {
    /// What effects are checked and planned against.
    pub targets: Arc<Targets>,
    /// What letters and publishes say of their origin.
    pub origin: Arc<Origin>,
    /// The ledger's id, if there is a ledger.
    pub ledger_id: Option<String>,
    /// The check of the contract, for the plugin host.
    pub check: Arc<dyn Check>,
}

struct Contract(Arc<Targets>);

impl Check for Contract {
    fn check(&self, outcome: &Outcome) -> Result<(), Fault> {
        check::outcome(outcome, &self.0)
    }
}

impl Binding {
    /// Returns a binding that has asked no server yet.
    pub fn new(settings: settings::Binding, needs: Needs, room_bytes: usize) -> Self {
        let key =
            BindingKey { source: needs.source.clone(), group: settings.group.clone(), binding: settings.name.clone() };
        let steering = Steering::new(key, &settings.dead_letter);
        Self {
            pace: Arc::new(Pace::new(settings.rate, &settings.topics)),
            steering: Arc::new(steering),
            share: None,
            joiner: Arc::default(),
            room: Arc::new(Room::new(room_bytes)),
            name: settings.name.as_str().into(),
            headers: Arc::new(settings.headers.clone()),
            settings,
            needs,
            prepared: parking_lot::Mutex::default(),
            asking: Mutex::default(),
            looked: parking_lot::Mutex::default(),
        }
    }

    /// Lets it use its sink as one of several.
    pub(super) fn with_share(self, share: Option<Share>) -> Self {
        Self { share: share.map(Arc::new), ..self }
    }

    /// Returns its next version, under other settings or with another plugin, in the same room and with the same wishes. Asks
    /// the servers, so that it can take over at once.
    ///
    /// # Errors
    /// Where a server is away, or something that it names is not there.
    pub(super) async fn succeed(&self, settings: settings::Binding, plugin: Arc<Plugin>) -> Result<Self, Verdict> {
        let needs = Needs { plugin, ..self.needs.clone() };
        let next = Self {
            name: self.name.clone(),
            headers: Arc::new(settings.headers.clone()),
            settings,
            needs,
            steering: self.steering.clone(),
            pace: self.pace.clone(),
            share: self.share.clone(),
            joiner: self.joiner.clone(),
            room: self.room.clone(),
            prepared: parking_lot::Mutex::default(),
            asking: Mutex::default(),
            looked: parking_lot::Mutex::default(),
        };
        next.prepare().await?;
        Ok(next)
    }

    /// Keeps what is wanted of the one that it replaces: without a table nothing else knows of a pause.
    pub(super) fn with_wishes_of(mut self, known: &Self) -> Self {
        if self.steering.key() == known.steering.key() {
            self.steering = known.steering.clone();
        }
        self
    }

    /// Returns what servers said of it, if they were asked.
    pub(super) fn prepared(&self) -> Option<Arc<Prepared>> {
        self.prepared.lock().clone()
    }

    /// Returns the upper bounds of a batch.
    pub(super) fn batch(&self) -> BatchLimits {
        let mut batch = self.settings.batch;
        batch.max_bytes = batch.max_bytes.min(self.room.batch_bytes());
        batch.max_records = self.pace.batch_max().map_or(batch.max_records, |max| max.min(batch.max_records));
        batch
    }

    /// Changes what is wanted of it, for the whole group if there is a ledger.
    ///
    /// # Errors
    /// Where the ledger is away.
    pub async fn wish(&self, partition: Option<i32>, wish: &Wish) -> Result<(), Verdict> {
        match &self.needs.sink {
            Some(sink) => {
                sink.wish(self.steering.key(), partition, wish).await?;
                let wanted = sink.wanted(&self.needs.source, &self.settings.group).await?;
                self.steering.take(wanted.get(&self.settings.name).cloned().unwrap_or_default());
            }
            None => self.steering.change(partition, wish),
        }
        Ok(())
    }

    /// Says why a partition waits for the rate.
    pub(super) fn throttled(&self) -> Cause {
        let rate = |max: std::num::NonZeroU64| format!("{max}/s");
        let max = self.settings.rate.max.map(rate).unwrap_or_default();
        let own = self.pace.rate().unwrap_or_default();
        let message = format!(
            "the rate of {max} is used up, of which this process has {own:.1}/s; raise `rate.max` to go faster"
        );
        Cause::new(Reason::Rate, message)
    }

    /// Returns what is told of access to its sink.
    pub fn access(&self) -> Option<&Access> {
        self.share.as_deref().map(|share| &**share.access())
    }

    /// Returns the bytes that outcomes hold, those included that are being computed.
    pub fn room_used(&self) -> usize {
        self.room.used()
    }

    /// Asks the servers, once; later calls return what they said.
    ///
    /// # Errors
    /// Where a server is away, or something the manifest names is not there.
    pub async fn prepare(&self) -> Result<Arc<Prepared>, Verdict> {
        let _one_at_a_time = self.asking.lock().await;
        if let Some(prepared) = self.prepared() {
            return Ok(prepared);
        }
        let fresh = Arc::new(self.ask().await?);
        *self.prepared.lock() = Some(fresh.clone());
        Ok(fresh)
    }

    /// Asks the tables again, after a row did not fit them: a column may have come, or been widened, since. At most once a
    /// second, whatever the records look like.
    pub async fn grown(&self, known: &Arc<Prepared>) -> Option<Arc<Prepared>> {
        let _one_at_a_time = self.asking.lock().await;
        if let Some(current) = self.prepared().filter(|current| !Arc::ptr_eq(current, known)) {
            return Some(current);
        }
        if self.looked.lock().replace(Instant::now()).is_some_and(|last| last.elapsed() < LOOK_AGAIN) {
            return None;
        }
        let targets = self.targets().await.ok()?;
        if !is_looser(&known.targets, &targets) {
            return None;
        }
        info!(
            binding = self.settings.name,
            "the tables take more than before; rows are checked against them as they are now"
        );
        let targets = Arc::new(targets);
        let fresh = Arc::new(Prepared {
            check: Arc::new(Contract(targets.clone())),
            targets,
            origin: known.origin.clone(),
            ledger_id: known.ledger_id.clone(),
        });
        *self.prepared.lock() = Some(fresh.clone());
        Some(fresh)
    }

    async fn ask(&self) -> Result<Prepared, Verdict> {
        let letters = self.letters().await?;
        let targets = Arc::new(self.targets().await?);
        let ledger_id = match &self.needs.sink {
            Some(sink) => Some(sink.ledger_id().await?),
            None => None,
        };
        let origin = Arc::new(Origin {
            binding: self.settings.name.clone(),
            group: self.settings.group.clone(),
            plugin: self.settings.plugin.clone(),
            digest: self.needs.plugin.digest().to_owned(),
            letters,
            redrives: 0,
        });
        Ok(Prepared { check: Arc::new(Contract(targets.clone())), targets, origin, ledger_id })
    }

    async fn letters(&self) -> Result<Option<LetterTopic>, Verdict> {
        let DeadLetter::Topic { topic, create, .. } = &self.settings.dead_letter else { return Ok(None) };
        if *create && self.needs.admin.describe(topic).await.map_err(|error| error.verdict())?.is_none() {
            let source = self.settings.topics.first().map(String::as_str).unwrap_or_default();
            let partitions = self.topic(source).await?.partitions;
            info!(binding = self.settings.name, topic, partitions, "making the dead-letter topic");
            let settings = [("cleanup.policy", "delete")];
            self.needs.admin.create_topic(topic, partitions, &settings).await.map_err(|error| error.verdict())?;
        }
        let facts = self.topic(topic).await?;
        if is_compacted(&facts) {
            let message = format!(
                "the dead-letter topic `{topic}` is compacted, which erases letters and refuses those without a key; set its \
                 cleanup.policy to delete"
            );
            return Err(Verdict::Misconfigured(Cause::new(Reason::Kafka, message)));
        }
        Ok(Some(LetterTopic { topic: topic.as_str().into(), partitions: facts.partitions }))
    }

    async fn targets(&self) -> Result<Targets, Verdict> {
        let mut targets = Vec::with_capacity(self.settings.targets.len());
        for target in &self.settings.targets {
            let kind = match &target.kind {
                Kind::Table(table) => TargetKind::Table(Box::new(self.table(table).await?)),
                Kind::Topic(topic) => {
                    let facts = self.topic(topic).await?;
                    let max = facts.max_message_bytes.and_then(|max| usize::try_from(max).ok());
                    TargetKind::Topic(TopicTarget {
                        topic: topic.as_str().into(),
                        max_bytes: max.unwrap_or(MESSAGE_MAX),
                        is_compacted: is_compacted(&facts),
                    })
                }
            };
            targets.push(Target { name: target.name.clone(), kind });
        }
        Ok(Targets::new(targets))
    }

    async fn table(&self, table: &settings::Table) -> Result<TableTarget, Verdict> {
        let Some(sink) = &self.needs.sink else {
            let message = format!("binding `{}` has a table and no sink", self.settings.name);
            return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
        };
        let report = sink.table(table).await?;
        if let Some(fault) = report.faults.into_iter().next() {
            return Err(Verdict::Misconfigured(fault));
        }
        let joined = TableTarget::try_new(table.clone(), Arc::new(report.facts));
        joined.map_err(|error| Verdict::Misconfigured(Cause::new(Reason::Schema, error.to_string())))
    }

    async fn topic(&self, topic: &str) -> Result<TopicFacts, Verdict> {
        match self.needs.admin.describe(topic).await {
            Ok(Some(facts)) => Ok(facts),
            // A topic may still be made: it is waited for.
            Ok(None) => {
                let message = format!("topic `{topic}` does not exist; create it or correct the manifest");
                Err(Verdict::Unavailable(Cause::new(Reason::Kafka, message)))
            }
            Err(error) => Err(error.verdict()),
        }
    }
}

fn is_compacted(facts: &TopicFacts) -> bool {
    facts.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact"))
}

/// Whether what was known still fits, and more does: columns that came and may be left out, and columns that take more.
/// What became stricter is never taken over: it is the schema's fault, not the records'.
fn is_looser(known: &Targets, now: &Targets) -> bool {
    let tables = (0..known.len()).filter_map(|index| Some((known.table(index)?, now.table(index)?)));
    let mut has_more = false;
    for (known, now) in tables {
        for column in &now.facts.columns {
            match known.facts.columns.iter().find(|before| before.name == column.name) {
                Some(before) if before == column => {}
                Some(before) if takes_more(before, column) => has_more = true,
                None if column.is_nullable || column.has_default => has_more = true,
                Some(_) | None => return false,
            }
        }
    }
    has_more
}

fn takes_more(before: &ColumnFacts, now: &ColumnFacts) -> bool {
    use ColumnKind::{Float4, Float8, Int2, Int4, Int8, Numeric, Text};
    let is_wider = match (before.kind, now.kind) {
        (before, now) if before == now => true,
        (Int2, Int4 | Int8)
        | (Int4, Int8)
        | (Float4, Float8)
        | (Text(Some(_)), Text(None))
        | (Numeric(Some(_)), Numeric(None)) => true,
        (Text(Some(before)), Text(Some(now))) | (Numeric(Some(before)), Numeric(Some(now))) => now >= before,
        _ => false,
    };
    let is_freer = now.is_nullable >= before.is_nullable && now.has_default >= before.has_default;
    is_wider && is_freer && now.is_generated == before.is_generated
}
