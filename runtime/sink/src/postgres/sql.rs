//! The text of one bulk statement: arrays in, rows out, cast to the catalogue's types. Equal shapes give equal text,
//! which the connection prepares once.

use std::fmt::Write as _;

use forebay_core::manifest::settings::{Fold, Missing, OnConflict};
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::Statement;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableTarget};

use crate::postgres::bind::Wire;

/// Where a statement's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Parameters of its own: an array for each column.
    Parameters,
    /// The step under way of a function, which has one row.
    Row,
    /// The step under way of a function, which has several rows.
    Rows,
}

impl Source {
    /// The rows, as `v` with the columns `c0`, `c1` and so on.
    fn rows(self, wires: &[Wire]) -> String {
        let names: Vec<String> = (0..wires.len()).map(|index| format!("c{index}")).collect();
        let values: Vec<String> = (0..wires.len()).map(|index| self.value(wires, index)).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        match self {
            Self::Parameters => format!("unnest({values}) as v({names})"),
            Self::Row => format!("(select {values}) as v({names})"),
            Self::Rows => format!("(select {values} from generate_series(0, forebay.n - 1) as g(i)) as v({names})"),
        }
    }

    /// The array of the column at `index`, or its element in the row under way: columns of one type stand in one array,
    /// one after the other. The qualified names can not be taken for columns.
    fn value(self, wires: &[Wire], index: usize) -> String {
        let Some(wire) = wires.get(index) else { return String::new() };
        let name = wire.type_name();
        let before = wires.iter().take(index).filter(|other| *other == wire).count();
        match self {
            Self::Parameters => format!("${}::{name}[]", index + 1),
            Self::Row => format!("forebay.{name}s[forebay.{name}s_at + {before}]"),
            Self::Rows => format!("forebay.{name}s[forebay.{name}s_at + {before} * forebay.n + g.i]"),
        }
    }

    /// How many rows there are.
    fn count(self, wires: &[Wire]) -> String {
        match self {
            Self::Parameters => format!("${}::int8", wires.len() + 1),
            Self::Row | Self::Rows => "forebay.n".to_owned(),
        }
    }

    /// Where a query's row goes: a function must put it somewhere.
    fn into(self) -> &'static str {
        match self {
            Self::Parameters => "",
            Self::Row | Self::Rows => " into forebay.counted",
        }
    }
}

/// Returns the text of a statement whose columns travel as `wires`.
pub(super) fn text(statement: &Statement<'_>, table: &TableTarget, wires: &[Wire], source: Source) -> String {
    let columns: Vec<Column<'_>> = statement
        .columns
        .iter()
        .zip(wires)
        .enumerate()
        .filter_map(|(index, (column, wire))| {
            let is_key = table.key.contains(column);
            Some(Column { facts: table.facts(*column)?, wire: *wire, name: format!("v.c{index}"), is_key })
        })
        .collect();
    let rows = source.rows(wires);
    match statement.op {
        Op::Insert => insert(table, &columns, &rows),
        Op::Upsert => insert(table, &columns, &rows) + &on_conflict(table, &columns),
        Op::Add => add(table, &columns, &rows),
        Op::Update => update(table, &columns, &rows, (&source.count(wires), source.into())),
        Op::Delete => format!("delete from {} as t using {rows} where {}", table.facts.sql_name, matches(&columns)),
    }
}

/// What an update of a row that is not there casts to a number: no other fault of a row looks like that.
pub(super) const MISSING_ROW: &str = "forebay: missing row";

struct Column<'a> {
    facts: &'a ColumnFacts,
    wire: Wire,
    name: String,
    is_key: bool,
}

impl Column<'_> {
    fn quoted(&self) -> String {
        quote(&self.facts.name)
    }

    /// The value in the column's type. Text goes into varchar by assignment, which refuses what is too long, where a
    /// cast would cut it.
    fn value(&self) -> String {
        let name = &self.name;
        match (self.facts.kind, self.wire) {
            (ColumnKind::Text(_), Wire::Text) | (ColumnKind::Int8, Wire::Int8) => name.clone(),
            (ColumnKind::Timestamp, Wire::Timestamptz) => format!("({name} at time zone 'UTC')"),
            _ => format!("{name}::{}", self.facts.type_name),
        }
    }
}

