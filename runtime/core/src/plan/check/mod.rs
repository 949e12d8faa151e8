//! The host's own look at an outcome before any SQL: unknown targets and columns, values that do not fit, missing
//! keys. What fails here is that message's `contract` fault; what passes can be planned without further questions.

use crate::fault::{Class, Fault};
use crate::outcome::{Column, Effect, Outcome, Publish, Row, Value};
use crate::plan::fit::{self, Misfit};
use crate::plan::target::{ColumnKind, TableTarget, TargetKind, Targets, TopicTarget};

/// Prefixes of header names that only the host writes.
pub const RESERVED_HEADERS: [&str; 2] = ["forebay.", "__dlq."];

/// What a batch's header takes on the wire besides keys, values and headers; a generous bound.
const MESSAGE_OVERHEAD: usize = 256;

/// How a row is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// `effect.upsert`
    Upsert,
    /// `effect.insert`
    Insert,
    /// `effect.update`
    Update,
    /// `effect.add`
    Add,
    /// `effect.delete`
    Delete,
}

impl Op {
    /// Returns the name that the contract and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Add => "add",
            Self::Delete => "delete",
        }
    }
}

/// Returns the row of an effect and how it is applied, `None` for a publish.
pub fn row_of(effect: &Effect) -> Option<(Op, &Row)> {
    match effect {
        Effect::Upsert(row) => Some((Op::Upsert, row)),
        Effect::Insert(row) => Some((Op::Insert, row)),
        Effect::Update(row) => Some((Op::Update, row)),
        Effect::Add(row) => Some((Op::Add, row)),
        Effect::Delete(row) => Some((Op::Delete, row)),
        Effect::Publish(_) => None,
    }
}

/// Checks one outcome against the binding's targets.
///
/// # Errors
/// The first `contract` fault, with its place.
pub fn outcome(outcome: &Outcome, targets: &Targets) -> Result<(), Fault> {
    let Outcome::Ok(effects) = outcome else { return Ok(()) };
    effects.iter().try_for_each(|effect| match row_of(effect) {
        Some((op, row)) => row_effect(op, row, targets),
        None => match effect {
            Effect::Publish(publish) => publish_effect(publish, targets),
            _ => Ok(()),
        },
    })
}

fn row_effect(op: Op, row: &Row, targets: &Targets) -> Result<(), Fault> {
    let table = match targets.index(&row.target).and_then(|index| targets.get(index)) {
        None => return unknown_target(&row.target, targets),
        Some(target) => match &target.kind {
            TargetKind::Table(table) => table,
            TargetKind::Topic(_) => {
                let what =
                    format!("`{}` of target `{}`, which is a topic: only `publish` fits it", op.as_str(), row.target);
                return fault("wrong-target", what, &row.target);
            }
        },
    };
    if table.key.is_empty() && op != Op::Insert {
        let what =
            format!("`{}` of target `{}`, whose binding names no key: only `insert` fits it", op.as_str(), row.target);
        return fault("missing-key", what, &row.target);
    }
    let mut given = Given::default();
    for column in &row.columns {
        let index = column_effect(op, row, column, table)?;
        if !given.insert(index) {
            return fault(
                "duplicate-column",
                format!("column `{}` twice in one row", column.name),
                &place(row, &column.name),
            );
        }
    }
    complete(op, row, table, &given)
}

/// Columns that a row gives: a bit for each of the first ones, and a list of the others.
#[derive(Default)]
struct Given {
    bits: u128,
    others: Vec<usize>,
}

impl Given {
    /// Adds a column; returns whether it was not there before.
    fn insert(&mut self, index: usize) -> bool {
        let is_new = !self.contains(index);
        match 1_u128.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)) {
            Some(bit) => self.bits |= bit,
            None => self.others.push(index),
        }
        is_new
    }

    fn contains(&self, index: usize) -> bool {
        match 1_u128.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)) {
            Some(bit) => self.bits & bit != 0,
            None => self.others.contains(&index),
        }
    }
}

/// Checks one value and returns its column's index.
fn column_effect(op: Op, row: &Row, column: &Column, table: &TableTarget) -> Result<usize, Fault> {
    // Only for what does not fit: nearly every value does.
    let site = || place(row, &column.name);
    let Some((index, facts)) = table.column(&column.name).and_then(|index| Some((index, table.facts(index)?))) else {
        let what = format!("target `{}` has no column `{}` ({})", row.target, column.name, known_columns(table));
        return fault("unknown-column", what, &site()).map(|()| 0);
    };
    let is_key = table.key.contains(&index);
    if facts.is_generated {
        let what = format!("column `{}` of target `{}` is generated by the database", column.name, row.target);
        return fault("generated-column", what, &site()).map(|()| 0);
    }
    if op == Op::Delete && !is_key {
        let what =
            format!("`delete` of target `{}` names column `{}`, which is no key column", row.target, column.name);
        return fault("extra-columns", what, &site()).map(|()| 0);
    }
    let is_no_summand = matches!(column.value, Value::Boolean(_) | Value::Bytes(_) | Value::TimestampMicros(_));
    if op == Op::Add && !is_key && is_no_summand {
        let what = format!("`add` to column `{}` of target `{}` of what is no number", column.name, row.target);
        return fault("type", what, &site()).map(|()| 0);
    }
    if op == Op::Add && !is_key && !is_numeric(facts.kind) {
        let what =
            format!("`add` to column `{}` of target `{}`, which is {}", column.name, row.target, facts.type_name);
        return fault("type", what, &site()).map(|()| 0);
    }
    // A key is never null, and adding null adds nothing.
    let is_null_summand = op == Op::Add && !is_key && column.value == Value::Null;
    let fits = match &column.value {
        Value::Null if is_key && op != Op::Insert => Err(Misfit { code: "null", what: "null in the key".to_owned() }),
        Value::Null if is_null_summand => Ok(()),
        value => fit::fit(value, facts),
    };
    match fits {
        Ok(()) => Ok(index),
        Err(Misfit { code, what }) => {
            fault(code, format!("{what}, in column `{}` of target `{}`", column.name, row.target), &site()).map(|()| 0)
        }
    }
}

