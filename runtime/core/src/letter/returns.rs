//! How often a letter may come back, and what it is remembered by.

use crate::letter::{Letter, Origin};

impl Letter {
    /// Returns what this letter is remembered by once it was redriven: the record, and which of its returns this is.
    pub fn memory(&self) -> String {
        let id = match (&self.id, &self.origin) {
            (Some(id), _) => id.clone(),
            (None, Some(Origin { topic, partition, offset, .. })) => format!("{topic}/{partition}/{offset}/dlq"),
            // Nobody says where it came from: it is remembered by where it lies.
            (None, None) => format!("{}/{}/{}", self.record().topic, self.partition(), self.offset()),
        };
        format!("{id}#{}", self.redrives)
    }

    /// Whether it was sent back as often as it may be.
    pub fn is_used_up(&self, max_redrives: u32) -> bool {
        self.redrives >= max_redrives
    }
}
