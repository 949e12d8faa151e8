//! What a column wants, and how what is found becomes that.

use forebay_fields::{Found, Kind as Json, Number, Raw};
use forebay_plugin::Value;

use crate::encoding::Encoding;
use crate::time::{self, Unit};

/// What a column wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What it is in JSON: text, integers, exact decimals as text, booleans, and JSON itself.
    Auto,
    Text,
    Integer,
    Float,
    Boolean,
    Decimal,
    /// With a unit, if numbers are taken.
    Timestamp(Option<Unit>),
    /// With the encoding of strings; a key's or a header's bytes need none.
    Bytes(Option<Encoding>),
    Json,
}

/// What was wanted, in words.
type Wanted = &'static str;

const NUMBER: Wanted = "a number of at most 1000 digits";

impl Kind {
    /// Makes a column's value of what is found, which is neither missing nor null.
    ///
    /// # Errors
    /// With what was wanted.
    pub(crate) fn value(self, found: Found<'_>) -> Result<Value, Wanted> {
        match self {
            Self::Auto => auto(found),
            Self::Text => text(found).map(Value::Text),
            Self::Integer => {
                let integer = found.number().and_then(|number| number.to_integer());
                integer.map(Value::Integer).ok_or("an integer of 64 bits")
            }
            Self::Float => float(found).map(Value::Float).ok_or("a number within a float's range"),
            Self::Boolean => boolean(found).map(Value::Boolean).ok_or("true or false"),
            Self::Decimal => decimal(found).map(Value::Text).ok_or("a decimal of at most 1000 digits"),
            Self::Timestamp(unit) => timestamp(found, unit).map(Value::TimestampMicros),
            Self::Bytes(encoding) => bytes(found, encoding).map(Value::Bytes),
            Self::Json => json(found).map(Value::Text),
        }
    }
}

fn auto(found: Found<'_>) -> Result<Value, Wanted> {
    match found {
        Found::Missing | Found::Null => Ok(Value::Null),
        Found::Integer(number) => Ok(Value::Integer(number)),
        Found::Millis(millis) => Ok(Value::TimestampMicros(millis.saturating_mul(1_000))),
        Found::Bytes(_) => text(found).map(Value::Text),
        Found::Json(raw) => match raw.kind() {
            Json::Null => Ok(Value::Null),
            Json::Boolean(value) => Ok(Value::Boolean(value)),
            Json::Number => match raw.as_str().parse() {
                Ok(integer) => Ok(Value::Integer(integer)),
                Err(_) => decimal(found).map(Value::Text).ok_or(NUMBER),
            },
            Json::Text => text(found).map(Value::Text),
            Json::Array | Json::Object => Ok(Value::Text(raw.as_str().to_owned())),
        },
    }
}

fn text(found: Found<'_>) -> Result<String, Wanted> {
    if let Found::Json(raw) = found
        && matches!(raw.kind(), Json::Array | Json::Object)
    {
        return Err("text (or `type = \"json\"`)");
    }
    match found.text() {
        Ok(Some(text)) => Ok(text.into_owned()),
        Ok(None) | Err(_) => Err("text"),
    }
}

