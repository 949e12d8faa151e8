//! Letters through one binding's handler and sink.

use std::sync::Arc;

use forebay_core::budget::Permit;
use forebay_core::dead_letter::Origin;
use forebay_core::lane::{Fate, Settled, Write, fate};
use forebay_core::letter::{Letter, guard};
use forebay_core::outbox::Outgoing;
use forebay_core::outcome::{Handled, Outcome, Outcomes};
use forebay_core::policy::alike::Run;
use forebay_core::records::Records;
use forebay_core::verdict::Verdict;
use forebay_kafka::Producer;
use forebay_plugin_host::Job;
use forebay_sink::{Database, LaneKey, Redriven, WriteContext, failpoint};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::cli::dlq::kept::Body;
use crate::cli::dlq::redrive::end::End;
use crate::cli::dlq::redrive::patience::{SEND, not_sent, patiently};
use crate::cli::dlq::redrive::{Rules, is_of};
use crate::cli::dlq::which::Place;
use crate::consumer::{Binding, Prepared, send};
use crate::error::{Error, ErrorKind};
use forebay_core::manifest::settings::Manifest;

/// SQLSTATEs, and SQLite's names, of a row whose key or unique value is there.
const IS_THERE: [&str; 3] = ["23505", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"];

/// One binding at work.
pub(super) struct Drive {
    binding: Binding,
    prepared: Arc<Prepared>,
    sink: Database,
    producer: Producer,
    /// Where its decisions stand in the outbox: nobody's lane.
    key: LaneKey,
    rules: Rules,
}

impl Drive {
    pub(super) async fn start(binding: Binding, producer: &Producer, topic: &str, rules: Rules) -> Result<Self, Error> {
        let Some(sink) = binding.needs.sink.clone() else {
            return Err(Error::new(ErrorKind::Internal, "a binding without a table is not redriven"));
        };
        let prepared = patiently(async || binding.prepare().await).await?;
        let group = format!("{} (redrive)", binding.settings.group);
        let key = LaneKey { source: binding.needs.source.clone(), group, topic: topic.to_owned(), partition: 0 };
        Ok(Self { binding, prepared, sink, producer: producer.clone(), key, rules })
    }

    pub(super) fn is_for(&self, letter: &Letter) -> bool {
        is_of(&self.binding.settings, letter)
    }

    /// Sends what an earlier run has decided and did not come to send; returns whether there was any.
    pub(super) async fn finish_what_was_cut_short(&self) -> Result<bool, Error> {
        let LaneKey { source, group, .. } = &self.key;
        let left = patiently(async || self.sink.unsent(source, group).await).await?;
        let any = !left.is_empty();
        for unsent in left {
            self.send(&unsent.key, unsent.next, unsent.messages).await?;
        }
        Ok(any)
    }

    /// Whether an earlier run has redriven it.
    pub(super) async fn knows(&self, letter: &Letter) -> Result<bool, Error> {
        let ids = [letter.memory()];
        Ok(!patiently(async || self.sink.redriven(&ids).await).await?.is_empty())
    }

    /// Redrives one letter.
    pub(super) async fn letter(&self, manifest: &Manifest, place: &Place<'_>, letter: &Letter) -> Result<End, Error> {
        let body = Body::find(manifest, place, letter).await?;
        if let Body::Lost(why) = body {
            return Ok(End::Lost(why));
        }
        let kept = match &body {
            Body::Kept { value, .. } => value.as_deref(),
            Body::Own | Body::Lost(_) => None,
        };
        let Some(record) = letter.original(kept, |_| Permit::free()) else { return Ok(End::Foreign) };
        let records = Records::from(vec![record]);
        let handled = self.run(&records).await?;
        let (handled, is_guarded) = match (&handled.result, self.rules.allow_stale) {
            (Ok(Outcome::Ok(effects)), false) => match guard(effects, &self.prepared.targets) {
                Ok(guarded) => {
                    let result = Ok(Outcome::Ok(guarded.effects));
                    (Handled { result, runs: handled.runs }, guarded.is_changed)
                }
                Err(target) => return Ok(End::Stale(format!("it changes or removes a row of `{target}`"))),
            },
            _ => (handled, false),
        };
        if self.rules.dry_run {
            return Ok(end_of(&fate(&handled, None)));
        }
        self.apply(letter, records, handled, is_guarded).await
    }

    async fn run(&self, records: &Records) -> Result<Handled, Error> {
        let plugin = &self.binding.needs.plugin;
        let handled = patiently(async || {
            let job = Job {
                records: records.clone(),
                range: 0..1,
                headers: self.binding.headers.clone(),
                check: self.prepared.check.clone(),
                binding: self.prepared.origin.binding.as_str().into(),
                output_bytes: Job::OUTPUT_BYTES,
                is_whole: true,
            };
            self.binding.needs.host.handle(plugin, job).await.map_err(|error| error.verdict(plugin.name()))
        });
        let lost = || Error::new(ErrorKind::Internal, "the plugin host answered without an outcome");
        handled.await?.pop().ok_or_else(lost)
    }

    async fn apply(&self, letter: &Letter, records: Records, handled: Handled, is_guarded: bool) -> Result<End, Error> {
        let id = letter.memory();
        let binding = self.binding.settings.name.clone();
        let origin = Origin { redrives: letter.redrives + 1, ..Origin::clone(&self.prepared.origin) };
        let handled = Arc::new(Outcomes::new(vec![handled], |_| Permit::free()));
        let write = Write {
            records,
            handled: handled.clone(),
            from: 0,
            // What waits for another record has waited among the dead letters.
            attempt: u32::MAX,
            epoch: 0,
            expected: letter.offset(),
            next: letter.offset() + 1,
            leader_epoch: None,
            run: Run::default(),
            flood: None,
            settled: Settled::default(),
        };
        let context = WriteContext {
            key: LaneKey { partition: letter.partition(), ..self.key.clone() },
            targets: self.prepared.targets.clone(),
            origin: Arc::new(origin),
            retry: self.binding.settings.retry,
            notes_version: false,
            redriven: Some(Redriven { id, binding, is_guarded }),
        };
        let mut context = context;
        let committed = loop {
            let written = patiently(async || match self.sink.write(&context, &write, Timestamp::now()).await {
                // Neither is for waiting.
                Err(Verdict::Record(fault)) => Ok(Err(Some(fault))),
                Err(Verdict::Fenced) => Ok(Err(None)),
                other => other.map(Ok),
            });
            match (written.await?, &mut context.redriven) {
                (Ok(committed), _) => break committed,
                (Err(None), _) => return Ok(End::Known),
                // Another command may have applied this very letter just now.
                (Err(Some(fault)), _) if IS_THERE.contains(&fault.code.as_str()) => {
                    if self.knows(letter).await? {
                        return Ok(End::Known);
                    }
                    return Ok(End::Stale(format!("a row of its key is there ({})", fault.site)));
                }
                // It would be refused as what it was, too: it fails again.
                (Err(Some(_)), Some(redriven)) if redriven.is_guarded => redriven.is_guarded = false,
                (Err(Some(fault)), _) => return Err(Error::new(ErrorKind::Internal, fault.message)),
            }
        };
        if !committed.written.outgoing.is_empty() {
            self.send(&context.key, write.next, committed.written.outgoing.clone()).await?;
        }
        let ended = handled.first().map(|handled| end_of(&fate(handled, committed.refused.get(&0))));
        ended.ok_or_else(|| Error::new(ErrorKind::Internal, "a letter without an outcome"))
    }

    async fn send(&self, key: &LaneKey, next: i64, messages: Arc<Vec<Outgoing>>) -> Result<(), Error> {
        let why = Mutex::new(None);
        failpoint::pass("before-send");
        let sent = send::send(&self.producer, messages, |trouble| *why.lock() = trouble);
        let Ok(Some(refused)) = tokio::time::timeout(SEND, sent).await else {
            return Err(not_sent(why.into_inner()));
        };
        failpoint::pass("after-send");
        if refused.is_empty() {
            patiently(async || self.sink.sent(key, next).await).await
        } else {
            patiently(async || self.sink.keep(key, next).await).await
        }
    }
}

fn end_of(fate: &Fate<'_>) -> End {
    match fate {
        Fate::Applied(effects) => End::Applied(effects.to_vec()),
        Fate::Skipped(reason) => End::Skipped((*reason).to_owned()),
        Fate::DeadLettered(fault) => {
            End::Failed(fault.class.as_str().to_owned(), fault.code.clone(), fault.message.clone())
        }
    }
}
