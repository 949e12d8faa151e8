//! A binding's targets with what the database says of their tables: what an effect is checked and planned against.

use std::collections::HashMap;
use std::sync::Arc;

use crate::manifest::settings;
use crate::plan::storage::Storage;

/// Up to so many names are found faster by looking at each than by a hash: every value of every row is looked up.
const SCANNED: usize = 24;

/// A binding's targets, in the manifest's order.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    list: Vec<Target>,
    by_name: HashMap<String, usize>,
}

/// One target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its logical name.
    pub name: String,
    /// What it stands for.
    pub kind: TargetKind,
}

/// What a target stands for.
#[derive(Debug, Clone)]
pub enum TargetKind {
    /// A table.
    Table(Box<TableTarget>),
    /// A topic.
    Topic(TopicTarget),
}

/// A topic that a handler may publish to.
#[derive(Debug, Clone)]
pub struct TopicTarget {
    /// The topic.
    pub topic: Arc<str>,
    /// The largest message the topic takes, in bytes.
    pub max_bytes: usize,
    /// Whether the topic is compacted, and so refuses a message without a key.
    pub is_compacted: bool,
}

/// A table that a handler may write to.
#[derive(Debug, Clone)]
pub struct TableTarget {
    /// What the manifest says.
    pub settings: settings::Table,
    /// What the database says.
    pub facts: Arc<TableFacts>,
    /// Indices of the key's columns in the facts, in the manifest's order.
    pub key: Vec<usize>,
    /// Index of the column of `newest(…)`.
    pub newest: Option<usize>,
    by_name: HashMap<String, usize>,
    allowed: Vec<bool>,
}

/// What the database says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// The quoted, qualified name for SQL.
    pub sql_name: String,
    /// Every column a statement could name.
    pub columns: Vec<ColumnFacts>,
    /// Whether something besides the key, NOT NULL and types could refuse or change a row: a check, another unique or
    /// exclusion constraint, a foreign key on either side, a domain, a row trigger, or a rule.
    pub is_strict: bool,
    /// Quoted names of the constraints that are checked as late as COMMIT.
    pub deferred: Vec<String>,
    /// Whether appending by the protocol for bulk loads means the same as inserting: no view, no rule, no row security.
    pub takes_copy: bool,
}

/// What the database says of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// What values fit it.
    pub kind: ColumnKind,
    /// The type's name for casts, without length or precision.
    pub type_name: String,
    /// Whether NULL may be stored.
    pub is_nullable: bool,
    /// Whether a row may leave it out although it is not nullable.
    pub has_default: bool,
    /// Whether only the database may set it.
    pub is_generated: bool,
}

/// What values fit a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// smallint
    Int2,
    /// integer
    Int4,
    /// bigint
    Int8,
    /// real
    Float4,
    /// double precision
    Float8,
    /// numeric, with the most digits before the point where it has a precision.
    Numeric(Option<u32>),
    /// boolean
    Boolean,
    /// bytea
    Bytea,
    /// timestamp with time zone
    Timestamptz,
    /// timestamp without time zone, taken as UTC
    Timestamp,
    /// text or varchar, with its most characters
    Text(Option<u32>),
    /// uuid
    Uuid,
    /// date
    Date,
    /// Any other: only `text` in its input syntax fits.
    Other,
    /// A storage class of SQLite.
    Sqlite(Storage),
}

/// Why a table can not be a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table {table} has no column `{column}`, which the manifest names; add the column or correct the manifest")]
pub struct NoSuchColumn {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

impl Targets {
    /// Returns the targets with an index by name.
    pub fn new(list: Vec<Target>) -> Self {
        let by_name = list.iter().enumerate().map(|(index, target)| (target.name.clone(), index)).collect();
        Self { list, by_name }
    }

    /// Returns the index of the target of this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        if self.list.len() <= SCANNED {
            return self.list.iter().position(|target| target.name == name);
        }
        self.by_name.get(name).copied()
    }

    /// Returns the target at `index`.
    pub fn get(&self, index: usize) -> Option<&Target> {
        self.list.get(index)
    }

    /// Returns the table at `index`.
    pub fn table(&self, index: usize) -> Option<&TableTarget> {
        match &self.list.get(index)?.kind {
            TargetKind::Table(table) => Some(table),
            TargetKind::Topic(_) => None,
        }
    }

    /// Returns all targets in the manifest's order.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.list.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl TableTarget {
    /// Joins what the manifest and what the database say.
    ///
    /// # Errors
    /// Where the manifest names a column that the table does not have.
    pub fn try_new(settings: settings::Table, facts: Arc<TableFacts>) -> Result<Self, NoSuchColumn> {
        let by_name: HashMap<String, usize> =
            facts.columns.iter().enumerate().map(|(index, column)| (column.name.clone(), index)).collect();
        let find = |name: &String| {
            let missing = || NoSuchColumn { table: settings.full_name(), column: name.clone() };
            by_name.get(name).copied().ok_or_else(missing)
        };
        let key = settings.key.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let newest = match &settings.on_conflict {
            settings::OnConflict::Newest(column) => Some(find(column)?),
            settings::OnConflict::Overwrite | settings::OnConflict::Keep => None,
        };
        let mut allowed = vec![settings.columns.is_none(); facts.columns.len()];
        for name in settings.columns.iter().flatten() {
            if let Some(slot) = allowed.get_mut(find(name)?) {
                *slot = true;
            }
        }
        Ok(Self { settings, facts, key, newest, by_name, allowed })
    }

    /// Returns the index of a column that a handler may name.
    pub fn column(&self, name: &str) -> Option<usize> {
        let index = match self.facts.columns.len() {
            ..=SCANNED => self.facts.columns.iter().position(|column| column.name == name)?,
            _ => self.by_name.get(name).copied()?,
        };
        self.allowed.get(index).copied().unwrap_or_default().then_some(index)
    }

    /// Returns whether the column at `index` belongs to the key.
    pub fn is_key(&self, index: usize) -> bool {
        self.key.contains(&index)
    }

    /// Returns the facts of the column at `index`.
    pub fn facts(&self, index: usize) -> Option<&ColumnFacts> {
        self.facts.columns.get(index)
    }
}
