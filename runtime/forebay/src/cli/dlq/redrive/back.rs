//! Letters back to the topic they came from: at least once, under the same id.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::dead_letter::REDRIVES_HEADER;
use forebay_core::letter::{Letter, Origin};
use forebay_core::manifest::settings::{self, Manifest};
use forebay_core::outbox::{ID_HEADER, Outgoing};
use forebay_kafka::{Admin, Producer};
use forebay_sink::{Database, failpoint};
use parking_lot::Mutex;

use crate::cli::check::of_kafka;
use crate::cli::dlq::kept::Body;
use crate::cli::dlq::redrive::end::End;
use crate::cli::dlq::redrive::gauge::Gauge;
use crate::cli::dlq::redrive::patience::{SEND, not_sent, patiently};
use crate::cli::dlq::redrive::tally::Tally;
use crate::cli::dlq::redrive::{Rules, is_of};
use crate::cli::dlq::which::Place;
use crate::consumer::send;
use crate::error::{Error, ErrorKind};
use crate::telemetry;

/// This many letters are sent, and then remembered, together; no more than a second's where a rate is given.
const CHUNK: u32 = 100;

/// The way back.
pub(super) struct Back<'a> {
    manifest: &'a Manifest,
    place: &'a Place<'a>,
    admin: Admin,
    producer: Producer,
    /// How many partitions topics have; none where there is no such topic.
    partitions: HashMap<String, i32>,
    /// Each binding that is meant, and what remembers its letters.
    memories: Vec<(&'a settings::Binding, Option<Database>)>,
    rules: Rules,
    chunk: usize,
    waiting: Vec<(usize, Letter, Outgoing)>,
}

impl<'a> Back<'a> {
    pub(super) fn start(
        manifest: &'a Manifest,
        place: &'a Place<'a>,
        producer: Producer,
        rules: Rules,
    ) -> Result<Self, Error> {
        let admin = Admin::start(&manifest.kafka).map_err(|error| of_kafka(&error))?;
        let mut memories = Vec::new();
        for binding in &place.bindings {
            let sink = binding.sink().and_then(|sink| manifest.sinks.get(sink)).map(Database::new).transpose();
            let sink = sink.map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
            if sink.is_none() && !rules.dry_run {
                telemetry::warn(&format!(
                    "binding `{}` has no table: nothing remembers what goes back, and the next run sends it again",
                    binding.name
                ));
            }
            memories.push((*binding, sink));
        }
        let (partitions, waiting) = (HashMap::new(), Vec::new());
        let chunk = rules.rate.map_or(CHUNK, |rate| rate.get().min(CHUNK));
        let chunk = usize::try_from(chunk).unwrap_or(1);
        Ok(Self { manifest, place, admin, producer, partitions, memories, rules, chunk, waiting })
    }

    pub(super) async fn letter(&mut self, letter: Letter, gauge: &mut Gauge, tally: &mut Tally) -> Result<(), Error> {
        let end = match self.memories.iter().position(|(binding, _)| is_of(binding, &letter)) {
            None => End::Foreign,
            Some(_) if letter.is_used_up(self.rules.max_redrives) => End::UsedUp,
            Some(index) if self.knows(index, &letter).await? => End::Known,
            Some(index) => {
                gauge.pass().await;
                match self.message(&letter).await? {
                    Ok(message) if self.rules.dry_run => End::Returned(message.topic.to_string()),
                    Ok(message) => {
                        self.waiting.push((index, letter, message));
                        return if self.waiting.len() >= self.chunk { self.flush(tally).await } else { Ok(()) };
                    }
                    Err(end) => end,
                }
            }
        };
        tally.add(&letter, &end);
        Ok(())
    }

    /// Returns how many partitions a topic has.
    async fn partitions(&mut self, topic: &str) -> Result<i32, Error> {
        if let Some(count) = self.partitions.get(topic) {
            return Ok(*count);
        }
        let facts = self.admin.describe(topic).await.map_err(|error| of_kafka(&error))?;
        let count = facts.map_or(0, |facts| facts.partitions);
        self.partitions.insert(topic.to_owned(), count);
        Ok(count)
    }

    async fn knows(&self, index: usize, letter: &Letter) -> Result<bool, Error> {
        let Some((_, Some(memory))) = self.memories.get(index) else { return Ok(false) };
        patiently(async || memory.ledger_id().await).await?;
        let ids = [letter.memory()];
        Ok(!patiently(async || memory.redriven(&ids).await).await?.is_empty())
    }

    async fn message(&mut self, letter: &Letter) -> Result<Result<Outgoing, End>, Error> {
        let Some(Origin { topic, partition, .. }) = &letter.origin else { return Ok(Err(End::Foreign)) };
        // Nobody takes it there: the others would wait for it in vain.
        if *partition >= self.partitions(topic).await? {
            return Ok(Err(End::Lost(format!("topic `{topic}` has no partition {partition}"))));
        }
        let body = Body::find(self.manifest, self.place, letter).await?;
        if let Body::Lost(why) = body {
            return Ok(Err(End::Lost(why)));
        }
        let copied = letter.original_headers().map(|(name, value)| (copy(name), value.map(copy)));
        let mut headers: Vec<(Bytes, Option<Bytes>)> = copied.collect();
        let id = letter.memory();
        let id = id.rsplit_once('#').map_or(id.as_str(), |(id, _)| id).to_owned();
        for (name, value) in [(ID_HEADER, id), (REDRIVES_HEADER, (letter.redrives + 1).to_string())] {
            headers.push((Bytes::from_static(name.as_bytes()), Some(Bytes::from(value))));
        }
        Ok(Ok(Outgoing {
            topic: topic.as_str().into(),
            partition: Some(*partition),
            key: letter.key().map(copy),
            value: body.of(letter).map(copy),
            headers,
            is_letter: false,
        }))
    }

    /// Sends what waits, and remembers it once it is acknowledged.
    pub(super) async fn flush(&mut self, tally: &mut Tally) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let messages: Vec<Outgoing> = waiting.iter().map(|(_, _, message)| message.clone()).collect();
        let why = Mutex::new(None);
        failpoint::pass("before-send");
        let sent = send::send(&self.producer, Arc::new(messages), |trouble| *why.lock() = trouble);
        let refused = match tokio::time::timeout(SEND, sent).await {
            Ok(Some(refused)) => refused,
            Ok(None) | Err(_) => return Err(not_sent(why.into_inner())),
        };
        failpoint::pass("after-send");
        for (index, (binding, memory)) in self.memories.iter().enumerate() {
            let is_own = |(of, _, message): &&(usize, Letter, Outgoing)| *of == index && !refused.contains(message);
            let ids: Vec<String> = waiting.iter().filter(is_own).map(|(_, letter, _)| letter.memory()).collect();
            if let Some(memory) = memory.as_ref().filter(|_| !ids.is_empty()) {
                patiently(async || memory.remember(&ids, &binding.name).await).await?;
            }
        }
        for (_, letter, message) in &waiting {
            let is_refused = refused.contains(message);
            let lost = || End::Lost("its topic does not take a message as large".to_owned());
            tally.add(letter, &if is_refused { lost() } else { End::Returned(message.topic.to_string()) });
        }
        Ok(())
    }
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
