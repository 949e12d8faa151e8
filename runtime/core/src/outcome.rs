//! What a handler wants done with one message: effects as data, in the words of `wit/handler.wit`.

use crate::budget::Permit;

/// A handler's answer to one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Apply these effects.
    Ok(Vec<Effect>),
    /// Deliberately ignored, with the reason.
    Skip(String),
    /// Can not be handled, now or later.
    Reject(Failure),
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Insert the row, or change the given columns of the one with its key.
    Upsert(Row),
    /// Append a row.
    Insert(Row),
    /// Change the given columns of the row with this key.
    Update(Row),
    /// Add to numeric columns of the row with this key; the row is made if missing.
    Add(Row),
    /// Remove the row with this key.
    Delete(Row),
    /// Send a message.
    Publish(Publish),
}

/// A row for a logical target.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The target's name in the manifest.
    pub target: String,
    /// The columns in the handler's order.
    pub columns: Vec<Column>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The column's name in the table.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// A column's value as the handler gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Float(f64),
    /// The column type's input syntax.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// Microseconds since the Unix epoch.
    TimestampMicros(i64),
}

/// A message for a logical target that is a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// The target's name in the manifest.
    pub target: String,
    /// The message's key.
    pub key: Option<Vec<u8>>,
    /// The message's value, `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers in order.
    pub headers: Vec<Header>,
    /// Facts for the host that are not part of the message.
    pub metadata: Vec<(String, String)>,
}

/// A header that a handler wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The header's name.
    pub name: String,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// Why a handler rejects a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Short and of low cardinality.
    pub code: String,
    /// For people.
    pub message: String,
}

/// What became of one message in the plugin: its outcome, or the fault that belongs to it alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    /// The outcome, checked against the contract, or what went wrong.
    pub result: Result<Outcome, crate::fault::Fault>,
    /// How often the handler ran on it.
    pub runs: u32,
}

impl Handled {
    /// Returns whether the handler itself said no.
    pub fn is_rejected(&self) -> bool {
        matches!(self.result, Ok(Outcome::Reject(_)))
    }
}

/// What became of a batch's messages, counted against the byte budget as long as it is held.
#[derive(Debug)]
pub struct Outcomes {
    list: Vec<Handled>,
    permit: Permit,
}

impl Outcomes {
    /// Returns the outcomes, with their bytes counted.
    pub fn new(list: Vec<Handled>, permit: impl FnOnce(usize) -> Permit) -> Self {
        let bytes = list.iter().map(Handled::bytes).sum();
        Self { list, permit: permit(bytes) }
    }

    /// Puts `count` outcomes of messages that are terminal already before these.
    #[must_use]
    pub fn after(self, count: usize) -> Self {
        let terminal = Handled { result: Ok(Outcome::Skip(String::new())), runs: 0 };
        let list = std::iter::repeat_n(terminal, count).chain(self.list).collect();
        Self { list, permit: self.permit }
    }
}

impl std::ops::Deref for Outcomes {
    type Target = [Handled];

    fn deref(&self) -> &[Handled] {
        &self.list
    }
}

impl Handled {
    /// Returns about the bytes it holds in memory.
    pub fn bytes(&self) -> usize {
        let held = match &self.result {
            Ok(Outcome::Ok(effects)) => effects.iter().map(Effect::bytes).sum(),
            Ok(Outcome::Skip(reason)) => reason.len(),
            Ok(Outcome::Reject(failure)) => failure.code.len() + failure.message.len(),
            Err(fault) => fault.message.len() + fault.code.len() + fault.site.len(),
        };
        size_of::<Self>() + held
    }
}

impl Effect {
    fn bytes(&self) -> usize {
        let held = match self {
            Self::Upsert(row) | Self::Insert(row) | Self::Update(row) | Self::Add(row) | Self::Delete(row) => {
                row.target.len() + row.columns.iter().map(Column::bytes).sum::<usize>()
            }
            Self::Publish(publish) => {
                let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
                let headers: usize =
                    publish.headers.iter().map(|header| header.name.len() + length(&header.value) + 48).sum();
                publish.target.len() + length(&publish.key) + length(&publish.value) + headers
            }
        };
        size_of::<Self>() + held
    }
}

impl Column {
    fn bytes(&self) -> usize {
        let held = match &self.value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::TimestampMicros(_) => 0,
        };
        size_of::<Self>() + self.name.len() + held
    }
}