/// Checks that nothing needed is left out.
fn complete(op: Op, row: &Row, table: &TableTarget, given: &Given) -> Result<(), Fault> {
    let is_given = |index: usize| given.contains(index);
    for (index, facts) in table.facts.columns.iter().enumerate() {
        let is_key = table.key.contains(&index);
        if is_key && op != Op::Insert && !is_given(index) {
            let what = format!("`{}` of target `{}` without its key column `{}`", op.as_str(), row.target, facts.name);
            return fault("missing-key", what, &place(row, &facts.name));
        }
        // An upsert's row must be complete even where it exists: PostgreSQL checks NOT NULL before the conflict.
        let must_be_complete = matches!(op, Op::Upsert | Op::Insert | Op::Add);
        if must_be_complete && !facts.is_nullable && !facts.has_default && !is_given(index) {
            let what = format!(
                "`{}` of target `{}` without column `{}`, which may not be null and has no default (`update` changes \
                 single columns of a row that is there)",
                op.as_str(),
                row.target,
                facts.name
            );
            return fault("null", what, &place(row, &facts.name));
        }
    }
    if op == Op::Insert && row.columns.is_empty() {
        return fault("missing-column", format!("`insert` of target `{}` names no column", row.target), &row.target);
    }
    if op == Op::Update && row.columns.len() == table.key.len() {
        return fault("missing-column", format!("`update` of target `{}` changes no column", row.target), &row.target);
    }
    Ok(())
}

fn publish_effect(publish: &Publish, targets: &Targets) -> Result<(), Fault> {
    let Some(target) = targets.index(&publish.target).and_then(|index| targets.get(index)) else {
        return unknown_target(&publish.target, targets);
    };
    let TargetKind::Topic(topic) = &target.kind else {
        let what = format!("`publish` to target `{}`, which is a table", publish.target);
        return fault("wrong-target", what, &publish.target);
    };
    for header in &publish.headers {
        if RESERVED_HEADERS.iter().any(|reserved| header.name.starts_with(reserved)) {
            let what = format!("header `{}`, whose prefix is the host's own", header.name);
            return fault("reserved-header", what, &publish.target);
        }
        if header.name.contains('\0') {
            return fault("nul-byte", "a header name with a NUL byte".to_owned(), &publish.target);
        }
    }
    fits_topic(publish, topic)
}

fn fits_topic(publish: &Publish, topic: &TopicTarget) -> Result<(), Fault> {
    if topic.is_compacted && publish.key.is_none() {
        let what = format!("a message without a key, and topic `{}` is compacted", topic.topic);
        return fault("missing-key", what, &publish.target);
    }
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers: usize = publish.headers.iter().map(|header| header.name.len() + length(&header.value) + 10).sum();
    let bytes = length(&publish.key) + length(&publish.value) + headers + MESSAGE_OVERHEAD;
    if bytes <= topic.max_bytes {
        return Ok(());
    }
    let what = format!("a message of {bytes} bytes, and topic `{}` takes {}", topic.topic, topic.max_bytes);
    fault("too-large", what, &publish.target)
}

fn is_numeric(kind: ColumnKind) -> bool {
    use ColumnKind::{Float4, Float8, Int2, Int4, Int8, Numeric};
    match kind {
        ColumnKind::Sqlite(storage) => storage.is_numeric(),
        kind => matches!(kind, Int2 | Int4 | Int8 | Float4 | Float8 | Numeric(_)),
    }
}

fn unknown_target(name: &str, targets: &Targets) -> Result<(), Fault> {
    let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let shown: String = name.chars().take(100).collect();
    fault("unknown-target", format!("target `{shown}` is not one of the binding's ({known})"), &shown)
}

fn known_columns(table: &TableTarget) -> String {
    let names: Vec<&str> = table.facts.columns.iter().map(|column| column.name.as_str()).take(50).collect();
    format!("{} has {}", table.settings.full_name(), names.join(", "))
}

fn place(row: &Row, column: &str) -> String {
    let column: String = column.chars().take(100).collect();
    format!("{}.{column}", row.target)
}

fn fault(code: &'static str, message: String, site: &str) -> Result<(), Fault> {
    Err(Fault { class: Class::Contract, code: code.to_owned(), message, site: site.to_owned() })
}

#[cfg(test)]
mod tests;
