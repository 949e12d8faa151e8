//! Sums of decimals that are stored as text: exact, with the larger of the two scales, as PostgreSQL's numeric has them.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

/// The function's name in SQL.
pub(super) const SUM: &str = "forebay_sum";

/// PostgreSQL's own limits of a numeric: what the one takes, the other takes.
const DIGITS_BEFORE_POINT: i64 = 131_072;
const DIGITS_AFTER_POINT: i64 = 16_383;

/// Text that is no decimal, or one beyond the limits.
#[derive(Debug, thiserror::Error)]
#[error("text that is no decimal number in a column that is added to")]
struct NoDecimal;

/// Teaches a connection to add decimals.
pub(super) fn register(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(SUM, 2, flags, |context| {
        let no_decimal = || Error::UserFunctionError(Box::new(NoDecimal));
        let left = summand(context.get_raw(0)).ok_or_else(no_decimal)?;
        let right = summand(context.get_raw(1)).ok_or_else(no_decimal)?;
        let sum = left + right;
        is_within_limits(&sum).then(|| sum.to_plain_string()).ok_or_else(no_decimal)
    })
}

/// Reads a decimal: spaces around it are forgiven, as PostgreSQL does.
pub(super) fn parse(text: &str) -> Option<BigDecimal> {
    let text = text.trim_ascii();
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_plain) {
        return None;
    }
    BigDecimal::from_str(text).ok().filter(is_within_limits)
}

fn summand(value: ValueRef<'_>) -> Option<BigDecimal> {
    match value {
        ValueRef::Null => Some(BigDecimal::from(0)),
        ValueRef::Integer(number) => Some(BigDecimal::from(number)),
        ValueRef::Text(text) => parse(std::str::from_utf8(text).ok()?),
        ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

fn is_within_limits(number: &BigDecimal) -> bool {
    let scale = number.fractional_digit_count();
    let before = i64::try_from(number.digits()).ok().and_then(|digits| digits.checked_sub(scale));
    scale <= DIGITS_AFTER_POINT && before.is_some_and(|before| before <= DIGITS_BEFORE_POINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: Option<&str>, right: Option<&str>) -> Result<String, String> {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let sql = format!("select {SUM}(?1, ?2)");
        connection.query_row(&sql, (left, right), |row| row.get(0)).map_err(|error| error.to_string())
    }

    #[test]
    fn sums_are_exact_and_keep_the_larger_scale() {
        let rows = [
            (Some("0.1"), Some("0.20"), "0.30"),
            (Some("9007199254740993"), Some("1"), "9007199254740994"),
            (None, Some("1.50"), "1.50"),
            (Some("-1.50"), Some("1.5"), "0.00"),
            (Some("1e3"), Some("0.5"), "1000.5"),
            (None, Some(" 7 "), "7"),
            (None, None, "0"),
        ];
        for (left, right, expected) in rows {
            assert_eq!(sum(left, right).as_deref(), Ok(expected), "{left:?} + {right:?}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "x", "NaN", "1_000", "1e999999999", "1e-20000", "0x10", "--1", "1.2.3"] {
            assert!(sum(None, Some(text)).is_err_and(|error| error.contains("no decimal")), "{text}");
        }
    }
}
