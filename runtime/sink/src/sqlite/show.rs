//! A file for people who try things out: its schema from a script, its tables to look at.

use forebay_core::verdict::{Cause, Reason, Verdict};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

use crate::named::named;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::sql::quote;
use crate::sqlite::verdict::of_error;
use crate::sqlite::watch::column_names;

/// A table's columns, the first of its rows, and how many there are.
type Shown = (Vec<String>, Vec<Vec<Option<String>>>, usize);

impl Sqlite {
    /// Runs a script in one transaction: all of it or, where something is wrong, nothing. Makes the file if it is missing.
    ///
    /// # Errors
    /// What SQLite says, and in which line of the script.
    pub async fn execute_script(&self, sql: &str) -> Result<(), Verdict> {
        let script = sql.to_owned();
        let executed = self.run(Absent::Make, move |connection| {
            connection.execute_batch("begin immediate").map_err(|error| of_error(&error))?;
            connection.execute_batch(&script).map_err(|error| of_script(&error, &script))?;
            connection.execute_batch("commit").map_err(|error| of_script(&error, &script))
        });
        executed.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// Returns a table's columns, the first `limit` of its rows as text in the order of its key (of all columns where it
    /// has none), and how many there are.
    ///
    /// # Errors
    /// Where the file is away, or there is no such table.
    pub async fn rows(&self, table: &str, limit: usize) -> Result<Shown, Verdict> {
        let table = table.to_owned();
        self.look(move |connection| read(connection, &table, limit).map_err(|error| of_error(&error))).await
    }
}

/// A value as text, as PostgreSQL shows it.
pub(super) fn shown(value: ValueRef<'_>) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => {
            use std::fmt::Write as _;
            let mut hex = "\\x".to_owned();
            for byte in bytes {
                let _infallible = write!(hex, "{byte:02x}");
            }
            hex
        }
    })
}

fn read(connection: &Connection, table: &str, limit: usize) -> Result<Shown, Error> {
    let columns = column_names(connection, table)?;
    let key: Vec<String> = {
        let mut key = connection.prepare("select name from pragma_table_info(?1, 'main') where pk > 0 order by pk")?;
        key.query_map([table], |row| Ok(quote(&row.get::<_, String>(0)?)))?.collect::<Result<_, _>>()?
    };
    // Without a key the order of insertion would be one of chance, where several partitions write.
    let order = if key.is_empty() { columns.iter().map(|name| quote(name)).collect() } else { key };
    // A table that is not there has no columns; selecting from it says so.
    let order = if order.is_empty() { "1".to_owned() } else { order.join(", ") };
    let name = quote(table);
    let mut select = connection.prepare(&format!("select * from main.{name} order by {order} limit ?1"))?;
    let width = select.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|index| Ok(shown(row.get_ref(index)?))).collect();
    let rows = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], row)?.collect::<Result<_, _>>()?;
    let count: i64 = connection.query_row(&format!("select count(*) from main.{name}"), [], |row| row.get(0))?;
    Ok((columns, rows, usize::try_from(count).unwrap_or(usize::MAX)))
}

/// What is wrong with a script, and where: what was not run yet stands in the error.
fn of_script(error: &Error, script: &str) -> Verdict {
    let verdict = of_error(error);
    if matches!(verdict, Verdict::Unavailable(_) | Verdict::Unknown(_)) {
        return verdict;
    }
    let place = match error {
        Error::SqlInputError { sql, offset, .. } => line(script, sql, *offset),
        _ => None,
    };
    let message = match (place, error) {
        (Some(line), Error::SqlInputError { msg, .. }) => format!("line {line} of the script: {msg}"),
        _ => format!("the script: {error}"),
    };
    Verdict::Misconfigured(Cause::new(Reason::Schema, format!("{message}; correct it")))
}

fn line(script: &str, rest: &str, offset: i32) -> Option<usize> {
    let start = script.len().checked_sub(rest.len())?;
    let before = script.get(..start + usize::try_from(offset).ok()?)?;
    Some(before.matches('\n').count() + 1)
}
