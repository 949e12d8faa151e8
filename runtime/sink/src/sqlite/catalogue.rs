//! What the file says of a target's table.

use forebay_core::manifest::settings::Table;
use forebay_core::plan::storage::Storage;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableFacts};
use forebay_core::verdict::{Cause, Reason, Verdict};
use rusqlite::{Connection, Error, OptionalExtension};

use crate::sqlite::connection::Sqlite;
use crate::sqlite::sql::quote;
use crate::sqlite::verdict::of_error;
use crate::statement::{Dialect, create_table};
use crate::table::TableReport;

const TABLE: &str = "select l.name, l.type, l.strict, coalesce(s.sql, '') from pragma_table_list(?1) l \
    join main.sqlite_schema s on s.name = l.name and s.type in ('table', 'view') where l.schema = 'main'";

const COLUMNS: &str = "select name, type, \"notnull\", coalesce(dflt_value, 'null'), pk, hidden \
    from pragma_table_xinfo(?1, 'main') where hidden <> 1 order by cid";

/// Every unique index with its columns: whether it covers all rows, whether it backs the primary key, and of each column
/// its name, nothing for an expression, and its collation.
const UNIQUE: &str = "select l.name, l.partial, l.origin = 'pk', x.name, x.coll \
    from pragma_index_list(?1, 'main') l, pragma_index_xinfo(l.name, 'main') x \
    where l.\"unique\" = 1 and x.key = 1 order by l.seq, x.seqno";

/// Foreign keys on either side, and triggers.
const OTHERS: &str = "select exists (select 1 from pragma_foreign_key_list(?1, 'main')) \
    or exists (select 1 from main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f \
               where s.type = 'table' and lower(f.\"table\") = lower(?1)) \
    or exists (select 1 from main.sqlite_schema where type = 'trigger' and lower(tbl_name) = lower(?1))";

impl Sqlite {
    /// Reads what the file says of a target's table.
    ///
    /// # Errors
    /// Where the file is away, or there is no such table.
    pub async fn table(&self, table: &Table) -> Result<TableReport, Verdict> {
        let (sink, table) = (self.name().to_owned(), table.clone());
        self.look(move |connection| report(connection, &sink, &table)).await
    }
}

/// A table as the schema has it.
struct Found {
    name: String,
    kind: String,
    is_strict: bool,
    sql: String,
}

struct Index {
    name: String,
    is_partial: bool,
    is_primary: bool,
    columns: Vec<Option<String>>,
    /// The columns that are not compared by their bytes.
    collated: Vec<String>,
}

impl Index {
    fn is_of(&self, key: &[String]) -> bool {
        let is_in_key = |column: &Option<String>| column.as_ref().is_some_and(|column| key.contains(column));
        !self.is_partial && self.columns.len() == key.len() && self.columns.iter().all(is_in_key)
    }
}

/// What `pragma table_xinfo` says of a column.
struct Column {
    name: String,
    type_name: String,
    is_not_null: bool,
    has_default: bool,
    is_key: bool,
    is_generated: bool,
}

fn report(connection: &Connection, sink: &str, table: &Table) -> Result<TableReport, Verdict> {
    let failed = |error: Error| of_error(&error);
    let name = &table.table;
    if let Some(schema) = table.schema.as_ref().filter(|schema| *schema != "main") {
        let message = format!("`{schema}.{name}` names a schema, which SQLite does not have; write `{name}`");
        return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
    }
    let found = connection.query_row(TABLE, [name], |row| {
        Ok(Found { name: row.get(0)?, kind: row.get(1)?, is_strict: row.get(2)?, sql: row.get(3)? })
    });
    let Some(found) = found.optional().map_err(failed)? else {
        let message = format!("there is no table {name}; create it or correct the manifest");
        let cause = Cause { statement: create_table(table, Dialect::Sqlite), ..Cause::new(Reason::Schema, message) };
        return Err(Verdict::Misconfigured(cause));
    };
    let columns = columns(connection, &found.name).map_err(failed)?;
    let indexes = indexes(connection, &found.name).map_err(failed)?;
    let has_others = connection.query_row(OTHERS, [&found.name], |row| row.get(0)).map_err(failed)?;
    let row_id = row_id(&columns, &indexes);
    let has_other_unique = indexes.iter().any(|index| !index.is_of(&table.key))
        || row_id.is_some_and(|column| table.key != [column.name.as_str()]);
    let is_strict = has_others
        || has_other_unique
        || columns.iter().any(|column| column.is_generated)
        || has_word(&found.sql, "check");
    let collated: Vec<&String> = indexes.iter().flat_map(|index| &index.collated).collect();
    let facts = TableFacts {
        sql_name: quote(&found.name),
        columns: columns.iter().map(|column| facts(column, row_id, &collated)).collect(),
        is_strict,
        deferred: Vec::new(),
        takes_copy: false,
    };
    let mut faults: Vec<Cause> = unfit(sink, table, &found).into_iter().collect();
    let is_known = |key: &String| columns.iter().any(|column| column.name == *key);
    if faults.is_empty() && !table.key.is_empty() && table.key.iter().all(is_known) {
        faults.extend(no_constraint(connection, sink, table, &found));
    }
    Ok(TableReport { facts, faults })
}

