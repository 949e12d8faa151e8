//! Points in time: as text of RFC 3339, or counted from the Unix epoch.

use forebay_fields::Number;

/// What a count from the Unix epoch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// Returns a count as microseconds; what is finer is cut off.
    pub(crate) fn micros(self, count: &Number) -> Option<i64> {
        let places = match self {
            Self::Seconds => 6,
            Self::Millis => 3,
            Self::Micros => 0,
            Self::Nanos => -3,
        };
        count.shifted(places).floor().to_integer()
    }
}

/// Reads `2025-11-20T08:00:00.123456+01:00` as microseconds since the Unix epoch; what is finer is cut off.
pub(crate) fn rfc3339(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text);
    let year = cursor.digits(4)?;
    cursor.one_of(&['-'])?;
    let month = cursor.digits(2)?;
    cursor.one_of(&['-'])?;
    let day = cursor.digits(2)?;
    cursor.one_of(&['T', 't', ' '])?;
    let hour = cursor.digits(2)?;
    cursor.one_of(&[':'])?;
    let minute = cursor.digits(2)?;
    cursor.one_of(&[':'])?;
    let second = cursor.digits(2)?;
    let micros = cursor.fraction()?;
    let offset = cursor.offset()?;
    // A leap second is the first one of the next minute.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_time || !is_date || !cursor.0.is_empty() {
        return None;
    }
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(seconds * 1_000_000 + micros)
}

/// What is left of a text.
struct Cursor<'t>(&'t str);

impl Cursor<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    fn one_of(&mut self, chars: &[char]) -> Option<char> {
        let found = self.0.chars().next().filter(|char| chars.contains(char))?;
        self.0 = self.0.strip_prefix(found)?;
        Some(found)
    }

    /// Reads what may stand behind the seconds, as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let Some(rest) = self.0.strip_prefix('.') else { return Some(0) };
        let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        let six: String = digits.chars().chain("000000".chars()).take(6).collect();
        six.parse().ok().filter(|_| !digits.is_empty())
    }

    /// Reads how many seconds the clock is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(&['Z', 'z', '+', '-'])? {
            '+' => 1,
            '-' => -1,
            _ => return Some(0),
        };
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        self.one_of(&[':'])?;
        let minutes = self.digits(2).filter(|minutes| *minutes < 60)?;
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts the days from 1970-01-01 to a date of the years 0 to 9999.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let years = year * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    // So many days are from the start of the year 0 to 1970-01-01, counted the same way.
    years + months + day - 1 - 719_527
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_to_the_microsecond() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2025-11-20T08:00:00Z", 1_763_625_600_000_000),
            ("2025-11-20T09:00:00+01:00", 1_763_625_600_000_000),
            ("2025-11-20t03:30:00-04:30", 1_763_625_600_000_000),
            ("2025-11-20 08:00:00.5z", 1_763_625_600_500_000),
            ("2025-11-20T08:00:00.123456789Z", 1_763_625_600_123_456),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ] {
            assert_eq!(rfc3339(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in [
            "",
            "2025-11-20",
            "2025-11-20T08:00:00",
            "2025-11-20T08:00Z",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2025-11-20T24:00:00Z",
            "2025-11-20T08:00:61Z",
            "2025-11-20T08:00:00.Z",
            "2025-11-20T08:00:00+0100",
            "2025-11-20T08:00:00Zx",
            "25-11-20T08:00:00Z",
            "+025-11-20T08:00:00Z",
            "2025-00-10T00:00:00Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn counts_are_exact() {
        for (unit, count, wanted) in [
            (Unit::Seconds, "1763625600", Some(1_763_625_600_000_000)),
            (Unit::Millis, "1763625600123", Some(1_763_625_600_123_000)),
            (Unit::Micros, "-1", Some(-1)),
            (Unit::Nanos, "1999", Some(1)),
            (Unit::Nanos, "-1", Some(-1)),
            (Unit::Seconds, "9223372036855", None),
        ] {
            assert_eq!(unit.micros(&Number::parse(count).unwrap()), wanted, "{unit:?} {count}");
        }
    }
}
