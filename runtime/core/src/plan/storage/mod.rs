//! SQLite's storage classes: what fits a column of each, and how it is stored. Where PostgreSQL has a type, SQLite has
//! text: decimals as their digits, times in a form whose order of bytes is the order of time.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::outcome::Value;
use crate::plan::fit::{Misfit, misfit};

/// What a column of a STRICT table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// INTEGER or INT
    Integer,
    /// REAL
    Real,
    /// TEXT, compared by its bytes
    Text,
    /// TEXT with a collation: whether two are equal, only the database knows
    CollatedText,
    /// BLOB
    Blob,
    /// ANY
    Any,
}

/// A value as it is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored<'a> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The times that [`timestamp`] can show, in microseconds since the Unix epoch: the years 1 to 9999.
const TIMESTAMP_MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_207_199_999_999;

/// The largest whole number up to which REAL holds all.
const EXACT_REAL: u64 = 1 << 53;

impl Storage {
    /// Says whether `value`, which is not null, fits.
    ///
    /// # Errors
    /// The code and the words for a dead letter.
    pub(super) fn fit(self, value: &Value, type_name: &str) -> Result<(), Misfit> {
        let wrong = |given: &str| misfit("type", format!("{given} for a column of type {type_name}"));
        match (self, value) {
            (Self::Any | Self::Text | Self::CollatedText, Value::TimestampMicros(micros)) => {
                match TIMESTAMP_MICROS.contains(micros) {
                    true => Ok(()),
                    false => misfit("range", "a timestamp outside the years 1 to 9999".to_owned()),
                }
            }
            (Self::Real | Self::Any | Self::Text | Self::CollatedText, Value::Float(number)) => {
                match number.is_finite() {
                    true => Ok(()),
                    // SQLite would store NULL.
                    false => misfit("range", "a float that is not finite".to_owned()),
                }
            }
            (Self::Real, Value::Integer(number)) if number.unsigned_abs() > EXACT_REAL => {
                misfit("range", format!("an integer out of range for {type_name}"))
            }
            (Self::Any, _)
            | (Self::Integer, Value::Integer(_) | Value::Boolean(_) | Value::TimestampMicros(_) | Value::Text(_))
            | (Self::Real, Value::Integer(_) | Value::Text(_))
            | (Self::Text | Self::CollatedText, Value::Text(_) | Value::Integer(_) | Value::Boolean(_))
            | (Self::Blob, Value::Bytes(_)) => Ok(()),
            (_, Value::Null) => wrong("null"),
            (_, Value::Boolean(_)) => wrong("boolean"),
            (_, Value::Integer(_)) => wrong("integer"),
            (_, Value::Float(_)) => wrong("float"),
            (_, Value::Text(_)) => wrong("text"),
            (_, Value::Bytes(_)) => wrong("bytes"),
            (_, Value::TimestampMicros(_)) => wrong("timestamp-micros"),
        }
    }

    /// Returns whether the database could not refuse this value that fits.
    pub(super) fn is_proven(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer, Value::Text(text)) => canonical_integer(text).is_some(),
            (Self::Real, Value::Text(_)) => false,
            _ => true,
        }
    }

    /// Returns whether numbers can be added to it.
    pub(super) fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Real | Self::Text | Self::CollatedText)
    }

    /// Returns how a value that fits is stored.
    pub fn stored(self, value: &Value) -> Stored<'_> {
        let is_text = matches!(self, Self::Text | Self::CollatedText);
        match value {
            Value::Null => Stored::Null,
            Value::Boolean(truth) if is_text => Stored::Text(if *truth { "true" } else { "false" }.into()),
            Value::Boolean(truth) => Stored::Integer(i64::from(*truth)),
            Value::Integer(number) if is_text => Stored::Text(number.to_string().into()),
            #[expect(clippy::cast_precision_loss, reason = "checked to be exact before")]
            Value::Integer(number) if self == Self::Real => Stored::Real(*number as f64),
            Value::Integer(number) => Stored::Integer(*number),
            Value::Float(number) if is_text => Stored::Text(decimal(*number).into()),
            Value::Float(number) => Stored::Real(*number),
            Value::Text(text) => Stored::Text(text.as_str().into()),
            Value::Bytes(bytes) => Stored::Blob(bytes),
            Value::TimestampMicros(micros) if self == Self::Integer => Stored::Integer(*micros),
            Value::TimestampMicros(micros) => Stored::Text(timestamp(*micros).into()),
        }
    }
}

/// A time as text, with as much of a fraction as it has: `2026-11-21 08:00:00.5+00:00`.
fn timestamp(micros: i64) -> String {
    let Ok(time) = Timestamp::from_microsecond(micros) else { return micros.to_string() };
    let seconds = time.strftime("%Y-%m-%d %H:%M:%S");
    let fraction = micros.rem_euclid(1_000_000);
    match fraction {
        0 => format!("{seconds}+00:00"),
        fraction => format!("{seconds}.{}+00:00", format!("{fraction:06}").trim_end_matches('0')),
    }
}

/// The shortest decimal that reads back as the same number, without an exponent.
fn decimal(number: f64) -> String {
    let shortest = format!("{number:?}");
    if shortest.contains('e') { number.to_string() } else { shortest }
}

/// Returns the number that `text` shows as numbers are shown; databases also take spaces, signs and other forms.
pub(super) fn canonical_integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == *text).then_some(number)
}

#[cfg(test)]
mod tests;
