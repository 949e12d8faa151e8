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

mod pair;
mod shapes;

use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::manifest::settings::Fold;
use crate::outcome::{Effect, Row, Value};
use crate::plan::check::{Op, row_of};
use crate::plan::key;
use crate::plan::target::{TableTarget, Targets};
use pair::{Cell, Pair, pair};
use shapes::Shapes;

/// One bulk statement: rows of one target, one operation, and one set of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement<'a> {
    /// Index of the target.
    pub target: usize,
    /// What is done with each row.
    pub op: Op,
    /// Indices of the columns, ascending.
    pub columns: Vec<usize>,
    /// A value for each of the columns, row after row.
    values: Vec<&'a Value>,
}

impl<'a> Statement<'a> {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns.len()).unwrap_or_default()
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values of the row at `index`, in the order of the columns.
    pub fn row(&self, index: usize) -> &[&'a Value] {
        let width = self.columns.len();
        self.values.get(index * width..(index + 1) * width).unwrap_or_default()
    }

    /// Returns the values of the column at `position` among the statement's, row after row.
    pub fn column(&self, position: usize) -> impl Iterator<Item = &'a Value> + Clone + '_ {
        self.values.iter().copied().skip(position).step_by(self.columns.len().max(1))
    }
}

/// Plans effects that passed [`crate::plan::check`].
pub fn plan<'a>(effects: impl Iterator<Item = &'a Effect>, targets: &Targets) -> Vec<Statement<'a>> {
    let mut planner = Planner {
        tables: (0..targets.len()).map(|_| Levels::default()).collect(),
        rows: Vec::with_capacity(effects.size_hint().0),
        cells: Vec::new(),
        keys: Vec::new(),
        shapes: Shapes::default(),
        hasher: DefaultHashBuilder::default(),
        barrier: Barrier::default(),
    };
    for effect in effects {
        let Some((op, row)) = row_of(effect) else { continue };
        let Some(index) = targets.index(&row.target) else { continue };
        let Some(table) = targets.table(index) else { continue };
        planner.place(index, table, op, row);
    }
    planner.finish(targets)
}

/// All rows of a plan. Their cells and keys stand in one place each: a row of its own allocations would cost more than
/// everything else that is done with it.
struct Planner<'a> {
    tables: Vec<Levels>,
    rows: Vec<Placed>,
    cells: Vec<Cell<'a>>,
    keys: Vec<u8>,
    shapes: Shapes,
    hasher: DefaultHashBuilder,
    barrier: Barrier,
}

/// What is known of one table's rows so far.
#[derive(Debug, Default)]
struct Levels {
    /// The last row of each key, by its index.
    keys: HashTable<u32>,
    /// The next row's least level.
    floor: u32,
    /// One above the highest level in use.
    above: u32,
    /// Operation and columns of the last row, where order is kept.
    last: Option<(Op, u32)>,
}

/// Strict tables and deletes: nothing moves across one.
#[derive(Debug, Clone, Copy, Default)]
struct Barrier {
    /// Least level of the next strict row that is no delete.
    rows: u32,
    /// Least level of the next strict delete.
    deletes: u32,
}

#[derive(Debug, Clone)]
struct Placed {
    target: u32,
    level: u32,
    op: Op,
    /// Number of its columns.
    shape: u32,
    /// Column and value, by column.
    cells: Range<u32>,
    /// For finding it again.
    key: Range<u32>,
    /// Whether it is sorted by its key; no where order is kept or there is no key.
    is_sorted: bool,
}

impl<'a> Planner<'a> {
    fn place(&mut self, target: usize, table: &TableTarget, op: Op, row: &'a Row) {
        let start = length(&self.cells);
        let cells = row.columns.iter();
        self.cells.extend(cells.filter_map(|column| Some((short(table.column(&column.name)?), &column.value))));
        let own = self.cells.get_mut(start as usize..).unwrap_or_default();
        if !own.is_sorted_by_key(|(column, _)| *column) {
            own.sort_unstable_by_key(|(column, _)| *column);
        }
        let cells = start..length(&self.cells);
        let shape = self.shape(&cells);
        // An insert without its whole key (the database makes it) meets no other row of the batch.
        let key = self.key(table, &cells);
        let has_key = |column: &usize| slice(&self.cells, &cells).iter().any(|(index, _)| *index as usize == *column);
        let has_whole_key = !table.key.is_empty() && table.key.iter().all(has_key);
        let keeps_order = table.facts.is_strict || (key.is_none() && (op != Op::Insert || has_whole_key));
        let key = key.unwrap_or_default();
        let placed = Placed { target: short(target), level: 0, op, shape, cells, is_sorted: !key.is_empty(), key };
        if keeps_order { self.place_in_order(table, placed) } else { self.place_freely(table, placed) }
    }

