//! A dead letter as it lies in its topic: where its record came from, what was wrong with it, and the record again, byte
//! for byte. Whoever wrote it, its headers are data from outside: what can not be understood is missing, and nothing panics.

mod families;
mod family;
mod filter;
mod returns;
mod sieve;
mod stale;
mod tally;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::budget::Permit;
use crate::dead_letter::returned_to;
use crate::letter::families::Said;
use crate::record::{At, RawHeader, Record};

pub use family::Family;
pub use filter::Filter;
pub use sieve::{Pick, Sieve};
pub use stale::{Guarded, guard};
pub use tally::{Count, Group, NONE, Tally};

/// A record of a dead-letter topic, read.
#[derive(Debug)]
pub struct Letter {
    /// Who wrote it.
    pub family: Family,
    /// Where its record lay, `None` where the headers do not say so, or say nothing that can be.
    pub origin: Option<Origin>,
    /// The failure's class.
    pub class: Option<String>,
    /// The failure's code; the exception's class where Java wrote it.
    pub code: Option<String>,
    /// What went wrong, as a sentence.
    pub message: Option<String>,
    /// The binding that wrote it.
    pub binding: Option<String>,
    /// The plugin that handled the record.
    pub plugin: Option<String>,
    /// The digest of the plugin's component.
    pub digest: Option<String>,
    /// When it was decided.
    pub failed_at: Option<Timestamp>,
    /// What tells repeats of it from other letters, with [`Letter::redrives`].
    pub id: Option<String>,
    /// How often the record was sent back before.
    pub redrives: u32,
    /// How often the record was run.
    pub delivery_count: Option<u32>,
    /// Whether its value was too large for this topic, and lies in the sink.
    pub is_value_kept: bool,
    record: Record,
    /// For each header, whether it was the original record's.
    is_original: Box<[bool]>,
}

/// Where a record lay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The consumer group that read it.
    pub group: Option<String>,
}

impl Letter {
    /// Reads a record of a dead-letter topic. A record that is no letter of a known family is one all the same, of
    /// [`Family::Unknown`].
    pub fn parse(record: Record) -> Self {
        let headers: Vec<RawHeader<'_>> = record.headers().collect();
        let (family, start) = families::recognise(&headers);
        let is_original = headers.iter().enumerate().map(|(index, (name, _))| match family {
            Family::Unknown => true,
            Family::Forebay => index < start,
            Family::Kafka | Family::Spring | Family::Connect => !family.has(name),
        });
        let mut is_original: Box<[bool]> = is_original.collect();
        let own = headers.get(start..).unwrap_or_default();
        let Said {
            origin,
            class,
            code,
            message,
            binding,
            plugin,
            digest,
            failed_at,
            id,
            redrives,
            runs,
            is_value_kept,
        } = Said::of(family, own);
        let came_back = origin.as_ref().filter(|_| family != Family::Forebay);
        let came_back = came_back.and_then(|origin| take_count(&origin.topic, &headers, &mut is_original));
        Self {
            family,
            origin,
            class,
            code,
            message,
            binding,
            plugin,
            digest,
            failed_at,
            id,
            redrives: came_back.or(redrives).unwrap_or(0),
            delivery_count: runs,
            is_value_kept,
            is_original,
            record,
        }
    }

    /// Returns its partition in the dead-letter topic.
    pub fn partition(&self) -> i32 {
        self.record.partition
    }

    /// Returns its offset in the dead-letter topic.
    pub fn offset(&self) -> i64 {
        self.record.offset
    }

    /// Returns the record of the dead-letter topic.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the key.
    pub fn key(&self) -> Option<&[u8]> {
        self.record.key()
    }

    /// Returns the value; `None` for a tombstone, and where [`Letter::is_value_kept`].
    pub fn value(&self) -> Option<&[u8]> {
        self.record.value()
    }

    /// Returns the headers that the original record had, in their order.
    pub fn original_headers(&self) -> impl Iterator<Item = RawHeader<'_>> {
        self.headers(true)
    }

    /// Returns the headers that were added to say what went wrong.
    pub fn added_headers(&self) -> impl Iterator<Item = RawHeader<'_>> {
        self.headers(false)
    }

    /// Returns when the record failed; the letter's own timestamp where that is not said.
    pub fn at(&self) -> Option<Timestamp> {
        let written = || self.record.timestamp_ms.and_then(|time| Timestamp::from_millisecond(time).ok());
        self.failed_at.or_else(written)
    }

    /// Returns the original record, `None` where nobody says where it lay. A value that is kept elsewhere is given here.
    pub fn original(&self, kept: Option<&[u8]>, permit: impl FnOnce(usize) -> Permit) -> Option<Record> {
        let Origin { topic, partition, offset, timestamp_ms, group: _ } = self.origin.as_ref()?;
        let (topic, timestamp_ms) = (topic.as_str().into(), *timestamp_ms);
        let at = At { topic, partition: *partition, offset: *offset, timestamp_ms, leader_epoch: None };
        let headers: Vec<RawHeader<'_>> = self.original_headers().collect();
        Some(Record::copy(at, self.key(), kept.or(self.value()), &headers, permit))
    }

    fn headers(&self, original: bool) -> impl Iterator<Item = RawHeader<'_>> {
        let all = self.record.headers().zip(&self.is_original);
        all.filter(move |(_, is)| **is == original).map(|(header, _)| header)
    }
}

/// A record that we sent back and another program failed at brings our two headers as the last of its own: they are no
/// more the original's, and say how often it came back.
fn take_count(topic: &str, headers: &[RawHeader<'_>], is_original: &mut [bool]) -> Option<u32> {
    let own: Vec<usize> = is_original.iter().enumerate().filter_map(|(index, is)| is.then_some(index)).collect();
    let originals: Vec<RawHeader<'_>> = own.iter().filter_map(|index| headers.get(*index).copied()).collect();
    let count = returned_to(topic, &originals)?;
    for index in own.iter().rev().take(2) {
        is_original.get_mut(*index).into_iter().for_each(|is| *is = false);
    }
    Some(count)
}
