//! The model of a topic: a log with holes for each partition, the group's offsets, and what was sent elsewhere.

use std::collections::BTreeMap;

use forebay_core::budget::Permit;
use forebay_core::fault::{Class, Fault};
use forebay_core::outcome::{Effect, Handled, Outcome, Publish};
use forebay_core::record::{At, Record};

pub const PARTITIONS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Row,
    Publish,
    Skip,
    /// The handler traps on it.
    Poison,
    /// The database refuses it.
    Refused,
    /// It needs a row that comes later.
    Orphan,
    /// Fails like its neighbours until the plugin is mended.
    Alike,
}

#[derive(Default)]
pub struct Broker {
    /// Offsets that hold a record.
    pub logs: [Vec<i64>; PARTITIONS],
    /// The log's end, over holes and markers.
    pub ends: [i64; PARTITIONS],
    pub group: [Option<i64>; PARTITIONS],
    /// How often each message arrived, by its id.
    pub sent: BTreeMap<String, u32>,
}

impl Broker {
    pub fn append(&mut self, partition: usize, is_hole: bool) {
        if !is_hole {
            self.logs[partition].push(self.ends[partition]);
        }
        self.ends[partition] += 1;
    }

    pub fn records(&self, partition: usize, from: i64, most: usize) -> Vec<Record> {
        let log = &self.logs[partition];
        let start = log.partition_point(|offset| *offset < from);
        log[start..].iter().take(most).map(|offset| record(partition, *offset)).collect()
    }
}

fn record(partition: usize, offset: i64) -> Record {
    let at = At { topic: "t".into(), partition: partition as i32, offset, timestamp_ms: None, leader_epoch: Some(1) };
    Record::copy(at, None, Some(b"0123456789"), &[], |_| Permit::free())
}

/// What a record is, by its place alone.
pub fn kind(partition: usize, offset: i64) -> Kind {
    let mixed = (offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(partition as u64 * 77) >> 32;
    if partition == 1 && (40..75).contains(&(offset % 200)) {
        return Kind::Alike;
    }
    match mixed % 40 {
        0 => Kind::Poison,
        1 => Kind::Refused,
        2 => Kind::Orphan,
        3..6 => Kind::Skip,
        6..14 => Kind::Publish,
        _ => Kind::Row,
    }
}

/// The handler: pure, but for the version that is loaded.
pub fn handle(record: &Record, is_mended: bool, version: u32) -> Handled {
    let fault = |site: String| Fault { class: Class::Trap, code: "unreachable".into(), message: String::new(), site };
    let result = match kind(record.partition as usize, record.offset) {
        Kind::Poison => Err(fault(format!("at {}", record.offset))),
        Kind::Alike if !is_mended => Err(fault("everywhere".into())),
        // Says who computed it.
        Kind::Skip => Ok(Outcome::Skip(version.to_string())),
        Kind::Publish => {
            let (key, value, headers, metadata) = (None, Some(vec![1]), Vec::new(), Vec::new());
            Ok(Outcome::Ok(vec![Effect::Publish(Publish { target: "out".into(), key, value, headers, metadata })]))
        }
        Kind::Row | Kind::Refused | Kind::Orphan | Kind::Alike => Ok(Outcome::Ok(Vec::new())),
    };
    Handled { result, runs: 1 }
}
