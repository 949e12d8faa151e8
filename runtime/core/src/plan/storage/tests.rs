//! The table of storage classes, row by row.

use super::*;

fn code(storage: Storage, value: &Value) -> Option<&'static str> {
    storage.fit(value, "t").err().map(|misfit| misfit.code)
}

fn text(storage: Storage, value: &Value) -> String {
    match storage.stored(value) {
        Stored::Text(text) => text.into_owned(),
        other => panic!("stored as {other:?}"),
    }
}

#[test]
fn every_value_has_its_classes() {
    use Storage::{Any, Blob, CollatedText, Integer, Real, Text};
    let rows: [(Value, &[Storage]); 6] = [
        (Value::Boolean(true), &[Integer, Text, CollatedText, Any]),
        (Value::Integer(1), &[Integer, Real, Text, CollatedText, Any]),
        (Value::Float(1.5), &[Real, Text, CollatedText, Any]),
        (Value::Text("x".into()), &[Integer, Real, Text, CollatedText, Any]),
        (Value::Bytes(vec![0]), &[Blob, Any]),
        (Value::TimestampMicros(0), &[Integer, Text, CollatedText, Any]),
    ];
    for (value, fits) in rows {
        for storage in [Integer, Real, Text, CollatedText, Blob, Any] {
            let expected = if fits.contains(&storage) { None } else { Some("type") };
            assert_eq!(code(storage, &value), expected, "{value:?} in {storage:?}");
        }
    }
}

#[test]
fn what_sqlite_would_change_is_out_of_range() {
    for storage in [Storage::Real, Storage::Text, Storage::Any] {
        assert_eq!(code(storage, &Value::Float(f64::NAN)), Some("range"));
        assert_eq!(code(storage, &Value::Float(f64::INFINITY)), Some("range"));
    }
    assert_eq!(code(Storage::Real, &Value::Integer((1 << 53) + 1)), Some("range"));
    assert_eq!(code(Storage::Text, &Value::TimestampMicros(i64::MAX)), Some("range"));
    assert_eq!(code(Storage::Integer, &Value::TimestampMicros(i64::MAX)), None);
}

#[test]
fn times_are_text_in_the_order_of_time() {
    let shown = |micros| text(Storage::Text, &Value::TimestampMicros(micros));
    assert_eq!(shown(1_795_248_000_000_000), "2026-11-21 08:00:00+00:00");
    assert_eq!(shown(1_795_248_000_500_000), "2026-11-21 08:00:00.5+00:00");
    assert_eq!(shown(1_795_248_000_123_456), "2026-11-21 08:00:00.123456+00:00");
    assert_eq!(shown(-1), "1969-12-31 23:59:59.999999+00:00");
    assert_eq!(shown(*TIMESTAMP_MICROS.start()), "0001-01-01 00:00:00+00:00");
    assert_eq!(shown(*TIMESTAMP_MICROS.end()), "9999-12-30 21:59:59.999999+00:00");
    let times = [i64::from(i32::MIN), -1, 0, 1, 10, 99_999, 100_000, 500_000, 550_000, 999_999, 1_000_000, 1_000_001];
    assert!(times.is_sorted() && times.map(shown).is_sorted());
}

#[test]
fn decimals_are_text_without_an_exponent() {
    let shown = |value| text(Storage::Text, &value);
    assert_eq!(shown(Value::Integer(-7)), "-7");
    assert_eq!(shown(Value::Float(1.5)), "1.5");
    assert_eq!(shown(Value::Float(1.0)), "1.0");
    assert_eq!(shown(Value::Float(1e-7)), "0.0000001");
    assert_eq!(shown(Value::Float(1e21)), "1000000000000000000000");
    assert_eq!(shown(Value::Boolean(true)), "true");
}

#[test]
fn only_what_sqlite_can_not_refuse_is_proven() {
    assert!(Storage::Integer.is_proven(&Value::Text("-12".into())));
    assert!(!Storage::Integer.is_proven(&Value::Text("12 ".into())));
    assert!(!Storage::Real.is_proven(&Value::Text("12".into())));
    assert!(Storage::Text.is_proven(&Value::Text("x".into())));
    assert!(Storage::Real.is_proven(&Value::Integer(1)));
}
