//! Numbers by their digits: nothing is lost, whatever their size.

use std::cmp::Ordering;

/// The most digits of a number that is written with an exponent, once it is written without.
const DIGITS_MAX: i64 = 1_000;

/// A decimal number, exactly: `0.DIGITS × 10^point`. Equal numbers are equal however they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    is_negative: bool,
    /// Without zeros at either end; none for 0.
    digits: String,
    point: i64,
}

impl Number {
    /// Reads a number: `[+-]digits[.digits][e[+-]digits]`, with a digit on either side of the point.
    pub fn parse(text: &str) -> Option<Self> {
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) || whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, point: 0 });
        }
        let point = i64::try_from(whole.len()).ok()? - leading + i64::from(exponent);
        Some(Self { is_negative, digits, point })
    }

    /// Returns it without an exponent, unless that takes very many digits.
    pub fn to_decimal(&self) -> Option<String> {
        let count = i64::try_from(self.digits.len()).ok()?;
        if self.point.abs() > DIGITS_MAX {
            return None;
        }
        let sign = if self.is_negative { "-" } else { "" };
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        Some(if count == 0 {
            "0".to_owned()
        } else if self.point <= 0 {
            format!("{sign}0.{}{}", zeros(-self.point), self.digits)
        } else if self.point >= count {
            format!("{sign}{}{}", self.digits, zeros(self.point - count))
        } else {
            let (whole, fraction) = self.digits.split_at_checked(usize::try_from(self.point).ok()?)?;
            format!("{sign}{whole}.{fraction}")
        })
    }

    /// Returns it if it is whole and fits 64 bits.
    pub fn to_integer(&self) -> Option<i64> {
        if self.point > 19 || !self.is_whole() {
            return None;
        }
        self.to_decimal()?.parse().ok()
    }

    /// Returns whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        i64::try_from(self.digits.len()).is_ok_and(|count| self.point >= count)
    }

    /// Returns it times a power of ten.
    #[must_use]
    pub fn shifted(&self, places: i64) -> Self {
        let point = if self.digits.is_empty() { 0 } else { self.point.saturating_add(places) };
        Self { point, ..self.clone() }
    }

    /// Returns the largest whole number that is not above it.
    #[must_use]
    pub fn floor(&self) -> Self {
        if self.is_whole() {
            return self.clone();
        }
        let whole = usize::try_from(self.point).ok().and_then(|at| self.digits.get(..at)).unwrap_or_default();
        let text = if whole.is_empty() { "0" } else { whole };
        let cut = Self::parse(text).unwrap_or_else(|| self.clone());
        if !self.is_negative {
            return cut;
        }
        Self::parse(&format!("-{}", plus_one(text))).unwrap_or(cut)
    }
}

/// Adds one to digits.
fn plus_one(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = digits.len() - kept.len();
    let mut sum = String::with_capacity(digits.len() + 1);
    let mut chars = kept.chars();
    let last = chars.next_back().and_then(|digit| digit.to_digit(10)).unwrap_or_default();
    sum.push_str(chars.as_str());
    sum.push_str(&(last + 1).to_string());
    sum.push_str(&"0".repeat(nines));
    sum
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (one, other) in
            [("1", "1.0"), ("100", "1e2"), ("0.001", "1E-3"), ("-0", "0.00"), ("+5", "005"), ("1.50", "15e-1")]
        {
            assert_eq!(number(one), number(other), "{one} {other}");
        }
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
    }

    #[test]
    fn numbers_are_ordered_by_size() {
        let sorted = ["-1e3", "-20.5", "-20", "-0.1", "0", "1e-5", "0.1", "0.11", "9", "10", "9.9e400"];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
            assert!(number(pair[1]) > number(pair[0]), "{pair:?}");
        }
    }

    #[test]
    fn an_exponent_is_written_out_up_to_a_limit() {
        for (text, wanted) in [
            ("1.5e3", Some("1500")),
            ("-12.5e-4", Some("-0.00125")),
            ("12345e-2", Some("123.45")),
            ("0e5", Some("0")),
            ("1e1001", None),
            ("1e-1002", None),
        ] {
            assert_eq!(number(text).to_decimal().as_deref(), wanted, "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1e5.0", "1,5", " 1", "0x1", "1e99999999999", "NaN", "1.2.3"] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn integers_have_64_bits() {
        for (text, wanted) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("5.0", Some(5)),
            ("5e2", Some(500)),
            ("5.5", None),
            ("1e300", None),
            ("0", Some(0)),
        ] {
            assert_eq!(number(text).to_integer(), wanted, "{text}");
        }
    }

    #[test]
    fn floor_goes_down_below_zero_too() {
        for (text, wanted) in
            [("1.9", 1), ("-1.1", -2), ("-0.5", -1), ("0.5", 0), ("-9.99", -10), ("-199.5", -200), ("7", 7)]
        {
            assert_eq!(number(text).floor().to_integer(), Some(wanted), "{text}");
        }
        assert_eq!(number("1.5").shifted(3).to_integer(), Some(1500));
    }
}
