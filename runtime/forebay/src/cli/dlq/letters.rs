//! The letters of one topic, one after the other.

use std::collections::VecDeque;
use std::vec;

use forebay_core::letter::{Filter, Letter, Pick, Sieve};
use forebay_core::manifest::settings::Kafka;
use forebay_core::record::Record;
use forebay_kafka::{Admin, Partition, Scan, Stretch};
use jiff::{SignedDuration, Timestamp};

use crate::cli::check::of_kafka;
use crate::cli::dlq::progress::Progress;
use crate::cli::dlq::usage;
use crate::cli::dlq::which::Place;
use crate::error::{Error, ErrorKind};

/// A letter is written after its record failed, by a clock that may be another one.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// The letters that are meant, each once. Those of a partition come in the order of their offsets; where only some are
/// wanted, partitions come one after the other as well.
pub(super) struct Letters<'a> {
    kafka: &'a Kafka,
    group: &'a str,
    topic: &'a str,
    sieve: Sieve,
    /// What is still to be read, and together.
    rest: VecDeque<Vec<Stretch>>,
    scan: Option<Scan>,
    records: vec::IntoIter<Record>,
    progress: Progress,
}

impl<'a> Letters<'a> {
    /// Asks what the topic holds.
    pub(super) async fn open(kafka: &'a Kafka, place: &Place<'a>, filter: Filter) -> Result<Self, Error> {
        let admin = Admin::start(kafka).map_err(|error| of_kafka(&error))?;
        let topic = place.topic;
        let stretches = stretches(&admin, topic, &filter).await?;
        let total = stretches.iter().map(|stretch| stretch.until - stretch.from).sum();
        let rest = match filter.limit {
            Some(_) => stretches.into_iter().map(|stretch| vec![stretch]).collect(),
            None => VecDeque::from([stretches]),
        };
        Ok(Self {
            kafka,
            group: place.group,
            topic,
            sieve: Sieve::new(Filter { not_of: place.others.clone(), ..filter }),
            rest,
            scan: None,
            records: Vec::new().into_iter(),
            progress: Progress::new(topic, total),
        })
    }

    /// Returns the next letter, `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Letter>, Error> {
        while !self.sieve.is_full() {
            for record in self.records.by_ref() {
                let letter = Letter::parse(record);
                if self.sieve.pick(&letter) == Pick::Taken {
                    return Ok(Some(letter));
                }
            }
            if !self.fetch().await? {
                break;
            }
        }
        self.scan = None;
        self.progress.end();
        Ok(None)
    }

    /// Returns how many were taken, and how many of them came again.
    pub(super) fn sieve(&self) -> &Sieve {
        &self.sieve
    }

    /// Fetches more records, if there are any.
    async fn fetch(&mut self) -> Result<bool, Error> {
        loop {
            let scan = match &mut self.scan {
                Some(scan) => scan,
                None => {
                    let Some(stretches) = self.rest.pop_front() else { return Ok(false) };
                    let scan = Scan::start(self.kafka, self.group, self.topic, &stretches);
                    self.scan.insert(scan.map_err(|error| of_kafka(&error))?)
                }
            };
            let chunk = scan.next().await.map_err(|error| of_kafka(&error))?;
            self.progress.look(scan.progress());
            match chunk {
                Some(records) => {
                    self.records = records.into_iter();
                    return Ok(true);
                }
                None => {
                    self.progress.keep();
                    self.scan = None;
                }
            }
        }
    }
}

/// Returns the parts of the topic where letters that are meant may lie, and there is something.
async fn stretches(admin: &Admin, topic: &str, filter: &Filter) -> Result<Vec<Stretch>, Error> {
    let failed = |error: forebay_kafka::Error| of_kafka(&error);
    let facts = admin.describe(topic).await.map_err(failed)?.ok_or_else(|| {
        let sentence = format!("topic `{topic}` does not exist; create it or correct the manifest");
        Error::new(ErrorKind::Config, sentence)
    })?;
    let count = facts.partitions;
    if let Some(partition) = filter.partition.filter(|partition| !(0..count).contains(partition)) {
        let last = count - 1;
        return Err(usage(format!("topic `{topic}` has no partition {partition}; it has 0 to {last}")));
    }
    let since = filter.since.map(|since| since.checked_sub(CLOCKS).unwrap_or(Timestamp::MIN).as_millisecond());
    let mut stretches = Vec::new();
    for partition in (0..count).filter(|partition| filter.partition.is_none_or(|wanted| wanted == *partition)) {
        let at = Partition { topic: topic.into(), partition };
        let log = admin.watermarks(&at).await.map_err(failed)?;
        let (mut from, mut until) = (log.low, log.high);
        if let Some(since) = since {
            from = from.max(admin.offset_for_time(&at, since).await.map_err(failed)?);
        }
        if let Some(offset) = filter.offset {
            from = from.max(offset);
            until = until.min(offset.saturating_add(1));
        }
        if from < until {
            stretches.push(Stretch { partition, from, until });
        }
    }
    Ok(stretches)
}
