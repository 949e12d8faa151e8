//! The key of a row in a form whose equality is the database's. Where that can not be told here (numeric scales,
//! case-insensitive text, float signs), the key is unknown and rows keep their order instead.

use crate::outcome::Value;
use crate::plan::fit;
use crate::plan::storage::{Storage, Stored, canonical_integer};
use crate::plan::target::{ColumnFacts, ColumnKind};

/// Appends the canonical form of one key column, `None` where equality here could differ from the database's.
pub fn append(key: &mut Vec<u8>, value: &Value, column: &ColumnFacts) -> Option<()> {
    match (column.kind, value) {
        (ColumnKind::Int2 | ColumnKind::Int4 | ColumnKind::Int8, Value::Integer(number)) => put_integer(key, *number),
        (ColumnKind::Int2 | ColumnKind::Int4 | ColumnKind::Int8, Value::Text(text)) => {
            put_integer(key, canonical_integer(text)?)
        }
        (ColumnKind::Boolean, Value::Boolean(truth)) => put(key, &[u8::from(*truth)]),
        (ColumnKind::Bytea, Value::Bytes(bytes)) => put(key, bytes),
        (ColumnKind::Timestamptz | ColumnKind::Timestamp, Value::TimestampMicros(micros)) => put_integer(key, *micros),
        // Beyond its length a varchar forgives spaces, and cuts them.
        (ColumnKind::Text(most), Value::Text(text))
            if most.is_none_or(|most| text.chars().count() <= most as usize) =>
        {
            put(key, text.as_bytes())
        }
        (ColumnKind::Uuid, Value::Text(text)) if fit::is_uuid(text) => put(key, text.to_ascii_lowercase().as_bytes()),
        (ColumnKind::Date, Value::Text(text)) if is_iso_date(text) => put(key, text.as_bytes()),
        (ColumnKind::Sqlite(storage), value) => append_stored(key, storage, value),
        _ => None,
    }
}

/// What SQLite stores is what it compares, where the class has one form for each value.
fn append_stored(key: &mut Vec<u8>, storage: Storage, value: &Value) -> Option<()> {
    match (storage, storage.stored(value)) {
        (Storage::Integer, Stored::Integer(number)) => put_integer(key, number),
        (Storage::Integer, Stored::Text(text)) => put_integer(key, canonical_integer(&text)?),
        (Storage::Text, Stored::Text(text)) => put(key, text.as_bytes()),
        (Storage::Blob, Stored::Blob(bytes)) => put(key, bytes),
        _ => None,
    }
}

fn put_integer(key: &mut Vec<u8>, number: i64) -> Option<()> {
    // The sign bit is turned over so that bytes sort as numbers do.
    key.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
    Some(())
}

/// Bytes with an end mark, so that no two keys of several columns run together: 0 is written as 0 1, the end as 0 0.
fn put(key: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(1);
        }
    }
    key.extend_from_slice(&[0, 0]);
    Some(())
}

fn is_iso_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[(&Value, ColumnKind)]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for (value, kind) in values {
            let column = ColumnFacts {
                name: String::new(),
                kind: *kind,
                type_name: String::new(),
                is_nullable: false,
                has_default: false,
                is_generated: false,
            };
            append(&mut bytes, value, &column)?;
        }
        Some(bytes)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn two_columns_never_run_together() {
        let kind = ColumnKind::Text(None);
        let first = key(&[(&text("a"), kind), (&text("bc"), kind)]);
        assert_ne!(first, key(&[(&text("ab"), kind), (&text("c"), kind)]));
        assert_ne!(key(&[(&text("a\0"), kind), (&text(""), kind)]), key(&[(&text("a"), kind), (&text("\0"), kind)]));
    }

    #[test]
    fn spellings_of_one_number_are_one_key() {
        assert_eq!(key(&[(&text("-7"), ColumnKind::Int4)]), key(&[(&Value::Integer(-7), ColumnKind::Int4)]));
        assert_eq!(key(&[(&text("007"), ColumnKind::Int4)]), None);
        assert_eq!(key(&[(&text("1.0"), ColumnKind::Numeric(None))]), None);
        assert_eq!(key(&[(&text("x"), ColumnKind::Other)]), None);
    }

    #[test]
    fn what_sqlite_stores_alike_is_one_key() {
        let of = |value: &Value, storage| key(&[(value, ColumnKind::Sqlite(storage))]);
        let seven = Value::Integer(7);
        assert_eq!(of(&seven, Storage::Integer), of(&text("7"), Storage::Integer));
        assert_eq!(of(&seven, Storage::Text), of(&text("7"), Storage::Text));
        assert_eq!(of(&Value::Boolean(true), Storage::Integer), of(&Value::Integer(1), Storage::Integer));
        assert_eq!(of(&Value::Bytes(vec![1]), Storage::Blob), Some(vec![1, 0, 0]));
        assert_eq!(of(&text(" 7"), Storage::Integer), None);
        for storage in [Storage::Real, Storage::CollatedText, Storage::Any] {
            assert_eq!(of(&seven, storage), None);
        }
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let of = |number| key(&[(&Value::Integer(number), ColumnKind::Int8)]);
        assert!(of(-1) < of(0) && of(0) < of(1) && of(i64::MIN) < of(i64::MAX));
    }
}