fn float(found: Found<'_>) -> Option<f64> {
    let text = found.text().ok()??;
    // What is no decimal number, such as `inf`, is none here either.
    Number::parse(&text)?;
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

fn boolean(found: Found<'_>) -> Option<bool> {
    if let Found::Json(raw) = found
        && let Json::Boolean(value) = raw.kind()
    {
        return Some(value);
    }
    match found.string()?.as_ref() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Digits stay as they are written; only an exponent is written out.
fn decimal(found: Found<'_>) -> Option<String> {
    let text = found.text().ok()??;
    let number = Number::parse(&text)?;
    if text.contains(['e', 'E']) {
        return number.to_decimal();
    }
    let digits = text.strip_prefix('+').unwrap_or(&text);
    (digits.len() <= 1_000).then(|| digits.to_owned())
}

fn timestamp(found: Found<'_>, unit: Option<Unit>) -> Result<i64, Wanted> {
    if let Found::Millis(millis) = found {
        return Ok(millis.saturating_mul(1_000));
    }
    match (found.number(), unit) {
        (Some(number), Some(unit)) => unit.micros(&number).ok_or("a timestamp within 64 bits of microseconds"),
        (Some(_), None) => Err("a timestamp as an RFC 3339 string (or, for numbers, a `unit`)"),
        (None, _) => found
            .string()
            .and_then(|text| time::rfc3339(&text))
            .ok_or("a timestamp such as \"2025-11-20T08:00:00Z\" (RFC 3339, with its offset)"),
    }
}

fn bytes(found: Found<'_>, encoding: Option<Encoding>) -> Result<Vec<u8>, Wanted> {
    let encoding = match (found, encoding) {
        (Found::Bytes(bytes), None) => return Ok(bytes.to_vec()),
        (_, encoding) => encoding.unwrap_or(Encoding::Base64),
    };
    let decoded = found.string().and_then(|text| encoding.decode(&text));
    decoded.ok_or(match encoding {
        Encoding::Base64 => "bytes as a string in base64",
        Encoding::Hex => "bytes as a string of hexadecimal digits",
        Encoding::Text => "a string",
    })
}

fn json(found: Found<'_>) -> Result<String, Wanted> {
    match found {
        Found::Json(raw) => Ok(raw.as_str().to_owned()),
        Found::Bytes(bytes) => {
            let raw = std::str::from_utf8(bytes).ok().and_then(|text| Raw::of(text).ok());
            raw.map(|raw| raw.as_str().to_owned()).ok_or("JSON")
        }
        Found::Integer(number) | Found::Millis(number) => Ok(number.to_string()),
        Found::Missing | Found::Null => Err("JSON"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: Kind, json: &str) -> Result<Value, Wanted> {
        kind.value(Found::Json(Raw::of(json).unwrap()))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn every_kind_takes_what_it_can_keep_exactly() {
        let seconds = Kind::Timestamp(Some(Unit::Seconds));
        for (kind, json, wanted) in [
            (Kind::Auto, "9223372036854775807", Value::Integer(i64::MAX)),
            (Kind::Auto, "9223372036854775808", text("9223372036854775808")),
            (Kind::Auto, "12.50", text("12.50")),
            (Kind::Auto, "-0.1e-2", text("-0.001")),
            (Kind::Auto, "true", Value::Boolean(true)),
            (Kind::Auto, r#""a\nb""#, text("a\nb")),
            (Kind::Auto, r#"{"a": [1]}"#, text(r#"{"a": [1]}"#)),
            (Kind::Text, "007.50e0".trim_start_matches('0'), text("7.50e0")),
            (Kind::Text, "false", text("false")),
            (Kind::Integer, "\"-42\"", Value::Integer(-42)),
            (Kind::Integer, "1e3", Value::Integer(1000)),
            (Kind::Integer, "9007199254740993", Value::Integer(9_007_199_254_740_993)),
            (Kind::Float, "1.5", Value::Float(1.5)),
            (Kind::Float, "\"-2e-3\"", Value::Float(-0.002)),
            (Kind::Boolean, "\"false\"", Value::Boolean(false)),
            (Kind::Decimal, "0.10", text("0.10")),
            (Kind::Decimal, "\"+12.50\"", text("12.50")),
            (Kind::Decimal, "1E5", text("100000")),
            (seconds, "1763625600", Value::TimestampMicros(1_763_625_600_000_000)),
            (seconds, "1763625600.0000019", Value::TimestampMicros(1_763_625_600_000_001)),
            (seconds, "\"-1.5\"", Value::TimestampMicros(-1_500_000)),
            (seconds, "\"2025-11-20T08:00:00Z\"", Value::TimestampMicros(1_763_625_600_000_000)),
            (Kind::Bytes(None), "\"AP8=\"", Value::Bytes(vec![0, 255])),
            (Kind::Bytes(Some(Encoding::Hex)), "\"00fF\"", Value::Bytes(vec![0, 255])),
            (Kind::Bytes(Some(Encoding::Text)), "\"\\u00e9\"", Value::Bytes("é".into())),
            (Kind::Json, "\"a\\u00e9\"", text("\"a\\u00e9\"")),
            (Kind::Json, "{ \"a\":1.0 }", text("{ \"a\":1.0 }")),
        ] {
            assert_eq!(made(kind, json), Ok(wanted), "{kind:?} {json}");
        }
    }

    #[test]
    fn every_kind_refuses_what_is_something_else() {
        for (kind, json) in [
            (Kind::Auto, "1e2000"),
            (Kind::Auto, "\"\\ud800\""),
            (Kind::Text, "{}"),
            (Kind::Text, "[]"),
            (Kind::Integer, "1.5"),
            (Kind::Integer, "\"1,000\""),
            (Kind::Integer, "9223372036854775808"),
            (Kind::Integer, "true"),
            (Kind::Integer, "\"\""),
            (Kind::Float, "\"inf\""),
            (Kind::Float, "\"NaN\""),
            (Kind::Float, "1e400"),
            (Kind::Boolean, "1"),
            (Kind::Boolean, "\"yes\""),
            (Kind::Decimal, "\"12,50\""),
            (Kind::Decimal, "\"NaN\""),
            (Kind::Decimal, "{}"),
            (Kind::Timestamp(None), "1763625600"),
            (Kind::Timestamp(None), "\"2025-11-20\""),
            (Kind::Timestamp(None), "\"2025-11-20T08:00:00\""),
            (Kind::Timestamp(Some(Unit::Seconds)), "1e30"),
            (Kind::Bytes(None), "\"A\""),
            (Kind::Bytes(None), "1"),
            (Kind::Bytes(Some(Encoding::Hex)), "\"0\""),
        ] {
            assert!(made(kind, json).is_err(), "{kind:?} {json}");
        }
    }

    #[test]
    fn parts_of_the_record_have_kinds_of_their_own() {
        assert_eq!(Kind::Auto.value(Found::Millis(5)), Ok(Value::TimestampMicros(5_000)));
        assert_eq!(Kind::Timestamp(None).value(Found::Millis(5)), Ok(Value::TimestampMicros(5_000)));
        assert_eq!(Kind::Integer.value(Found::Millis(5)), Ok(Value::Integer(5)));
        assert_eq!(Kind::Auto.value(Found::Integer(7)), Ok(Value::Integer(7)));
        assert_eq!(Kind::Text.value(Found::Integer(7)), Ok(text("7")));
        assert_eq!(Kind::Auto.value(Found::Bytes(b"k-1")), Ok(text("k-1")));
        assert_eq!(Kind::Integer.value(Found::Bytes(b"17")), Ok(Value::Integer(17)));
        assert_eq!(Kind::Auto.value(Found::Bytes(b"\xff")), Err("text"));
        assert_eq!(Kind::Bytes(None).value(Found::Bytes(b"\xff")), Ok(Value::Bytes(vec![0xff])));
        assert_eq!(Kind::Json.value(Found::Bytes(b" {} ")), Ok(text("{}")));
        assert_eq!(Kind::Json.value(Found::Bytes(b"k-1")), Err("JSON"));
    }
}
