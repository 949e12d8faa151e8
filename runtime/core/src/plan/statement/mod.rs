//! The plan of a range of records: bulk statements in an order whose result equals applying every effect one by one.
//!
//! Rows are put on *levels*; a level's rows may be applied in any order among themselves, so each level becomes one
//! statement for every target, operation and set of columns: targets in the manifest's order, deletes last and in the
//! reverse. A row goes one level above the last row of its key that it does not commute with.
//!
//! In a *strict* table, where something besides the key could refuse or change a row, rows keep their order: a level
//! ends where the operation or the columns change or a key comes again. The same holds for a table whose keys can not
//! be compared here. Over all strict tables, nothing moves across a delete, which may cascade.
//!
//! Between tables the manifest's order of targets rules, as the documentation says: a child may come before its parent
//! in the log and after it in the batch.

use std::collections::HashMap;

use crate::manifest::settings::{Fold, OnConflict};
use crate::outcome::{Effect, Row, Value};
use crate::plan::check::{Op, row_of};
use crate::plan::fit;
use crate::plan::key;
use crate::plan::target::{TableTarget, Targets};

/// One bulk statement: rows of one target, one operation, and one set of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement<'a> {
    /// Index of the target.
    pub target: usize,
    /// What is done with each row.
    pub op: Op,
    /// Indices of the columns, ascending.
    pub columns: Vec<usize>,
    /// The rows; each has a value for each of the columns.
    pub rows: Vec<Vec<&'a Value>>,
}

/// Plans effects that passed [`crate::plan::check`].
pub fn plan<'a>(effects: impl Iterator<Item = &'a Effect>, targets: &Targets) -> Vec<Statement<'a>> {
    let mut planner =
        Planner { tables: vec![Levels::default(); targets.len()], rows: Vec::new(), barrier: Barrier::default() };
    for effect in effects {
        let Some((op, row)) = row_of(effect) else { continue };
        let Some(index) = targets.index(&row.target) else { continue };
        let Some(table) = targets.table(index) else { continue };
        planner.place(index, table, op, row);
    }
    planner.finish(targets)
}

struct Planner<'a> {
    tables: Vec<Levels>,
    rows: Vec<Placed<'a>>,
    barrier: Barrier,
}

/// What is known of one table's rows so far.
#[derive(Debug, Clone, Default)]
struct Levels {
    /// The last row of each key.
    keys: HashMap<Vec<u8>, usize>,
    /// The next row's least level.
    floor: usize,
    /// One above the highest level in use.
    above: usize,
    /// Operation and columns of the last row, where order is kept.
    last: Option<(Op, Vec<usize>)>,
}

/// Strict tables and deletes: nothing moves across one.
#[derive(Debug, Clone, Copy, Default)]
struct Barrier {
    /// Least level of the next strict row that is no delete.
    rows: usize,
    /// Least level of the next strict delete.
    deletes: usize,
}

#[derive(Debug)]
struct Placed<'a> {
    target: usize,
    level: usize,
    op: Op,
    /// Column and value, by column.
    cells: Vec<(usize, &'a Value)>,
    /// For sorting; empty where order is kept or there is no key.
    key: Vec<u8>,
}

