//! The table of types, row by row.

use super::*;

fn column(kind: ColumnKind) -> ColumnFacts {
    ColumnFacts {
        name: "c".into(),
        kind,
        type_name: "t".into(),
        is_nullable: false,
        has_default: false,
        is_generated: false,
    }
}

fn code(value: &Value, kind: ColumnKind) -> Option<&'static str> {
    fit(value, &column(kind)).err().map(|misfit| misfit.code)
}

#[test]
fn integers_fit_integers_numerics_and_exact_floats() {
    assert_eq!(code(&Value::Integer(i64::from(i16::MAX)), ColumnKind::Int2), None);
    assert_eq!(code(&Value::Integer(i64::from(i16::MAX) + 1), ColumnKind::Int2), Some("range"));
    assert_eq!(code(&Value::Integer(i64::from(i32::MIN) - 1), ColumnKind::Int4), Some("range"));
    assert_eq!(code(&Value::Integer(i64::MIN), ColumnKind::Int8), None);
    assert_eq!(code(&Value::Integer(i64::MIN), ColumnKind::Numeric(None)), None);
    assert_eq!(code(&Value::Integer(EXACT_F64 + 1), ColumnKind::Float8), Some("range"));
    assert_eq!(code(&Value::Integer(1), ColumnKind::Boolean), Some("type"));
    assert_eq!(code(&Value::Integer(1), ColumnKind::Text(None)), Some("type"));
}

#[test]
fn floats_fit_floats_and_numerics() {
    assert_eq!(code(&Value::Float(f64::NAN), ColumnKind::Float8), None);
    assert_eq!(code(&Value::Float(f64::NAN), ColumnKind::Numeric(None)), Some("range"));
    assert_eq!(code(&Value::Float(1e300), ColumnKind::Float4), Some("range"));
    assert_eq!(code(&Value::Float(1.0), ColumnKind::Int8), Some("type"));
}

#[test]
fn text_fits_everything_by_its_input_syntax_but_nul_and_length() {
    for kind in [ColumnKind::Int8, ColumnKind::Uuid, ColumnKind::Other, ColumnKind::Bytea] {
        assert_eq!(code(&Value::Text("x".into()), kind), None);
    }
    assert_eq!(code(&Value::Text("a\0".into()), ColumnKind::Text(None)), Some("nul-byte"));
    assert_eq!(code(&Value::Text("äää".into()), ColumnKind::Text(Some(3))), None);
    assert_eq!(code(&Value::Text("ääää".into()), ColumnKind::Text(Some(3))), Some("length"));
    assert_eq!(code(&Value::Text("abc  ".into()), ColumnKind::Text(Some(3))), None);
}

#[test]
fn null_bytes_booleans_and_timestamps_have_their_places() {
    assert_eq!(code(&Value::Null, ColumnKind::Int8), Some("null"));
    assert_eq!(code(&Value::Bytes(vec![0]), ColumnKind::Bytea), None);
    assert_eq!(code(&Value::Bytes(vec![0]), ColumnKind::Text(None)), Some("type"));
    assert_eq!(code(&Value::Boolean(true), ColumnKind::Boolean), None);
    assert_eq!(code(&Value::TimestampMicros(0), ColumnKind::Timestamp), None);
    assert_eq!(code(&Value::TimestampMicros(i64::MIN), ColumnKind::Timestamptz), Some("range"));
    assert_eq!(code(&Value::TimestampMicros(i64::MAX), ColumnKind::Timestamptz), None);
    assert_eq!(code(&Value::TimestampMicros(0), ColumnKind::Int8), Some("type"));
}

#[test]
fn only_what_the_database_can_not_refuse_is_proven() {
    let proven = |value: &Value, kind| is_proven(value, &column(kind));
    assert!(proven(&Value::Text("12.50".into()), ColumnKind::Numeric(Some(10))));
    assert!(!proven(&Value::Text("1234567890".into()), ColumnKind::Numeric(Some(10))));
    assert!(!proven(&Value::Text("abc".into()), ColumnKind::Numeric(None)));
    assert!(!proven(&Value::Text("2020-01-01".into()), ColumnKind::Timestamptz));
    assert!(proven(&Value::Text("x".into()), ColumnKind::Text(None)));
    assert!(!proven(&Value::Integer(100), ColumnKind::Numeric(Some(2))));
}