    fn place_freely(&mut self, table: &TableTarget, mut placed: Placed) {
        let before = self.last_of_key(&placed);
        let Some(levels) = self.tables.get_mut(placed.target as usize) else { return };
        if levels.last.take().is_some() {
            // The rows before kept their order and may be of this key.
            levels.floor = levels.above;
        }
        placed.level = levels.floor;
        if let Some((index, level)) = before.filter(|(_, level)| *level >= levels.floor) {
            match self.pair(table, index, &placed) {
                Pair::Merge(cells) => return self.merge(index, cells),
                Pair::Commute => placed.level = level,
                Pair::Follow => placed.level = level + 1,
            }
        }
        self.push(placed);
    }

    fn place_in_order(&mut self, table: &TableTarget, mut placed: Placed) {
        let before = self.last_of_key(&placed);
        let Some(levels) = self.tables.get_mut(placed.target as usize) else { return };
        let is_run = levels.last == Some((placed.op, placed.shape));
        let before = before.filter(|(_, level)| *level >= levels.floor);
        let mut is_again = before.is_some();
        if let (true, Some((index, _)), Fold::Always) = (is_run, before, table.settings.fold) {
            match self.pair(table, index, &placed) {
                Pair::Merge(cells) => return self.merge(index, cells),
                Pair::Commute => is_again = false,
                Pair::Follow => {}
            }
        }
        let Some(levels) = self.tables.get_mut(placed.target as usize) else { return };
        // A database goes through the rows of an insert in their order, and through those of an update or a delete in
        // one of its own: there a unique value that is set free and taken again could be seen too early or too late. And
        // a key that can not be compared may be there already: an update would then lose one of the two silently.
        let is_alone = match placed.op {
            Op::Update => table.facts.is_strict || placed.key.is_empty(),
            Op::Delete => table.facts.is_strict,
            Op::Insert | Op::Upsert | Op::Add => false,
        };
        if !is_run || is_again || is_alone {
            levels.floor = levels.above;
        }
        if table.facts.is_strict {
            levels.floor = levels.floor.max(self.barrier.least(placed.op));
            self.barrier.passed(placed.op, levels.floor);
        }
        placed.level = levels.floor;
        levels.last = Some((placed.op, placed.shape));
        placed.is_sorted = false;
        self.push(placed);
    }

    /// Adds a row, and makes it the last of its key.
    fn push(&mut self, placed: Placed) {
        let index = length(&self.rows);
        let Some(levels) = self.tables.get_mut(placed.target as usize) else { return };
        levels.above = levels.above.max(placed.level + 1);
        if !placed.key.is_empty() {
            let (rows, keys, hasher) = (&self.rows, &self.keys, &self.hasher);
            let key = slice(keys, &placed.key);
            let key_of = |index: &u32| rows.get(*index as usize).map(|row| slice(keys, &row.key)).unwrap_or_default();
            let is_same = |index: &u32| key_of(index) == key;
            match levels.keys.find_mut(hasher.hash_one(key), is_same) {
                Some(last) => *last = index,
                None => {
                    levels.keys.insert_unique(hasher.hash_one(key), index, |index| hasher.hash_one(key_of(index)));
                }
            }
        }
        self.rows.push(placed);
    }

    /// Returns index and level of the last row of a row's key.
    fn last_of_key(&self, placed: &Placed) -> Option<(u32, u32)> {
        let key = slice(&self.keys, &placed.key);
        if key.is_empty() {
            return None;
        }
        let levels = self.tables.get(placed.target as usize)?;
        let row = |index: &u32| self.rows.get(*index as usize);
        let is_same = |index: &u32| row(index).is_some_and(|row| slice(&self.keys, &row.key) == key);
        let index = *levels.keys.find(self.hasher.hash_one(key), is_same)?;
        Some((index, row(&index)?.level))
    }

