//! How a column's values travel: as an array of a type the client encodes without loss, or as text.

use std::borrow::Cow;
use std::error::Error;

use forebay_core::outcome::Value;
use forebay_core::plan::statement::Statement;
use forebay_core::plan::target::{ColumnKind, TableTarget};
use postgres_types::private::BytesMut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};

/// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The type of a column's array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    Int8,
    Float8,
    Bool,
    Bytea,
    Timestamptz,
    Text,
}

impl Wire {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 6] =
        [Self::Int8, Self::Float8, Self::Bool, Self::Bytea, Self::Timestamptz, Self::Text];

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

/// Returns for each column of the statement how it travels.
pub(super) fn wires(statement: &Statement<'_>, table: &TableTarget) -> Vec<Wire> {
    let kind = |column: usize| table.facts(column).map_or(ColumnKind::Other, |facts| facts.kind);
    let columns = statement.columns.iter().enumerate();
    columns.map(|(index, column)| wire(kind(*column), statement.column(index))).collect()
}

/// Returns an array for each column of the statement.
pub(super) fn arrays<'a>(statement: &Statement<'a>, wires: &[Wire]) -> Vec<Array<'a>> {
    wires.iter().enumerate().map(|(index, wire)| array(*wire, statement.column(index))).collect()
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
        Wire::Int8 => Box::new(values.map(int8).collect::<Vec<_>>()),
        Wire::Float8 => Box::new(values.map(float8).collect::<Vec<_>>()),
        Wire::Bool => Box::new(values.map(boolean).collect::<Vec<_>>()),
        Wire::Bytea => Box::new(values.map(bytea).collect::<Vec<_>>()),
        Wire::Timestamptz => Box::new(values.map(timestamptz).collect::<Vec<_>>()),
        Wire::Text => Box::new(values.map(text).collect::<Vec<_>>()),
    }
}

/// Values of many statements, in one array for each way to travel.
#[derive(Default)]
pub(super) struct Pool<'a> {
    int8: Vec<Option<i64>>,
    float8: Vec<Option<f64>>,
    boolean: Vec<Option<bool>>,
    bytea: Vec<Option<&'a [u8]>>,
    timestamptz: Vec<Option<Micros>>,
    text: Vec<Option<Cow<'a, str>>>,
}

impl<'a> Pool<'a> {
    /// Adds a statement's values, column after column.
    pub(super) fn add(&mut self, statement: &Statement<'a>, wires: &[Wire]) {
        for (index, wire) in wires.iter().enumerate() {
            let values = statement.column(index);
            match wire {
                Wire::Int8 => self.int8.extend(values.map(int8)),
                Wire::Float8 => self.float8.extend(values.map(float8)),
                Wire::Bool => self.boolean.extend(values.map(boolean)),
                Wire::Bytea => self.bytea.extend(values.map(bytea)),
                Wire::Timestamptz => self.timestamptz.extend(values.map(timestamptz)),
                Wire::Text => self.text.extend(values.map(text)),
            }
        }
    }

    /// Returns how many values there are, in the order of [`Wire::ALL`].
    pub(super) fn lengths(&self) -> [usize; 6] {
        let Self { int8, float8, boolean, bytea, timestamptz, text } = self;
        [int8.len(), float8.len(), boolean.len(), bytea.len(), timestamptz.len(), text.len()]
    }

    /// Returns the arrays, in the order of [`Wire::ALL`].
    pub(super) fn arrays(&self) -> [&(dyn ToSql + Sync); 6] {
        let Self { int8, float8, boolean, bytea, timestamptz, text } = self;
        [int8, float8, boolean, bytea, timestamptz, text]
    }
}

fn int8(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

fn float8(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "checked to be exact before")]
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(truth) => Some(*truth),
        _ => None,
    }
}

fn bytea(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes.as_slice()),
        _ => None,
    }
}

fn timestamptz(value: &Value) -> Option<Micros> {
    match value {
        Value::TimestampMicros(micros) => Some(Micros(*micros)),
        _ => None,
    }
}

/// A value in its type's input syntax.
fn text(value: &Value) -> Option<Cow<'_, str>> {
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
        // Text beside micros in one column.
        Value::TimestampMicros(micros) => timestamp(*micros).into(),
    })
}

/// A time in PostgreSQL's words, over its whole range, which is wider than four digits of a year. The date is Howard
/// Hinnant's `civil_from_days`.
fn timestamp(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY) + 719_468, micros.rem_euclid(DAY));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (year, suffix) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{micros:06}+00{suffix}")
}

/// A timestamp with time zone in microseconds since the Unix epoch, over PostgreSQL's whole range.
#[derive(Debug)]
pub(super) struct Micros(pub(super) i64);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_postgresqls_words() {
        assert_eq!(timestamp(i64::MAX), "294247-01-10 04:00:54.775807+00");
        assert_eq!(timestamp(-210_866_803_200_000_000), "4714-11-24 00:00:00.000000+00 BC");
        assert_eq!(timestamp(-62_135_596_800_000_001), "0001-12-31 23:59:59.999999+00 BC");
        assert_eq!(timestamp(0), "1970-01-01 00:00:00.000000+00");
        assert_eq!(timestamp(951_782_400_000_000), "2000-02-29 00:00:00.000000+00");
    }
}
