//! The configuration as a whole.

use forebay_fields::Table;
use forebay_plugin::Result;
use forebay_plugin::serde_json::Value;

use crate::row::RowPlan;
use crate::rule::{RejectRule, SkipRule};

/// What becomes of each message.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) tombstone: Tombstone,
    pub(crate) skip: Vec<SkipRule>,
    pub(crate) reject: Vec<RejectRule>,
    pub(crate) rows: Vec<RowPlan>,
}

/// What becomes of a message without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tombstone {
    Reject,
    Skip,
    Delete,
}

const KEYS: [&str; 4] = ["rows", "skip", "reject", "tombstone"];

const TOMBSTONES: [(&str, Tombstone); 3] =
    [("reject", Tombstone::Reject), ("skip", Tombstone::Skip), ("delete", Tombstone::Delete)];

impl Plan {
    /// Reads the configuration.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub(crate) fn read(config: &Value) -> Result<Self> {
        forebay_fields::read(config, Self::read_table)
    }

    fn read_table(table: &Table<'_>) -> Option<Self> {
        let rows = rows(table);
        let rules = |name| table.get(name).and_then(|field| field.array()).unwrap_or_default();
        let skip: Vec<_> = rules("skip").iter().map(|field| SkipRule::read(&field.table()?)).collect();
        let reject: Vec<_> = rules("reject").iter().map(|field| RejectRule::read(&field.table()?)).collect();
        let tombstone = match table.get("tombstone") {
            Some(field) => field.word("choice", &TOMBSTONES),
            None => Some(Tombstone::Reject),
        };
        let (rows, tombstone) = (rows?, tombstone?);
        if tombstone == Tombstone::Delete && !rows.iter().any(RowPlan::has_key_beside_value) {
            table.wrong(
                "`tombstone = \"delete\"` wants a `key` that a message without a value has, such as \
                 `key = { order_id = \"record:key\" }`",
            );
        }
        Some(Self {
            tombstone,
            skip: skip.into_iter().collect::<Option<_>>()?,
            reject: reject.into_iter().collect::<Option<_>>()?,
            rows,
        })
    }
}

/// One row stands in the table itself, several in an array.
fn rows(table: &Table<'_>) -> Option<Vec<RowPlan>> {
    table.only(&[&RowPlan::KEYS[..], &KEYS].concat());
    let Some(field) = table.get("rows") else {
        return RowPlan::read(table).map(|row| vec![row]);
    };
    for (name, field) in table.fields().filter(|(name, _)| RowPlan::KEYS.contains(name)) {
        field.wrong(format!("`{name}` stands beside `rows`; it belongs into one of them"));
    }
    let fields = field.array()?;
    if fields.is_empty() {
        field.wrong("has no row in it");
    }
    let read = |table: Table<'_>| {
        table.only(&RowPlan::KEYS);
        RowPlan::read(&table)
    };
    let rows: Vec<Option<RowPlan>> = fields.iter().map(|field| read(field.table()?)).collect();
    rows.into_iter().collect()
}