    fn pair(&self, table: &TableTarget, before: u32, placed: &Placed) -> Pair<'a> {
        let Some(before) = self.rows.get(before as usize) else { return Pair::Follow };
        let cells = |row: &Placed| (row.op, slice(&self.cells, &row.cells));
        pair(table, cells(before), cells(placed))
    }

    fn merge(&mut self, index: u32, cells: Vec<Cell<'a>>) {
        let start = length(&self.cells);
        self.cells.extend(cells);
        let cells = start..length(&self.cells);
        let shape = self.shape(&cells);
        if let Some(row) = self.rows.get_mut(index as usize) {
            (row.cells, row.shape) = (cells, shape);
        }
    }

    fn shape(&mut self, cells: &Range<u32>) -> u32 {
        self.shapes.number(slice(&self.cells, cells).iter().map(|(column, _)| *column))
    }

    /// Puts the key in canonical form at the end of all keys, `None` if it can not be compared here.
    fn key(&mut self, table: &TableTarget, cells: &Range<u32>) -> Option<Range<u32>> {
        let start = length(&self.keys);
        let cells = slice(&self.cells, cells);
        for column in &table.key {
            let found = cells.iter().find(|(index, _)| *index as usize == *column);
            let put = found.and_then(|(_, value)| key::append(&mut self.keys, value, table.facts(*column)?));
            if put.is_none() {
                self.keys.truncate(start as usize);
                return None;
            }
        }
        (!table.key.is_empty()).then(|| start..length(&self.keys))
    }

    fn finish(self, targets: &Targets) -> Vec<Statement<'a>> {
        let count = short(targets.len());
        let rank = |row: &Placed| match row.op {
            Op::Delete => 2 * count - row.target,
            _ => row.target,
        };
        // Rows that keep their order stay as they came; the others stand sorted by key, which is the order of locks.
        let sorted_by = |row: &Placed| if row.is_sorted { slice(&self.keys, &row.key) } else { &[] };
        let mut order: Vec<_> = (0..)
            .zip(&self.rows)
            .map(|(index, row)| ((row.level, rank(row), row.op, row.shape), prefix(sorted_by(row)), index))
            .collect();
        order.sort_unstable_by(|a: &(_, u128, u32), b| {
            let rest = |index: u32| self.rows.get(index as usize).and_then(|row| sorted_by(row).get(PREFIX..));
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rest(a.2).cmp(&rest(b.2))).then(a.2.cmp(&b.2))
        });
        let mut statements: Vec<Statement<'a>> = Vec::new();
        let mut last = None;
        for (group, _, index) in order {
            let Some(row) = self.rows.get(index as usize) else { continue };
            if last.replace(group) != Some(group) {
                let columns = self.shapes.columns(row.shape).iter().map(|column| *column as usize).collect();
                let (target, op) = (row.target as usize, row.op);
                statements.push(Statement { target, op, columns, values: Vec::new() });
            }
            if let Some(statement) = statements.last_mut() {
                statement.values.extend(slice(&self.cells, &row.cells).iter().map(|(_, value)| *value));
            }
        }
        statements
    }
}

impl Barrier {
    fn least(self, op: Op) -> u32 {
        if op == Op::Delete { self.deletes } else { self.rows }
    }

    fn passed(&mut self, op: Op, level: u32) {
        match op {
            Op::Delete => self.rows = self.rows.max(level + 1),
            _ => self.deletes = self.deletes.max(level),
        }
    }
}

/// How many bytes of a key are compared as one number: they decide nearly every comparison.
const PREFIX: usize = size_of::<u128>();

fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; PREFIX];
    bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(bytes)
}

fn slice<'s, T>(list: &'s [T], range: &Range<u32>) -> &'s [T] {
    list.get(range.start as usize..range.end as usize).unwrap_or_default()
}

/// A batch's bytes are bounded far below 4 GiB, and its rows with them.
fn length<T>(list: &[T]) -> u32 {
    short(list.len())
}

fn short(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
