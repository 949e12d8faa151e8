//! Exact decimals, kept as the text they came as.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An exact decimal number such as `-12.50`, for numeric columns. Digits stay as they were written.
///
/// In JSON it is a string, or a whole number. A fraction as a JSON number is refused: it may have lost digits on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal(String);

/// Text that is no decimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDecimal(String);

impl Decimal {
    /// Returns its digits as they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.0.starts_with('-') && self.0.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        if is_decimal(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDecimal(text.to_owned()))
        }
    }
}

/// Whether `text` is `[+-]digits[.digits]` with at least one digit on either side.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

impl Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Display for InvalidDecimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} is no decimal: expected digits such as \"-12.50\"",
            self.0
        )
    }
}

impl std::error::Error for InvalidDecimal {}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self(whole.to_string())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a decimal as a string such as \"12.50\", or a whole number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Decimal, E> {
        Ok(Decimal(whole.to_string()))
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Decimal, E> {
        Ok(Decimal(whole.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_numeric_column_takes_and_nothing_else() {
        for text in ["0", "-12.50", "+1", ".5", "5.", "00.00"] {
            assert_eq!(text.parse::<Decimal>().unwrap().as_str(), text);
        }
        for text in ["", ".", "-", "1e5", "NaN", "1,5", " 1", "1.2.3", "٣"] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_fraction_as_a_json_number_is_refused() {
        assert_eq!(serde_json::from_str::<Decimal>("\"12.50\"").unwrap().as_str(), "12.50");
        assert_eq!(serde_json::from_str::<Decimal>("12").unwrap().as_str(), "12");
        let error = serde_json::from_str::<Decimal>("12.5").unwrap_err().to_string();
        assert!(
            error.contains("expected a decimal as a string such as \"12.50\""),
            "{error}"
        );
    }

    #[test]
    fn minus_nothing_is_not_negative() {
        assert!("-0.01".parse::<Decimal>().unwrap().is_negative());
        assert!(!"-0.00".parse::<Decimal>().unwrap().is_negative());
    }
}