fn unfit(sink: &str, table: &Table, found: &Found) -> Option<Cause> {
    let name = table.full_name();
    let message = match (found.kind.as_str(), found.is_strict) {
        ("table", true) => return None,
        ("table", false) => format!(
            "{name} in sink `{sink}` is not STRICT, so that SQLite would take values of any type for it; make it anew with \
             `strict` behind its columns (create table … (…) strict)"
        ),
        _ => format!("{name} in sink `{sink}` is no table; name the table that holds the rows"),
    };
    Some(Cause::new(Reason::Schema, message))
}

/// SQLite itself says whether something backs the key, collations included.
fn no_constraint(connection: &Connection, sink: &str, table: &Table, found: &Found) -> Option<Cause> {
    let quoted: Vec<String> = table.key.iter().map(|column| quote(column)).collect();
    let (table_name, quoted) = (quote(&found.name), quoted.join(", "));
    let parameters = vec!["?"; table.key.len()].join(", ");
    let probe = format!("insert into {table_name} ({quoted}) values ({parameters}) on conflict ({quoted}) do nothing");
    let error = connection.prepare(&probe).err()?;
    if !error.to_string().contains("ON CONFLICT clause does not match") {
        return None;
    }
    let (name, key) = (table.full_name(), table.key.join(", "));
    let message = format!(
        "the key ({key}) of {name} in sink `{sink}` is backed by no primary key or unique index; add one (create unique index \
         {}_key on {table_name} ({quoted})) or correct the manifest",
        table.table
    );
    Some(Cause::new(Reason::Schema, message))
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>, Error> {
    let mut columns = connection.prepare(COLUMNS)?;
    let column = |row: &rusqlite::Row<'_>| {
        Ok(Column {
            name: row.get(0)?,
            type_name: row.get::<_, String>(1)?.to_ascii_uppercase(),
            is_not_null: row.get(2)?,
            has_default: !row.get::<_, String>(3)?.eq_ignore_ascii_case("null"),
            is_key: row.get::<_, i64>(4)? > 0,
            is_generated: row.get::<_, i64>(5)? > 0,
        })
    };
    columns.query_map([table], column)?.collect()
}

fn indexes(connection: &Connection, table: &str) -> Result<Vec<Index>, Error> {
    let mut unique = connection.prepare(UNIQUE)?;
    let mut rows = unique.query([table])?;
    let mut indexes: Vec<Index> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, column, collation): (String, Option<String>, String) = (row.get(0)?, row.get(3)?, row.get(4)?);
        if indexes.last().is_none_or(|last| last.name != name) {
            let (is_partial, is_primary) = (row.get(1)?, row.get(2)?);
            indexes.push(Index { name, is_partial, is_primary, columns: Vec::new(), collated: Vec::new() });
        }
        if let Some(last) = indexes.last_mut() {
            last.collated.extend(column.clone().filter(|_| collation != "BINARY"));
            last.columns.push(column);
        }
    }
    Ok(indexes)
}

/// Returns the column that is the row's id: the one primary key that no index stands for.
fn row_id<'a>(columns: &'a [Column], indexes: &[Index]) -> Option<&'a Column> {
    let has_index = indexes.iter().any(|index| index.is_primary);
    columns.iter().find(|column| column.is_key).filter(|_| !has_index)
}

fn facts(column: &Column, row_id: Option<&Column>, collated: &[&String]) -> ColumnFacts {
    let is_row_id = row_id.is_some_and(|row_id| row_id.name == column.name);
    let storage = match column.type_name.as_str() {
        "INT" | "INTEGER" => Storage::Integer,
        "REAL" => Storage::Real,
        "TEXT" if collated.contains(&&column.name) => Storage::CollatedText,
        "TEXT" => Storage::Text,
        "BLOB" => Storage::Blob,
        _ => Storage::Any,
    };
    ColumnFacts {
        name: column.name.clone(),
        kind: ColumnKind::Sqlite(storage),
        type_name: column.type_name.clone(),
        is_nullable: !column.is_not_null && !column.is_key,
        // SQLite gives a row without an id the next one.
        has_default: column.has_default || is_row_id,
        is_generated: column.is_generated,
    }
}

/// Whether a word stands in a table's SQL; in a comment as well, which does no harm.
fn has_word(sql: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    sql.split(|letter| !is_part(letter)).any(|found| found.eq_ignore_ascii_case(word))
}
