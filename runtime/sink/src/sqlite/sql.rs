//! The text of a statement over one row. Equal shapes give equal text, which the connection prepares once. `or abort`
//! overrules what a table's own constraints say about conflicts: a row is refused, never replaced or left out silently.

use forebay_core::manifest::settings::OnConflict;
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::Statement;
use forebay_core::plan::storage::Storage;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableTarget};

use crate::sqlite::decimal::SUM;

/// Returns the statement's text; its parameters are a row's values, in order.
pub(super) fn text(statement: &Statement<'_>, table: &TableTarget) -> String {
    let columns: Vec<Column<'_>> = statement
        .columns
        .iter()
        .enumerate()
        .filter_map(|(index, column)| {
            let facts = table.facts(*column)?;
            Some(Column { facts, parameter: index + 1, is_key: table.key.contains(column) })
        })
        .collect();
    let name = &table.facts.sql_name;
    match statement.op {
        Op::Insert => insert(table, &columns, |column| format!("?{}", column.parameter)),
        Op::Upsert => {
            insert(table, &columns, |column| format!("?{}", column.parameter)) + &on_conflict(table, &columns)
        }
        Op::Add => insert(table, &columns, |column| column.summand()) + &add(table, &columns),
        Op::Update => {
            let set = set(&columns, |column| format!("?{}", column.parameter)).join(", ");
            format!("update or abort {name} as t set {set} where {}", matches(&columns))
        }
        Op::Delete => format!("delete from {name} as t where {}", matches(&columns)),
    }
}

/// Quotes a name.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Column<'a> {
    facts: &'a ColumnFacts,
    parameter: usize,
    is_key: bool,
}

impl Column<'_> {
    fn quoted(&self) -> String {
        quote(&self.facts.name)
    }

    /// What a row that is made by `add` starts with: NULL adds nothing.
    fn summand(&self) -> String {
        let parameter = self.parameter;
        match (self.is_key, self.is_decimal()) {
            (true, _) => format!("?{parameter}"),
            (false, true) => format!("{SUM}(null, ?{parameter})"),
            (false, false) => format!("coalesce(?{parameter}, 0)"),
        }
    }

    fn sum(&self) -> String {
        let name = self.quoted();
        match self.is_decimal() {
            true => format!("{SUM}(t.{name}, excluded.{name})"),
            false => format!("coalesce(t.{name}, 0) + excluded.{name}"),
        }
    }

    /// Whether numbers are stored as text.
    fn is_decimal(&self) -> bool {
        matches!(self.facts.kind, ColumnKind::Sqlite(Storage::Text | Storage::CollatedText))
    }
}

fn insert(table: &TableTarget, columns: &[Column<'_>], value: impl Fn(&Column<'_>) -> String) -> String {
    let names: Vec<String> = columns.iter().map(Column::quoted).collect();
    let values: Vec<String> = columns.iter().map(value).collect();
    let name = &table.facts.sql_name;
    format!("insert or abort into {name} as t ({}) values ({})", names.join(", "), values.join(", "))
}

/// The conflict's target is always named: another unique constraint is no conflict but a refusal.
fn on_conflict(table: &TableTarget, columns: &[Column<'_>]) -> String {
    let key = key(table);
    let set = set(columns, |column| format!("excluded.{}", column.quoted()));
    let condition = match &table.settings.on_conflict {
        OnConflict::Overwrite => String::new(),
        OnConflict::Newest(column) => {
            let column = quote(column);
            format!(" where t.{column} is null or excluded.{column} >= t.{column}")
        }
        OnConflict::Keep => return format!(" on conflict ({key}) do nothing"),
    };
    match set.is_empty() {
        true => format!(" on conflict ({key}) do nothing"),
        false => format!(" on conflict ({key}) do update set {}{condition}", set.join(", ")),
    }
}

fn add(table: &TableTarget, columns: &[Column<'_>]) -> String {
    let set = set(columns, |column| column.sum());
    let action = if set.is_empty() { "nothing".to_owned() } else { format!("update set {}", set.join(", ")) };
    format!(" on conflict ({}) do {action}", key(table))
}

fn set(columns: &[Column<'_>], value: impl Fn(&Column<'_>) -> String) -> Vec<String> {
    let others = columns.iter().filter(|column| !column.is_key);
    others.map(|column| format!("{} = {}", column.quoted(), value(column))).collect()
}

fn matches(columns: &[Column<'_>]) -> String {
    let keys = columns.iter().filter(|column| column.is_key);
    let pairs: Vec<String> = keys.map(|column| format!("t.{} = ?{}", column.quoted(), column.parameter)).collect();
    pairs.join(" and ")
}

fn key(table: &TableTarget) -> String {
    let names: Vec<String> = table.settings.key.iter().map(|name| quote(name)).collect();
    names.join(", ")
}
