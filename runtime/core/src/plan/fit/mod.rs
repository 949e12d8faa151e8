//! Whether a value fits a column, by the table of types in the documentation. What only the database can tell
//! (the input syntax of `text`, domains) is left to it.

use crate::outcome::Value;
use crate::plan::target::{ColumnFacts, ColumnKind};

/// PostgreSQL's range of timestamps in microseconds since the Unix epoch: it starts in 4714 BC, and ends after all that 64
/// bits hold.
const TIMESTAMP_MICROS: std::ops::RangeInclusive<i64> = -210_866_803_200_000_000..=i64::MAX;

/// The largest whole numbers that floats hold exactly.
const EXACT_F64: i64 = 1 << 53;
const EXACT_F32: i64 = 1 << 24;

/// Why a value does not fit: a code of the `contract` class, and a sentence's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// `type`, `range`, `length`, `null` or `nul-byte`.
    pub code: &'static str,
    /// What is wrong, without the value.
    pub what: String,
}

/// Says whether `value` fits `column`.
///
/// # Errors
/// The code and the words for a dead letter.
pub fn fit(value: &Value, column: &ColumnFacts) -> Result<(), Misfit> {
    match value {
        Value::Text(text) if text.contains('\0') => {
            misfit("nul-byte", "text with a NUL byte, which databases do not store".to_owned())
        }
        Value::Null if column.is_nullable => Ok(()),
        Value::Null => misfit("null", "null where none may be".to_owned()),
        value if let ColumnKind::Sqlite(storage) = column.kind => storage.fit(value, &column.type_name),
        Value::Boolean(_) => only(column, matches!(column.kind, ColumnKind::Boolean), "boolean"),
        Value::Integer(number) => integer(*number, column),
        Value::Float(number) => float(*number, column),
        Value::Text(text) => fits_text(text, column),
        Value::Bytes(_) => only(column, matches!(column.kind, ColumnKind::Bytea), "bytes"),
        Value::TimestampMicros(micros) => timestamp(*micros, column),
    }
}

/// Says whether the database could not refuse this value that fits: then a row that holds it may be merged away.
pub fn is_proven(value: &Value, column: &ColumnFacts) -> bool {
    match value {
        value if let ColumnKind::Sqlite(storage) = column.kind => storage.is_proven(value),
        Value::Text(text) => match column.kind {
            ColumnKind::Text(_) => true,
            ColumnKind::Uuid => is_uuid(text),
            ColumnKind::Numeric(digits) => is_plain_decimal(text, digits),
            _ => false,
        },
        Value::Integer(number) => match column.kind {
            ColumnKind::Numeric(Some(digits)) => {
                number.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1) <= digits
            }
            _ => true,
        },
        // A float that is not zero but would be in 32 bits is refused.
        #[expect(clippy::cast_possible_truncation, reason = "this is what is asked")]
        Value::Float(number) if column.kind == ColumnKind::Float4 => *number == 0.0 || *number as f32 != 0.0,
        Value::Float(_) => !matches!(column.kind, ColumnKind::Numeric(_)),
        _ => true,
    }
}

/// Returns whether `text` is a uuid in its canonical form.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Digits, at most one point, at most one sign; and fewer whole digits than the precision allows, so that rounding
/// can not overflow it.
fn is_plain_decimal(text: &str, digits: Option<u32>) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let room = digits.map_or(1000, |digits| digits.saturating_sub(1)) as usize;
    !whole.is_empty() && whole.len() <= room && fraction.len() <= 1000 && all_digits(whole) && all_digits(fraction)
}

fn integer(number: i64, column: &ColumnFacts) -> Result<(), Misfit> {
    let fits = match column.kind {
        ColumnKind::Int2 => i16::try_from(number).is_ok(),
        ColumnKind::Int4 => i32::try_from(number).is_ok(),
        ColumnKind::Int8 | ColumnKind::Numeric(_) => true,
        ColumnKind::Float4 => number.unsigned_abs() <= EXACT_F32.unsigned_abs(),
        ColumnKind::Float8 => number.unsigned_abs() <= EXACT_F64.unsigned_abs(),
        _ => return wrong_type(column, "integer"),
    };
    if fits { Ok(()) } else { misfit("range", format!("an integer out of range for {}", column.type_name)) }
}

fn float(number: f64, column: &ColumnFacts) -> Result<(), Misfit> {
    match column.kind {
        ColumnKind::Float8 => Ok(()),
        ColumnKind::Numeric(_) if number.is_finite() => Ok(()),
        ColumnKind::Numeric(_) => misfit("range", "a float that is not finite".to_owned()),
        ColumnKind::Float4 if number.is_finite() && number.abs() > f64::from(f32::MAX) => {
            misfit("range", "a float out of range for real".to_owned())
        }
        ColumnKind::Float4 => Ok(()),
        _ => wrong_type(column, "float"),
    }
}

fn fits_text(text: &str, column: &ColumnFacts) -> Result<(), Misfit> {
    match column.kind {
        ColumnKind::Text(Some(most)) if over_length(text, most) => {
            misfit("length", format!("text of more than {most} characters"))
        }
        _ => Ok(()),
    }
}

/// PostgreSQL forgives spaces beyond the length of a varchar.
fn over_length(text: &str, most: u32) -> bool {
    text.len() > most as usize && text.chars().skip(most as usize).any(|letter| letter != ' ')
}

fn timestamp(micros: i64, column: &ColumnFacts) -> Result<(), Misfit> {
    match column.kind {
        ColumnKind::Timestamptz | ColumnKind::Timestamp if TIMESTAMP_MICROS.contains(&micros) => Ok(()),
        ColumnKind::Timestamptz | ColumnKind::Timestamp => {
            misfit("range", format!("a timestamp out of range for {}", column.type_name))
        }
        _ => wrong_type(column, "timestamp-micros"),
    }
}

fn only(column: &ColumnFacts, fits: bool, given: &str) -> Result<(), Misfit> {
    if fits { Ok(()) } else { wrong_type(column, given) }
}

fn wrong_type(column: &ColumnFacts, given: &str) -> Result<(), Misfit> {
    misfit("type", format!("{given} for a column of type {}", column.type_name))
}

pub(super) fn misfit(code: &'static str, what: String) -> Result<(), Misfit> {
    Err(Misfit { code, what })
}

#[cfg(test)]
mod tests;
