//! Records in a row that a batch, its computation and its transaction share; a batch that is cut shares them as well.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::record::Record;

/// Some records of a partition, in offset order.
#[derive(Debug, Clone, Default)]
pub struct Records {
    all: Arc<Vec<Record>>,
    range: Range<usize>,
}

impl Records {
    /// Cuts off what is at `index` and after it, and returns that.
    #[must_use]
    pub fn split_off(&mut self, index: usize) -> Self {
        let at = self.range.start.saturating_add(index).min(self.range.end);
        let rest = Self { all: Arc::clone(&self.all), range: at..self.range.end };
        self.range.end = at;
        rest
    }
}

impl From<Vec<Record>> for Records {
    fn from(records: Vec<Record>) -> Self {
        Self { range: 0..records.len(), all: Arc::new(records) }
    }
}

impl Deref for Records {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        self.all.get(self.range.clone()).unwrap_or_default()
    }
}
