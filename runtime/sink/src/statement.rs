//! The statements that make what a manifest names and a database does not have. Types are a proposal: only the handler's
//! author knows them.

use forebay_core::manifest::settings::{OnConflict, Table};

/// What types are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL's.
    Postgres,
    /// SQLite's, for STRICT tables.
    Sqlite,
}

/// Returns a table with every column that the manifest names; `None` where it names none.
pub fn create_table(table: &Table, dialect: Dialect) -> Option<String> {
    let mut columns: Vec<&str> = Vec::new();
    let newest = newest(table);
    let named = table.key.iter().chain(table.columns.iter().flatten()).map(String::as_str).chain(newest);
    for column in named {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    if columns.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = columns.iter().map(|column| definition(table, column, dialect)).collect();
    if !table.key.is_empty() {
        let key: Vec<String> = table.key.iter().map(|column| quote(column)).collect();
        lines.push(format!("primary key ({})", key.join(", ")));
    }
    let end = if dialect == Dialect::Sqlite { ") strict" } else { ")" };
    let note = "-- choose each column's type, and add those that the handler writes besides";
    Some(format!("create table {} ( {note}\n  {}\n{end};", full_name(table), lines.join(",\n  ")))
}

/// Returns the statement that adds a column.
pub fn add_column(table: &Table, column: &str, dialect: Dialect) -> String {
    let definition = format!("{} {}", quote(column), type_of(table, column, dialect));
    format!("alter table {} add column {definition}; -- choose its type", full_name(table))
}

/// Returns a table's name in quotes, as far as they are needed.
pub fn full_name(table: &Table) -> String {
    match &table.schema {
        Some(schema) => format!("{}.{}", quote(schema), quote(&table.table)),
        None => quote(&table.table),
    }
}

fn definition(table: &Table, column: &str, dialect: Dialect) -> String {
    let not_null = if table.key.iter().any(|key| key == column) { " not null" } else { "" };
    format!("{} {}{not_null}", quote(column), type_of(table, column, dialect))
}

fn type_of(table: &Table, column: &str, dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres if newest(table) == Some(column) => "timestamptz",
        Dialect::Postgres | Dialect::Sqlite => "text",
    }
}

fn newest(table: &Table) -> Option<&str> {
    match &table.on_conflict {
        OnConflict::Newest(column) => Some(column),
        OnConflict::Overwrite | OnConflict::Keep => None,
    }
}

/// Plain lower-case names stand as they are: a statement is for people, too.
fn quote(name: &str) -> String {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if is_plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The reserved words that somebody may take for a column's or a table's name.
const RESERVED: [&str; 18] = [
    "all", "analyse", "array", "case", "check", "column", "default", "desc", "end", "from", "group", "limit", "offset",
    "order", "primary", "select", "table", "user",
];

#[cfg(test)]
mod tests {
    use forebay_core::manifest::settings::{Fold, Missing};

    use super::*;

    #[test]
    fn a_table_has_every_column_that_the_manifest_names() {
        let table = Table {
            sink: "s".to_owned(),
            schema: Some("public".to_owned()),
            table: "order".to_owned(),
            key: vec!["id".to_owned()],
            columns: Some(vec!["id".to_owned(), "What".to_owned()]),
            on_conflict: OnConflict::Newest("at".to_owned()),
            missing: Missing::Reject,
            fold: Fold::Auto,
        };
        let postgres = "create table public.\"order\" ( -- choose each column's type, and add those that the handler writes \
                        besides\n  id text not null,\n  \"What\" text,\n  at timestamptz,\n  primary key (id)\n);";
        assert_eq!(create_table(&table, Dialect::Postgres).as_deref(), Some(postgres));
        let bare = Table { key: Vec::new(), columns: None, on_conflict: OnConflict::Overwrite, ..table };
        assert_eq!(create_table(&bare, Dialect::Sqlite), None);
    }
}
