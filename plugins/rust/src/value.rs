//! What may stand in a column, and from which Rust types it is made.

use serde::Serialize;

use crate::{Decimal, Result, Timestamp, Value};

/// Makes a value for a json column.
///
/// # Errors
/// Where `value` has no form in JSON, such as a map whose keys are no text.
pub fn json(value: &impl Serialize) -> Result<Value> {
    Ok(Value::Text(serde_json::to_string(value)?))
}

/// Implements `From` for types that a variant takes after a lossless conversion.
macro_rules! value_from {
    ($($variant:ident: $($from:ty),+;)+) => {
        $($(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })+)+
    };
}

/// Implements `From` for whole numbers that may be too large for 64 bits with a sign; those go as text, which a numeric column takes.
macro_rules! value_from_wide {
    ($($from:ty),+) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                i64::try_from(value).map_or_else(|_| Self::Text(value.to_string()), Self::Integer)
            }
        })+
    };
}

value_from! {
    Boolean: bool;
    Integer: i8, i16, i32, i64, u8, u16, u32;
    Float: f32, f64;
    Text: &str, String, Box<str>, char;
    Bytes: Vec<u8>, &[u8];
}

value_from_wide!(u64, usize, isize, i128, u128);

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::TimestampMicros(value.micros())
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Self::Text(value.into_string())
    }
}

impl From<&Decimal> for Value {
    fn from(value: &Decimal) -> Self {
        Self::Text(value.as_str().to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_find_their_variant() {
        assert_eq!(Value::from(7_i16), Value::Integer(7));
        assert_eq!(Value::from(u32::MAX), Value::Integer(4_294_967_295));
        assert_eq!(Value::from(0.5_f32), Value::Float(0.5));
        assert_eq!(Value::from(true), Value::Boolean(true));
        assert_eq!(Value::from("a"), Value::Text("a".to_owned()));
        assert_eq!(Value::from(b"a"), Value::Bytes(vec![b'a']));
        assert_eq!(
            Value::from(Timestamp::from_seconds(1)),
            Value::TimestampMicros(1_000_000)
        );
        assert_eq!(Value::from(Some("a")), Value::Text("a".to_owned()));
        assert_eq!(Value::from(None::<i64>), Value::Null);
    }

    #[test]
    fn numbers_too_wide_for_an_integer_go_as_text() {
        assert_eq!(Value::from(5_u64), Value::Integer(5));
        assert_eq!(Value::from(u64::MAX), Value::Text("18446744073709551615".to_owned()));
    }

    #[test]
    fn a_structure_goes_into_a_json_column_as_text() {
        assert_eq!(json(&vec![1, 2]), Ok(Value::Text("[1,2]".to_owned())));
    }
}
