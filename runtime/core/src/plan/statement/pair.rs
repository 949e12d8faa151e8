//! Two rows of one key: whether they are merged, commute, or follow one another.

use crate::manifest::settings::{Fold, OnConflict};
use crate::outcome::Value;
use crate::plan::check::Op;
use crate::plan::fit;
use crate::plan::storage::Storage;
use crate::plan::target::{ColumnKind, TableTarget};

/// Column and value.
pub(super) type Cell<'a> = (u32, &'a Value);

/// What becomes of a row whose key has been seen.
pub(super) enum Pair<'a> {
    /// The earlier row becomes this.
    Merge(Vec<Cell<'a>>),
    /// Both, in any order.
    Commute,
    /// Both, in order.
    Follow,
}

/// Says what becomes of two rows of one key; cells are sorted by column.
pub(super) fn pair<'a>(
    table: &TableTarget,
    (before_op, before): (Op, &[Cell<'a>]),
    (op, row): (Op, &[Cell<'a>]),
) -> Pair<'a> {
    match (before_op, op) {
        (Op::Delete, Op::Delete) => Pair::Merge(before.to_vec()),
        (Op::Add, Op::Add) if have_one_sign(table, before, row) => Pair::Commute,
        (Op::Update, Op::Update) => merged(table, before, row),
        (Op::Upsert, Op::Upsert) => match &table.settings.on_conflict {
            OnConflict::Overwrite => merged(table, before, row),
            OnConflict::Keep if row.iter().all(|cell| is_proven(table, *cell)) => Pair::Merge(before.to_vec()),
            OnConflict::Keep => Pair::Follow,
            OnConflict::Newest(_) => newest(table, before, row),
        },
        _ => Pair::Follow,
    }
}

/// Whether no sum on the way is further out than the one at the end: then an overflow shows in the sum of all as well.
fn have_one_sign(table: &TableTarget, before: &[Cell<'_>], row: &[Cell<'_>]) -> bool {
    let sign = |(_, value): &Cell<'_>| match value {
        Value::Integer(number) => Some(*number < 0),
        Value::Float(number) => Some(*number < 0.0),
        Value::Text(text) => Some(text.starts_with('-')),
        _ => None,
    };
    let summands = before.iter().chain(row).filter(|(column, _)| !table.is_key(*column as usize));
    let mut signs = summands.filter_map(sign);
    let first = signs.next();
    signs.all(|sign| Some(sign) == first)
}

/// The later row's columns over the earlier row's.
fn merged<'a>(table: &TableTarget, before: &[Cell<'a>], row: &[Cell<'a>]) -> Pair<'a> {
    let has = |cells: &[Cell<'_>], column| cells.iter().any(|(index, _)| *index == column);
    let lost = before.iter().filter(|(column, _)| has(row, *column));
    if !lost.into_iter().all(|cell| is_proven(table, *cell)) {
        return Pair::Follow;
    }
    // A later row that names fewer columns must not leave out what the earlier one set.
    let mut cells = row.to_vec();
    cells.extend(before.iter().filter(|(column, _)| !has(row, *column)));
    cells.sort_unstable_by_key(|(column, _)| *column);
    Pair::Merge(cells)
}

/// As [`merged`], if which of the two is newer can be told here.
fn newest<'a>(table: &TableTarget, before: &[Cell<'a>], row: &[Cell<'a>]) -> Pair<'a> {
    let version = |row: &[Cell<'a>]| {
        row.iter().find(|(column, _)| Some(*column as usize) == table.newest).map(|(_, value)| *value)
    };
    // Numbers that are stored as text are compared as text.
    let kind = table.newest.and_then(|column| table.facts(column)).map(|facts| facts.kind);
    let is_text = matches!(kind, Some(ColumnKind::Sqlite(Storage::Text | Storage::CollatedText)));
    let is_newer = match (version(before), version(row)) {
        (Some(Value::Integer(before)), Some(Value::Integer(row))) if !is_text => row >= before,
        (Some(Value::TimestampMicros(before)), Some(Value::TimestampMicros(row))) => row >= before,
        _ => return Pair::Follow,
    };
    // The table's row may be newer than the earlier one and older than the later one: the merged row must not bring
    // columns that only the earlier one set.
    let covers = before.iter().all(|(column, _)| row.iter().any(|(other, _)| other == column));
    match is_newer {
        true if covers => merged(table, before, row),
        true => Pair::Follow,
        false if row.iter().all(|cell| is_proven(table, *cell)) => Pair::Merge(before.to_vec()),
        false => Pair::Follow,
    }
}

fn is_proven(table: &TableTarget, (column, value): Cell<'_>) -> bool {
    table.settings.fold == Fold::Always
        || table.facts(column as usize).is_some_and(|facts| fit::is_proven(value, facts))
}