/// What becomes of a row whose key has been seen.
enum Pair<'a> {
    /// The earlier row becomes this.
    Merge(Vec<(usize, &'a Value)>),
    /// Both, in any order.
    Commute,
    /// Both, in order.
    Follow,
}

impl<'a> Planner<'a> {
    fn place(&mut self, target: usize, table: &TableTarget, op: Op, row: &'a Row) {
        let mut cells: Vec<(usize, &Value)> =
            row.columns.iter().filter_map(|column| Some((table.column(&column.name)?, &column.value))).collect();
        cells.sort_unstable_by_key(|(column, _)| *column);
        // An insert without its whole key (the database makes it) meets no other row of the batch.
        let key = row_key(table, &cells);
        let has_key = |column: &usize| cells.iter().any(|(index, _)| index == column);
        let has_whole_key = !table.key.is_empty() && table.key.iter().all(has_key);
        let keeps_order = table.facts.is_strict || (key.is_none() && (op != Op::Insert || has_whole_key));
        let placed = Placed { target, level: 0, op, cells, key: key.unwrap_or_default() };
        if keeps_order { self.place_in_order(table, placed) } else { self.place_freely(table, placed) }
    }

    fn place_freely(&mut self, table: &TableTarget, mut placed: Placed<'a>) {
        let Some(levels) = self.tables.get_mut(placed.target) else { return };
        if levels.last.take().is_some() {
            // The rows before kept their order and may be of this key.
            levels.floor = levels.above;
        }
        placed.level = levels.floor;
        let before = levels.keys.get(&placed.key).copied().filter(|_| !placed.key.is_empty());
        let before = before.and_then(|index| self.rows.get_mut(index));
        if let Some(before) = before.filter(|before| before.level >= levels.floor) {
            match pair(table, before, &placed) {
                Pair::Merge(cells) => return before.cells = cells,
                Pair::Commute => placed.level = before.level,
                Pair::Follow => placed.level = before.level + 1,
            }
        }
        if !placed.key.is_empty() {
            levels.keys.insert(placed.key.clone(), self.rows.len());
        }
        levels.above = levels.above.max(placed.level + 1);
        self.rows.push(placed);
    }

    fn place_in_order(&mut self, table: &TableTarget, mut placed: Placed<'a>) {
        let Some(levels) = self.tables.get_mut(placed.target) else { return };
        let shape: Vec<usize> = placed.cells.iter().map(|(column, _)| *column).collect();
        let is_run = levels.last.as_ref().is_some_and(|(op, columns)| *op == placed.op && *columns == shape);
        let before = levels.keys.get(&placed.key).copied().filter(|_| !placed.key.is_empty());
        let before = before.and_then(|index| self.rows.get_mut(index)).filter(|before| before.level >= levels.floor);
        let mut is_again = before.is_some();
        if let (true, Some(before), Fold::Always) = (is_run, before, table.settings.fold) {
            match pair(table, before, &placed) {
                Pair::Merge(cells) => return before.cells = cells,
                Pair::Commute => is_again = false,
                Pair::Follow => {}
            }
        }
        // A key that can not be compared may be there already: an update would then lose one of the two silently.
        let is_alone = placed.key.is_empty() && placed.op == Op::Update;
        if !is_run || is_again || is_alone {
            levels.floor = levels.above;
        }
        if table.facts.is_strict {
            levels.floor = levels.floor.max(self.barrier.least(placed.op));
            self.barrier.passed(placed.op, levels.floor);
        }
        placed.level = levels.floor;
        levels.above = levels.above.max(placed.level + 1);
        levels.last = Some((placed.op, shape));
        if !placed.key.is_empty() {
            levels.keys.insert(placed.key.clone(), self.rows.len());
            placed.key = Vec::new();
        }
        self.rows.push(placed);
    }

    fn finish(mut self, targets: &Targets) -> Vec<Statement<'a>> {
        let rank = |row: &Placed<'_>| match row.op {
            Op::Delete => 2 * targets.len() - row.target,
            _ => row.target,
        };
        // Stable: rows that keep their order have equal keys here and stay as they came.
        self.rows.sort_by(|a, b| (a.level, rank(a), a.op).cmp(&(b.level, rank(b), b.op)).then_with(|| by_shape(a, b)));
        let mut statements: Vec<Statement<'a>> = Vec::new();
        let mut level = usize::MAX;
        for row in self.rows.into_iter() {
            let columns: Vec<usize> = row.cells.iter().map(|(column, _)| *column).collect();
            let values: Vec<&Value> = row.cells.iter().map(|(_, value)| *value).collect();
            match statements.last_mut() {
                Some(last)
                    if level == row.level
                        && last.target == row.target
                        && last.op == row.op
                        && last.columns == columns =>
                {
                    last.rows.push(values);
                }
                _ => statements.push(Statement { target: row.target, op: row.op, columns, rows: vec![values] }),
            }
            level = row.level;
        }
        statements
    }
}

impl Barrier {
    fn least(self, op: Op) -> usize {
        if op == Op::Delete { self.deletes } else { self.rows }
    }

    fn passed(&mut self, op: Op, level: usize) {
        match op {
            Op::Delete => self.rows = self.rows.max(level + 1),
            _ => self.deletes = self.deletes.max(level),
        }
    }
}

/// Rows of one shape stand together; within it they are sorted by key, which is the order of locks.
fn by_shape(a: &Placed<'_>, b: &Placed<'_>) -> std::cmp::Ordering {
    let columns = |row: &Placed<'_>| row.cells.iter().map(|(column, _)| *column).collect::<Vec<_>>();
    if a.cells.len() != b.cells.len() || a.cells.iter().zip(&b.cells).any(|(a, b)| a.0 != b.0) {
        return columns(a).cmp(&columns(b));
    }
    a.key.cmp(&b.key)
}