fn insert(table: &TableTarget, columns: &[Column<'_>], rows: &str) -> String {
    let names: Vec<String> = columns.iter().map(Column::quoted).collect();
    let values: Vec<String> = columns.iter().map(Column::value).collect();
    format!("insert into {} as t ({}) select {} from {rows}", table.facts.sql_name, names.join(", "), values.join(", "))
}

/// The conflict's target is always named: another unique constraint is no conflict but a refusal.
fn on_conflict(table: &TableTarget, columns: &[Column<'_>]) -> String {
    let key = key(table);
    let set: Vec<String> = columns
        .iter()
        .filter(|column| !column.is_key)
        .map(|column| format!("{0} = excluded.{0}", column.quoted()))
        .collect();
    let condition = match &table.settings.on_conflict {
        OnConflict::Keep => return format!(" on conflict ({key}) do nothing"),
        OnConflict::Overwrite => String::new(),
        OnConflict::Newest(column) => {
            let column = quote(column);
            format!(" where t.{column} is null or excluded.{column} >= t.{column}")
        }
    };
    if set.is_empty() {
        return format!(" on conflict ({key}) do nothing");
    }
    format!(" on conflict ({key}) do update set {}{condition}", set.join(", "))
}

/// Sums in SQL, with NULL as 0, in the order of keys; in the order of the log where that could make a difference, and then
/// no key comes twice.
fn add(table: &TableTarget, columns: &[Column<'_>], rows: &str) -> String {
    let names: Vec<String> = columns.iter().map(Column::quoted).collect();
    let keeps_order = table.facts.is_strict && table.settings.fold != Fold::Always;
    let sum = |column: &Column<'_>| match (column.is_key, keeps_order) {
        (true, _) => column.value(),
        (false, true) => format!("coalesce({}, 0)", column.value()),
        (false, false) => format!("sum(coalesce({}, 0))::{}", column.value(), column.facts.type_name),
    };
    let values: Vec<String> = columns.iter().map(sum).collect();
    let keys: Vec<String> = columns.iter().filter(|column| column.is_key).map(Column::value).collect();
    let set: Vec<String> = columns
        .iter()
        .filter(|column| !column.is_key)
        .map(|column| format!("{0} = coalesce(t.{0}, 0) + excluded.{0}", column.quoted()))
        .collect();
    let action = if set.is_empty() { "nothing".to_owned() } else { format!("update set {}", set.join(", ")) };
    let (table_name, names, values, keys, key) =
        (&table.facts.sql_name, names.join(", "), values.join(", "), keys.join(", "), key(table));
    let grouped = if keeps_order { String::new() } else { format!(" group by {keys} order by {keys}") };
    format!(
        "insert into {table_name} as t ({names}) select {values} from {rows}{grouped} on conflict ({key}) do {action}"
    )
}

/// The server itself counts what was changed: an update of a row that is not there must undo the whole transaction.
fn update(table: &TableTarget, columns: &[Column<'_>], rows: &str, (count, into): (&str, &str)) -> String {
    let mut set = String::new();
    for column in columns.iter().filter(|column| !column.is_key) {
        let comma = if set.is_empty() { "" } else { ", " };
        let _infallible = write!(set, "{comma}{} = {}", column.quoted(), column.value());
    }
    let change = format!("update {} as t set {set} from {rows} where {}", table.facts.sql_name, matches(columns));
    match table.settings.missing {
        Missing::Ignore => change,
        Missing::Reject => format!(
            "with changed as ({change} returning 1) \
             select (case when count(*) = {count} then '1' else '{MISSING_ROW}' end)::int4{into} from changed"
        ),
    }
}

fn matches(columns: &[Column<'_>]) -> String {
    let keys = columns.iter().filter(|column| column.is_key);
    let pairs: Vec<String> = keys.map(|column| format!("t.{} = {}", column.quoted(), column.value())).collect();
    pairs.join(" and ")
}

fn key(table: &TableTarget) -> String {
    let names: Vec<String> = table.settings.key.iter().map(|name| quote(name)).collect();
    names.join(", ")
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
