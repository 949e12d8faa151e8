//! A row that is made of a message, or of each element of a list in it.

use forebay_fields::{Condition, Element, Field, MALFORMED, MISSING_FIELD, Place, Scope, Source, Table, WRONG_TYPE};
use forebay_plugin::{Failure, Outcome, Result, Row, reject};

use crate::column::Column;

/// How rows for one target are made.
#[derive(Debug)]
pub(crate) struct RowPlan {
    target: String,
    operation: Operation,
    columns: Vec<Column>,
    /// The columns of a delete; empty where nothing is deleted.
    key: Vec<Column>,
    each: Option<Each>,
    when: Option<Condition>,
    delete_when: Option<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Upsert,
    Insert,
    Update,
    Add,
    Delete,
}

/// A list whose elements become a row each.
#[derive(Debug)]
struct Each {
    place: Place,
    is_required: bool,
}

const OPERATIONS: [(&str, Operation); 5] = [
    ("upsert", Operation::Upsert),
    ("insert", Operation::Insert),
    ("update", Operation::Update),
    ("add", Operation::Add),
    ("delete", Operation::Delete),
];

impl RowPlan {
    /// Every key of a row.
    pub(crate) const KEYS: [&'static str; 7] = ["target", "operation", "columns", "key", "each", "when", "delete-when"];

    /// Reads a row; what is wrong is noted.
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let target = table.need("target").and_then(|field| field.text());
        let operation =
            table.get("operation").map_or(Some(Operation::Upsert), |field| field.word("operation", &OPERATIONS));
        let is_delete = operation == Some(Operation::Delete);
        let columns = match (is_delete, table.get("columns")) {
            (false, _) => table.need("columns").and_then(|field| columns(&field)),
            (true, None) => Some(Vec::new()),
            (true, Some(field)) => {
                field.wrong("a delete has no columns but those of its `key`");
                None
            }
        };
        let key = table.get("key").map_or(Some(Vec::new()), |field| key(&field, columns.as_deref()));
        let each = table.get("each").map(|field| Each::read(&field));
        let condition = |name| table.get(name).map(|field| Condition::read(&field));
        let (when, delete_when) = (condition("when"), condition("delete-when"));
        if (is_delete || delete_when.is_some()) && !table.has("key") {
            table.wrong("a delete wants a `key`: the columns of the target's key, such as `key = [\"order_id\"]`");
        }
        if each.is_none() {
            for column in columns.iter().chain(&key).flatten().filter(|column| column.is_index()) {
                table.wrong(format!("column `{}` is `each:index`, and there is no `each`", column.name()));
            }
        }
        Some(Self {
            target: target?.to_owned(),
            operation: operation?,
            columns: columns?,
            key: key?,
            each: optional(each)?,
            when: optional(when)?,
            delete_when: optional(delete_when)?,
        })
    }

    /// Returns whether there is a key, and a message without a value has it, too.
    pub(crate) fn has_key_beside_value(&self) -> bool {
        !self.key.is_empty() && self.key.iter().all(Column::is_beside_value)
    }

    /// Appends what a message means for this target.
    ///
    /// # Errors
    /// Where the message is not what is wanted.
    pub(crate) fn write(&self, scope: &Scope<'_>, mut outcome: Outcome) -> Result<Outcome> {
        let Some(each) = &self.each else {
            return self.write_one(scope, None, outcome);
        };
        let Some(node) = scope.node(&each.place, None)?.filter(|node| node.raw().as_str() != "null") else {
            if each.is_required {
                let found = scope.find(&each.place, None)?.shown();
                return Err(reject(
                    MISSING_FIELD,
                    format!("`{}` is {found}, and each of its elements is a row", each.place),
                ));
            }
            return Ok(outcome);
        };
        let elements =
            node.elements().map_err(|why| reject(MALFORMED, format!("`{}` can not be read: {why}", each.place)))?;
        let Some(elements) = elements else {
            let found = scope.find(&each.place, None)?.shown();
            return Err(reject(WRONG_TYPE, format!("`{}` is {found}, expected an array", each.place)));
        };
        for (index, node) in elements.iter().enumerate() {
            let told =
                |Failure { code, message }| reject(code, format!("element {index} of `{}`: {message}", each.place));
            outcome = self.write_one(scope, Some(Element { node, index }), outcome).map_err(told)?;
        }
        Ok(outcome)
    }

    fn write_one<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>, outcome: Outcome) -> Result<Outcome> {
        let holds = |condition: &Condition| condition.holds(scope, element);
        if !self.when.as_ref().map_or(Ok(true), holds)? {
            return Ok(outcome);
        }
        if self.delete_when.as_ref().map_or(Ok(false), holds)? {
            return Ok(outcome.delete(self.key(scope, element)?));
        }
        let row = || {
            let mut row = Row::new(&self.target);
            for column in &self.columns {
                if let Some(value) = column.value(scope, element)? {
                    row = row.set(column.name(), value);
                }
            }
            Ok::<Row, Failure>(row)
        };
        Ok(match self.operation {
            Operation::Upsert => outcome.upsert(row()?),
            Operation::Insert => outcome.insert(row()?),
            Operation::Update => outcome.update(row()?),
            Operation::Add => outcome.add(row()?),
            Operation::Delete => outcome.delete(self.key(scope, element)?),
        })
    }

    /// Makes the row of a delete.
    ///
    /// # Errors
    /// Where a column of the key is not there, or null.
    pub(crate) fn key<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<Row> {
        let mut row = Row::new(&self.target);
        for column in &self.key {
            row = row.set(column.name(), column.needed(scope, element)?);
        }
        Ok(row)
    }
}

impl Each {
    fn read(field: &Field<'_>) -> Option<Self> {
        let place = |field: &Field<'_>| {
            let place = field.parsed(Place::parse)?;
            if !matches!(place.source(), Source::Value(_) | Source::Element(_) | Source::Key(_)) {
                field.wrong(format!("`{place}` has no elements; such as \"items\""));
            }
            Some(place)
        };
        if field.value().is_string() {
            return Some(Self { place: place(field)?, is_required: true });
        }
        let table = field.table()?;
        table.only(&["path", "required"]);
        let is_required = table.get("required").map_or(Some(true), |field| field.boolean());
        let place = table.need("path").and_then(|field| place(&field));
        Some(Self { place: place?, is_required: is_required? })
    }
}

fn columns(field: &Field<'_>) -> Option<Vec<Column>> {
    let table = field.table()?;
    let columns: Vec<Option<Column>> = table.fields().map(|(name, field)| Column::read(name, &field)).collect();
    if columns.is_empty() {
        table.wrong("has no column in it; such as `order_id = \"id\"`");
    }
    columns.into_iter().collect()
}

/// The key's columns: names of columns, or columns of their own.
fn key(field: &Field<'_>, columns: Option<&[Column]>) -> Option<Vec<Column>> {
    if !field.value().is_array() {
        return self::columns(field);
    }
    let named = |field: Field<'_>| {
        let name = field.text()?;
        // Without columns there is an error already.
        let found = columns?.iter().find(|column| column.name() == name).cloned();
        if found.is_none() {
            field.wrong(format!("there is no column {name:?} in `columns`"));
        }
        found
    };
    let fields = field.array()?;
    if fields.is_empty() {
        field.wrong("has no column in it");
    }
    let key: Vec<Option<Column>> = fields.into_iter().map(named).collect();
    key.into_iter().collect()
}

/// Nothing is fine, and what could not be read is not.
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(found) => Some(found),
    }
}
