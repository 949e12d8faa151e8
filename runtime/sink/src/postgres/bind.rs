//! How a column's values travel: as an array of a type the client encodes without loss, or as text.

use std::error::Error;

use forebay_core::outcome::Value;
use forebay_core::plan::statement::Statement;
use forebay_core::plan::target::{ColumnKind, TableTarget};
use postgres_types::private::BytesMut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};

/// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The type of a column's array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Int8,
    Float8,
    Bool,
    Bytea,
    Timestamptz,
    Text,
}

impl Wire {
    /// Returns the type of its array.
    pub(super) fn array_type(self) -> Type {
        match self {
            Self::Int8 => Type::INT8_ARRAY,
            Self::Float8 => Type::FLOAT8_ARRAY,
            Self::Bool => Type::BOOL_ARRAY,
            Self::Bytea => Type::BYTEA_ARRAY,
            Self::Timestamptz => Type::TIMESTAMPTZ_ARRAY,
            Self::Text => Type::TEXT_ARRAY,
        }
    }

    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Float8 => "float8",
            Self::Bool => "bool",
            Self::Bytea => "bytea",
            Self::Timestamptz => "timestamptz",
            Self::Text => "text",
        }
    }
}

/// One column's values, ready to be bound.
pub(super) type Array<'a> = Box<dyn ToSql + Send + Sync + 'a>;

/// Returns for each column of the statement how it travels, and its values.
pub(super) fn arrays<'a>(statement: &Statement<'a>, table: &TableTarget) -> (Vec<Wire>, Vec<Array<'a>>) {
    let bound = statement.columns.iter().enumerate().map(|(index, column)| {
        let kind = table.facts(*column).map_or(ColumnKind::Other, |facts| facts.kind);
        let wire = wire(kind, statement.column(index));
        (wire, array(wire, statement.column(index)))
    });
    bound.unzip()
}

fn wire<'a>(kind: ColumnKind, values: impl Iterator<Item = &'a Value> + Clone) -> Wire {
    let all = |fits: fn(&Value) -> bool| values.clone().all(|value| *value == Value::Null || fits(value));
    match kind {
        ColumnKind::Int2 | ColumnKind::Int4 | ColumnKind::Int8 | ColumnKind::Numeric(_)
            if all(|value| matches!(value, Value::Integer(_))) =>
        {
            Wire::Int8
        }
        ColumnKind::Float4 | ColumnKind::Float8
            if all(|value| matches!(value, Value::Integer(_) | Value::Float(_))) =>
        {
            Wire::Float8
        }
        ColumnKind::Boolean if all(|value| matches!(value, Value::Boolean(_))) => Wire::Bool,
        ColumnKind::Bytea if all(|value| matches!(value, Value::Bytes(_))) => Wire::Bytea,
        ColumnKind::Timestamptz | ColumnKind::Timestamp if all(|value| matches!(value, Value::TimestampMicros(_))) => {
            Wire::Timestamptz
        }
        _ => Wire::Text,
    }
}

fn array<'a>(wire: Wire, values: impl Iterator<Item = &'a Value>) -> Array<'a> {
    match wire {
        Wire::Int8 => Box::new(collect(values, |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })),
        Wire::Float8 => Box::new(collect(values, |value| match value {
            Value::Float(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "checked to be exact before")]
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        })),
        Wire::Bool => Box::new(collect(values, |value| match value {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        })),
        Wire::Bytea => Box::new(collect(values, |value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })),
        Wire::Timestamptz => Box::new(collect(values, |value| match value {
            Value::TimestampMicros(micros) => Some(Micros(*micros)),
            _ => None,
        })),
        Wire::Text => Box::new(collect(values, text)),
    }
}

fn collect<'a, T>(values: impl Iterator<Item = &'a Value>, of: impl Fn(&'a Value) -> Option<T>) -> Vec<Option<T>> {
    values.map(of).collect()
}

/// A value in its type's input syntax.
fn text(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    Some(match value {
        Value::Null => return None,
        Value::Text(text) => text.as_str().into(),
        Value::Boolean(truth) => if *truth { "true" } else { "false" }.into(),
        Value::Integer(number) => number.to_string().into(),
        Value::Float(number) if number.is_nan() => "NaN".into(),
        Value::Float(number) if number.is_infinite() => if *number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        // Rust's shortest form that reads back as the same number.
        Value::Float(number) => format!("{number:?}").into(),
        Value::Bytes(bytes) => {
            use std::fmt::Write as _;
            let mut hex = String::with_capacity(2 + bytes.len() * 2);
            hex.push_str("\\x");
            for byte in bytes {
                let _infallible = write!(hex, "{byte:02x}");
            }
            hex.into()
        }
        // Text beside micros in one column: the epoch's own input syntax.
        Value::TimestampMicros(micros) => timestamp(*micros).into(),
    })
}

fn timestamp(micros: i64) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => micros.to_string(),
    }
}

/// A timestamp with time zone in microseconds since the Unix epoch, over PostgreSQL's whole range.
#[derive(Debug)]
struct Micros(i64);

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&(self.0 - POSTGRES_EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}