/// Returns the key in canonical form, `None` if it can not be compared here.
fn row_key(table: &TableTarget, cells: &[(usize, &Value)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(16);
    for column in &table.key {
        let (_, value) = cells.iter().find(|(index, _)| index == column)?;
        key::append(&mut bytes, value, table.facts(*column)?)?;
    }
    (!table.key.is_empty()).then_some(bytes)
}

/// Says what becomes of two rows of one key.
fn pair<'a>(table: &TableTarget, before: &Placed<'a>, row: &Placed<'a>) -> Pair<'a> {
    match (before.op, row.op) {
        (Op::Delete, Op::Delete) => Pair::Merge(before.cells.clone()),
        (Op::Add, Op::Add) if have_one_sign(table, before, row) => Pair::Commute,
        (Op::Update, Op::Update) => merged(table, before, row),
        (Op::Upsert, Op::Upsert) => match &table.settings.on_conflict {
            OnConflict::Overwrite => merged(table, before, row),
            OnConflict::Keep if row.cells.iter().all(|cell| is_proven(table, *cell)) => {
                Pair::Merge(before.cells.clone())
            }
            OnConflict::Keep => Pair::Follow,
            OnConflict::Newest(_) => newest(table, before, row),
        },
        _ => Pair::Follow,
    }
}

/// Whether no sum on the way is further out than the one at the end: then an overflow shows in the sum of all as well.
fn have_one_sign(table: &TableTarget, before: &Placed<'_>, row: &Placed<'_>) -> bool {
    let sign = |(_, value): &(usize, &Value)| match value {
        Value::Integer(number) => Some(*number < 0),
        Value::Float(number) => Some(*number < 0.0),
        Value::Text(text) => Some(text.starts_with('-')),
        _ => None,
    };
    let summands = before.cells.iter().chain(&row.cells).filter(|(column, _)| !table.key.contains(column));
    let mut signs = summands.filter_map(sign);
    let first = signs.next();
    signs.all(|sign| Some(sign) == first)
}

/// The later row's columns over the earlier row's.
fn merged<'a>(table: &TableTarget, before: &Placed<'a>, row: &Placed<'a>) -> Pair<'a> {
    let has = |cells: &[(usize, &Value)], column| cells.iter().any(|(index, _)| *index == column);
    let lost = before.cells.iter().filter(|(column, _)| has(&row.cells, *column));
    if !lost.into_iter().all(|cell| is_proven(table, *cell)) {
        return Pair::Follow;
    }
    // A later row that names fewer columns must not leave out what the earlier one set.
    let mut cells = row.cells.clone();
    cells.extend(before.cells.iter().filter(|(column, _)| !has(&row.cells, *column)));
    cells.sort_unstable_by_key(|(column, _)| *column);
    Pair::Merge(cells)
}

/// As [`merged`], if which of the two is newer can be told here.
fn newest<'a>(table: &TableTarget, before: &Placed<'a>, row: &Placed<'a>) -> Pair<'a> {
    let version =
        |row: &Placed<'a>| row.cells.iter().find(|(column, _)| Some(*column) == table.newest).map(|(_, value)| *value);
    let is_newer = match (version(before), version(row)) {
        (Some(Value::Integer(before)), Some(Value::Integer(row))) => row >= before,
        (Some(Value::TimestampMicros(before)), Some(Value::TimestampMicros(row))) => row >= before,
        _ => return Pair::Follow,
    };
    // The table's row may be newer than the earlier one and older than the later one: the merged row must not bring
    // columns that only the earlier one set.
    let covers = before.cells.iter().all(|(column, _)| row.cells.iter().any(|(other, _)| other == column));
    match is_newer {
        true if covers => merged(table, before, row),
        true => Pair::Follow,
        false if row.cells.iter().all(|cell| is_proven(table, *cell)) => Pair::Merge(before.cells.clone()),
        false => Pair::Follow,
    }
}

fn is_proven(table: &TableTarget, (column, value): (usize, &Value)) -> bool {
    table.settings.fold == Fold::Always || table.facts(column).is_some_and(|facts| fit::is_proven(value, facts))
}

#[cfg(test)]
mod tests;
