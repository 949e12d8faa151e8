//! Records that were fetched and are in no batch yet, in offset order.

use std::collections::VecDeque;
use std::time::Duration;

use crate::manifest::settings::BatchLimits;
use crate::record::Record;

#[derive(Debug, Default)]
pub(super) struct Queue {
    records: VecDeque<Record>,
    bytes: usize,
    /// When the first of them came; none while it is empty.
    since: Option<Duration>,
    /// When the last one came, be it gone by now.
    last: Option<Duration>,
    /// Whether the first one came after a pause that is longer than it would linger: nobody comes to join it.
    is_alone: bool,
}

impl Queue {
    pub(super) fn push(&mut self, record: Record, limits: &BatchLimits, now: Duration) {
        self.bytes += record.payload_bytes();
        if self.since.is_none() {
            self.is_alone = self.last.is_none_or(|last| now.saturating_sub(last) > limits.linger);
        }
        self.since.get_or_insert(now);
        self.last = Some(now);
        self.records.push_back(record);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Record> {
        self.records.front()
    }

    /// Returns whether a batch could be filled.
    pub(super) fn is_full(&self, limits: &BatchLimits) -> bool {
        self.records.len() >= limits.max_records.get() || self.bytes >= limits.max_bytes.get()
    }

    /// Returns when the first record has lingered long enough. After a pause it does not linger at all.
    pub(super) fn lingers_until(&self, limits: &BatchLimits) -> Option<Duration> {
        self.since.map(|since| if self.is_alone { since } else { since + limits.linger })
    }

    /// Takes the records of one batch: at least one, and no more than the limits allow.
    pub(super) fn take(&mut self, limits: &BatchLimits, now: Duration) -> Vec<Record> {
        let mut count = 0;
        let mut bytes = 0;
        for record in self.records.iter().take(limits.max_records.get()) {
            bytes += record.payload_bytes();
            if count > 0 && bytes > limits.max_bytes.get() {
                break;
            }
            count += 1;
        }
        let taken: Vec<Record> = self.records.drain(..count).collect();
        self.bytes -= taken.iter().map(Record::payload_bytes).sum::<usize>();
        // What stays behind has lingered already, but its time was not noted one by one.
        self.since = (!self.records.is_empty()).then_some(now);
        self.is_alone = false;
        taken
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        (self.bytes, self.since) = (0, None);
    }
}
