//! A row's values on their way into a statement.

use forebay_core::plan::check::Op;
use forebay_core::plan::statement::Statement;
use forebay_core::plan::storage::{Storage, Stored};
use forebay_core::plan::target::{ColumnKind, TableTarget};
use forebay_core::verdict::Verdict;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Error, Statement as Prepared};

use crate::sqlite::decimal;
use crate::sqlite::verdict::{mismatch, of_row};

/// A value as SQLite takes it.
struct Bound<'a>(Stored<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, Error> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            Stored::Null => ValueRef::Null,
            Stored::Integer(number) => ValueRef::Integer(*number),
            Stored::Real(number) => ValueRef::Real(*number),
            Stored::Text(text) => ValueRef::Text(text.as_bytes()),
            Stored::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Binds the values of the row at `at`.
///
/// # Errors
/// Text in which a number is meant and none stands: an insert would be refused by the table, but a comparison would
/// silently find nothing, and a sum would take it for 0.
pub(super) fn row(
    prepared: &mut Prepared<'_>,
    statement: &Statement<'_>,
    at: usize,
    table: &TableTarget,
) -> Result<(), Verdict> {
    let values = statement.row(at).iter();
    for (index, (value, column)) in values.zip(&statement.columns).enumerate() {
        let facts = table.facts(*column);
        let storage = match facts.map(|facts| facts.kind) {
            Some(ColumnKind::Sqlite(storage)) => storage,
            _ => Storage::Any,
        };
        let stored = storage.stored(value);
        let is_key = table.key.contains(column);
        let is_compared = is_key && matches!(statement.op, Op::Update | Op::Delete);
        let is_added = !is_key && statement.op == Op::Add;
        let must_be_number = match storage {
            Storage::Integer | Storage::Real => is_compared || is_added,
            Storage::Text | Storage::CollatedText => is_added,
            Storage::Blob | Storage::Any => false,
        };
        if must_be_number && matches!(&stored, Stored::Text(text) if decimal::parse(text).is_none()) {
            let (column, kind) = facts.map_or(("", ""), |facts| (facts.name.as_str(), facts.type_name.as_str()));
            let message = format!("text that is no number in {kind} column {}.{column}", table.settings.table);
            return Err(mismatch(&message, &table.facts));
        }
        prepared.raw_bind_parameter(index + 1, Bound(stored)).map_err(|error| of_row(&error, &table.facts))?;
    }
    Ok(())
}
