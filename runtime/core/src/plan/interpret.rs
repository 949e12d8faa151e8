//! The row-by-row oracle: tables in memory, changed one effect at a time, in order. It is naive on purpose: property
//! tests and tests against real databases hold the planner's statements against it.

use std::collections::BTreeMap;

use crate::manifest::settings::{Missing, OnConflict};
use crate::outcome::{Effect, Value};
use crate::plan::check::{Op, row_of};
use crate::plan::key;
use crate::plan::target::{TableTarget, Targets};

/// A row by column index.
pub type Cells = BTreeMap<usize, Value>;

/// The tables of a binding, by target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    tables: BTreeMap<usize, Rows>,
}

/// The rows of one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// By key.
    pub keyed: BTreeMap<Vec<u8>, Cells>,
    /// Those without a key, in the order they came.
    pub appended: Vec<Cells>,
}

/// A row that a table refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// An insert of a key that is there.
    Duplicate,
    /// An update of a key that is not there.
    MissingRow,
}

impl Tables {
    /// Applies the effects of one outcome in their order; all of them or, where one is refused, none.
    ///
    /// # Errors
    /// Why the table refused the row.
    pub fn apply(&mut self, effects: &[Effect], targets: &Targets) -> Result<(), Refused> {
        let mut after = self.clone();
        for effect in effects {
            let Some((op, row)) = row_of(effect) else { continue };
            let Some(index) = targets.index(&row.target) else { continue };
            let Some(table) = targets.table(index) else { continue };
            let named =
                row.columns.iter().filter_map(|column| Some((table.column(&column.name)?, column.value.clone())));
            after.row(index, table, op, named.collect())?;
        }
        *self = after;
        Ok(())
    }

    /// Applies one row.
    ///
    /// # Errors
    /// Why the table refused it.
    pub fn row(&mut self, target: usize, table: &TableTarget, op: Op, cells: Cells) -> Result<(), Refused> {
        let rows = self.tables.entry(target).or_default();
        let Some(key) = key_of(table, &cells) else {
            rows.appended.push(cells);
            return Ok(());
        };
        let there = rows.keyed.get_mut(&key);
        match (op, there) {
            (Op::Insert, Some(_)) => return Err(Refused::Duplicate),
            (Op::Insert | Op::Upsert, None) => {
                rows.keyed.insert(key, cells);
            }
            (Op::Add, None) => {
                let mut row = Cells::new();
                row.extend(cells.iter().filter(|(column, _)| table.key.contains(column)).map(|(c, v)| (*c, v.clone())));
                add(table, &mut row, &cells);
                rows.keyed.insert(key, row);
            }
            (Op::Upsert, Some(row)) => upsert(table, row, cells),
            (Op::Update, Some(row)) => row.extend(cells),
            (Op::Update, None) if table.settings.missing == Missing::Reject => return Err(Refused::MissingRow),
            (Op::Update | Op::Delete, None) => {}
            (Op::Add, Some(row)) => add(table, row, &cells),
            (Op::Delete, Some(_)) => {
                rows.keyed.remove(&key);
            }
        }
        Ok(())
    }

    /// Returns the rows of a target.
    pub fn rows(&self, target: usize) -> Option<&Rows> {
        self.tables.get(&target)
    }
}

fn upsert(table: &TableTarget, row: &mut Cells, cells: Cells) {
    match &table.settings.on_conflict {
        OnConflict::Overwrite => row.extend(cells),
        OnConflict::Keep => {}
        OnConflict::Newest(_) => {
            let version = |cells: &Cells| table.newest.and_then(|column| cells.get(&column)).and_then(number);
            let is_newer = match (version(row), version(&cells)) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(there), Some(given)) => given >= there,
            };
            if is_newer {
                row.extend(cells);
            }
        }
    }
}

fn add(table: &TableTarget, row: &mut Cells, cells: &Cells) {
    for (column, value) in cells.iter().filter(|(column, _)| !table.key.contains(column)) {
        let there = row.get(column).and_then(number).unwrap_or_default();
        let sum = there + number(value).unwrap_or_default();
        row.insert(*column, Value::Integer(sum));
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) | Value::TimestampMicros(number) => Some(*number),
        _ => None,
    }
}

fn key_of(table: &TableTarget, cells: &Cells) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for column in &table.key {
        key::append(&mut bytes, cells.get(column)?, table.facts(*column)?)?;
    }
    (!table.key.is_empty()).then_some(bytes)
}
