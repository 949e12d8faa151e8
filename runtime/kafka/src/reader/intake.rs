//! One assigned partition as the thread sees it: what is being collected, and where reading stands.

use std::sync::Arc;
use std::time::Instant;

use forebay_core::budget::Budget;
use forebay_core::record::{At, Record};

use super::pressure::{CHUNK_BYTES, CHUNK_RECORDS, Load};
use crate::event::{Fetched, Partition, Start, StopCause};
use crate::feed::Inlet;
use crate::raw::{Item, Message};
use crate::verdict::Code;

/// From assign to revoke.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) at: Partition,
    pub(super) assignment: u64,
    /// Counts the seeks.
    pub(super) generation: u64,
    /// Where this generation was told to start; `None` for the log's beginning.
    pub(super) start: Option<i64>,
    /// The lowest offset that is still to come, once it is known. What is below is not taken a second time.
    pub(super) next: Option<i64>,
    pub(super) is_paused: bool,
    /// Whether a record or the log's end has come since it was assigned.
    pub(super) is_flowing: bool,
    /// Whether reading failed and waits for a new position.
    pub(super) is_stopped: bool,
    /// A position that the client could not be given yet.
    pub(super) wanted: Option<(Start, Instant)>,
    /// When something last came, or something was done about it.
    pub(super) last_sign: Instant,
    pub(super) inlet: Inlet,
    /// The name in this partition's records and nowhere else, so that its count tells how many of them are alive.
    record_topic: Arc<str>,
    chunk: Vec<Record>,
    chunk_bytes: usize,
}

impl Intake {
    pub(super) fn new(at: Partition, assignment: u64, start: Option<i64>, inlet: Inlet) -> Self {
        Self {
            record_topic: Arc::from(&*at.topic),
            at,
            assignment,
            generation: 0,
            start,
            next: start,
            is_paused: false,
            is_flowing: false,
            is_stopped: false,
            wanted: None,
            last_sign: Instant::now(),
            inlet,
            chunk: Vec::new(),
            chunk_bytes: 0,
        }
    }

    /// Returns whether this is the partition of that name and number.
    pub(super) fn is(&self, topic: &[u8], partition: i32) -> bool {
        self.at.partition == partition && self.at.topic.as_bytes() == topic
    }

    /// Takes a record. Returns whether the chunk is full.
    pub(super) fn take(&mut self, message: &Message<'_>, budget: &Budget) -> bool {
        let offset = message.offset();
        if self.is_stopped || self.next.is_some_and(|next| offset < next) {
            return false;
        }
        self.next = Some(offset + 1);
        self.is_flowing = true;
        let mut headers = Vec::new();
        message.headers(&mut headers);
        let at = At {
            topic: Arc::clone(&self.record_topic),
            partition: self.at.partition,
            offset,
            timestamp_ms: message.timestamp_ms(),
            leader_epoch: message.leader_epoch(),
        };
        let record = Record::copy(at, message.key(), message.value(), &headers, |bytes| budget.take(bytes));
        self.chunk_bytes += record.bytes_held();
        self.chunk.push(record);
        self.chunk.len() >= CHUNK_RECORDS || self.chunk_bytes >= CHUNK_BYTES
    }

    /// Hands the open chunk on.
    pub(super) fn flush(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        self.last_sign = Instant::now();
        let next = Vec::with_capacity(self.chunk.len());
        let records = std::mem::replace(&mut self.chunk, next);
        let bytes = std::mem::take(&mut self.chunk_bytes);
        self.inlet.put(Fetched::Records { generation: self.generation, records }, bytes);
    }

    /// Takes the log's end: nothing below it is missing.
    pub(super) fn end(&mut self, offset: i64) {
        if self.is_stopped || self.next.is_some_and(|next| offset < next) {
            return;
        }
        self.flush();
        self.next = Some(offset);
        self.is_flowing = true;
        self.last_sign = Instant::now();
        self.inlet.put(Fetched::End { generation: self.generation, offset }, 0);
    }

    /// Gives up on the current position until another is asked for.
    pub(super) fn stop(&mut self, offset: Option<i64>, cause: StopCause, code: Code, reason: String) {
        if self.is_stopped {
            return;
        }
        self.flush();
        self.is_stopped = true;
        self.inlet.put(Fetched::Stopped { generation: self.generation, offset, cause, code, reason }, 0);
    }

    /// Starts a new generation at `offset`; the client has been told.
    pub(super) fn restart(&mut self, offset: i64) {
        self.chunk.clear();
        self.chunk_bytes = 0;
        self.generation += 1;
        self.start = Some(offset);
        self.next = Some(offset);
        self.is_stopped = false;
        self.wanted = None;
        self.last_sign = Instant::now();
        self.inlet.restart(self.generation, offset);
    }

    /// Makes what has been fetched so far the answer to a wish to start at `offset`, if it is. Returns whether it is.
    pub(super) fn adopt(&mut self, offset: i64) -> bool {
        let is_there = self.start == Some(offset) && !self.is_stopped;
        let is_adopted = is_there && self.inlet.adopt(self.generation + 1, offset);
        if is_adopted {
            self.generation += 1;
            self.wanted = None;
        }
        is_adopted
    }

    /// Returns how this partition stands.
    pub(super) fn load(&self) -> Load {
        Load {
            waiting: self.inlet.bytes() + self.chunk_bytes,
            alive: Arc::strong_count(&self.record_topic) - 1,
            is_paused: self.is_paused,
            is_flowing: self.is_flowing,
            is_stopped: self.is_stopped,
        }
    }

    /// Returns the partition as an item of a call, at `offset`.
    pub(super) fn item(&self, offset: i64) -> Item {
        Item::new(&self.at.topic, self.at.partition, offset)
    }
}
