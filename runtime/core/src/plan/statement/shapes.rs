//! Sets of columns, each known by a number: rows of one set go into one statement.

use std::collections::HashMap;

/// All sets of columns of a plan.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    list: Vec<Box<[u32]>>,
    numbers: HashMap<Box<[u32]>, u32>,
    /// Rows come in runs of one shape.
    last: usize,
}

impl Shapes {
    /// Returns the number of a row's columns, which are sorted.
    pub(super) fn number(&mut self, columns: impl ExactSizeIterator<Item = u32> + Clone) -> u32 {
        if let Some(last) = self.list.get(self.last)
            && last.len() == columns.len()
            && columns.clone().eq(last.iter().copied())
        {
            return number(self.last);
        }
        let columns: Box<[u32]> = columns.collect();
        let found = self.numbers.get(&columns).copied().unwrap_or_else(|| {
            let number = number(self.list.len());
            self.numbers.insert(columns.clone(), number);
            self.list.push(columns);
            number
        });
        self.last = found as usize;
        found
    }

    /// Returns the columns of a number.
    pub(super) fn columns(&self, number: u32) -> &[u32] {
        self.list.get(number as usize).map(|columns| &**columns).unwrap_or_default()
    }
}

/// There are fewer sets than rows in a batch.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
