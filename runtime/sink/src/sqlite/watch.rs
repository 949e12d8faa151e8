//! What a transaction does to each row, for people who watch: temporary triggers, which live in this connection alone, hand
//! every row before and after to a function. Forebay's own tables are left out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Error};

use crate::change::Change;
use crate::sqlite::show::shown;
use crate::sqlite::sql::quote;

/// The function's name in SQL.
const FUNCTION: &str = "forebay_watch";

/// A function takes no more than 1000 values: wider tables are not watched.
const COLUMNS_MAX: usize = 490;

type Row = Vec<Option<String>>;

/// A change whose columns have no names yet.
#[derive(Debug)]
struct Seen {
    table: String,
    before: Option<Row>,
    after: Option<Row>,
}

/// What has been seen of the transaction under way.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The schema that the triggers are for.
    version: Option<i64>,
    /// Columns by table.
    columns: HashMap<String, Vec<String>>,
}

impl Watch {
    /// Teaches a connection the function.
    pub(super) fn register(connection: &Connection) -> Result<Self, Error> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        connection.create_scalar_function(FUNCTION, -1, FunctionFlags::SQLITE_UTF8, move |context| {
            locked(&into).push(read(context)?);
            Ok(None::<i64>)
        })?;
        Ok(Self { seen, version: None, columns: HashMap::new() })
    }

    /// Puts triggers on every table, if the schema is another one than last time; starts to watch anew.
    pub(super) fn start(&mut self, connection: &Connection) -> Result<(), Error> {
        let version: i64 = connection.query_row("pragma main.schema_version", [], |row| row.get(0))?;
        if self.version != Some(version) {
            let tables: Vec<String> = {
                let sql = "select name from pragma_table_list where schema = 'main' and type = 'table' \
                    and name not like 'sqlite\\_%' escape '\\' and name not like 'forebay\\_%' escape '\\'";
                let mut tables = connection.prepare(sql)?;
                tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
            };
            self.columns.clear();
            for table in tables {
                let columns = column_names(connection, &table)?;
                if columns.len() <= COLUMNS_MAX {
                    connection.execute_batch(&triggers(&table, &columns))?;
                    self.columns.insert(table, columns);
                }
            }
            self.version = Some(version);
        }
        self.undo(0);
        Ok(())
    }

    /// Returns how much has been seen.
    pub(super) fn mark(&self) -> usize {
        locked(&self.seen).len()
    }

    /// Forgets what was seen since `mark`: it was rolled back.
    pub(super) fn undo(&self, mark: usize) {
        locked(&self.seen).truncate(mark);
    }

    /// Returns what was seen.
    pub(super) fn take(&self) -> Vec<Change> {
        let seen = std::mem::take(&mut *locked(&self.seen));
        let named = seen.into_iter().map(|Seen { table, before, after }| {
            let columns = self.columns.get(&table).cloned().unwrap_or_default();
            Change { table, columns, before, after }
        });
        named.collect()
    }
}

/// Returns the names of the columns that `select *` shows.
pub(super) fn column_names(connection: &Connection, table: &str) -> Result<Vec<String>, Error> {
    let mut columns =
        connection.prepare("select name from pragma_table_xinfo(?1, 'main') where hidden <> 1 order by cid")?;
    columns.query_map([table], |row| row.get(0))?.collect()
}

fn triggers(table: &str, columns: &[String]) -> String {
    let values = |row: &str| columns.iter().map(|column| format!(", {row}.{}", quote(column))).collect::<String>();
    let (old, new) = (values("old"), values("new"));
    let literal = table.replace('\'', "''");
    let trigger = |event: &str, values: &str| {
        let name = quote(&format!("forebay_watch_{event}_{table}"));
        format!(
            "drop trigger if exists temp.{name}; create temp trigger {name} after {event} on main.{} begin \
             select {FUNCTION}('{literal}', '{event}'{values}); end;",
            quote(table)
        )
    };
    [trigger("insert", &new), trigger("update", &format!("{old}{new}")), trigger("delete", &old)].concat()
}

/// Reads the function's arguments: the table, the event, and one row or two.
fn read(context: &Context<'_>) -> Result<Seen, Error> {
    let (table, event): (String, String) = (context.get(0)?, context.get(1)?);
    let mut values: Row = (2..context.len()).map(|index| shown(context.get_raw(index))).collect();
    let (before, after) = match event.as_str() {
        "insert" => (None, Some(values)),
        "delete" => (Some(values), None),
        _ => {
            let after = values.split_off(values.len() / 2);
            (Some(values), Some(after))
        }
    };
    Ok(Seen { table, before, after })
}

fn locked(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
