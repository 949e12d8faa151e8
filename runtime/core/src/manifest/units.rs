//! Quantities with units, as the manifest writes them. An error is a hint: it never repeats what was given, for that may
//! have come from a secret.

use std::num::NonZeroU64;
use std::time::Duration;

const DURATION_HINT: &str = "write a whole number and a unit, such as `250ms`, `5s`, `1m`, `6h` or `7d`";
const SIZE_HINT: &str = "write a whole number and a unit: `B`, `KiB`, `MiB` or `GiB`, such as `64KiB`";
const RANGE_HINT: &str = "write the least and the most, such as `200ms..30s`";
const RATE_HINT: &str = "write records per second, such as `1000/s`";
const SHARE_HINT: &str = "write a share of a window, such as `50% of 1m`";

/// A century: longer waits overflow clocks, and nobody means them.
const DURATION_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// Parses `250ms 5s 1m 6h 7d`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let (number, unit) = split_number(text).ok_or(DURATION_HINT)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => return Err(DURATION_HINT),
    };
    duration.filter(|duration| *duration <= DURATION_MAX).ok_or("the most is `36500d`")
}

/// Parses a duration that may not be zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    match duration(text)? {
        Duration::ZERO => Err("it must be more than zero"),
        duration => Ok(duration),
    }
}

/// Parses `64KiB 1MiB`; never zero.
pub(super) fn size(text: &str) -> Result<usize, &'static str> {
    let (number, unit) = split_number(text).ok_or(SIZE_HINT)?;
    let each: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(SIZE_HINT),
    };
    let bytes = number.checked_mul(each).and_then(|bytes| usize::try_from(bytes).ok());
    match bytes.filter(|bytes| isize::try_from(*bytes).is_ok()) {
        Some(0) => Err("it must be more than zero"),
        Some(bytes) => Ok(bytes),
        None => Err("that is more than this machine can address"),
    }
}

/// Parses `200ms..30s`: two durations more than zero, the first not the longer.
pub(super) fn duration_range(text: &str) -> Result<(Duration, Duration), &'static str> {
    let (least, most) = text.split_once("..").ok_or(RANGE_HINT)?;
    let (least, most) = (positive_duration(least)?, positive_duration(most)?);
    if least > most {
        return Err("the first is longer than the second: turn them round");
    }
    Ok((least, most))
}

/// Parses `1000/s`.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, &'static str> {
    match split_number(text) {
        Some((number, "/s")) => {
            NonZeroU64::new(number).ok_or("it must be more than zero; `forebay pause` stops a binding")
        }
        _ => Err(RATE_HINT),
    }
}

/// Parses `50% of 1m`.
pub(super) fn share(text: &str) -> Result<(u8, Duration), &'static str> {
    let (percent, window) = text.split_once("% of ").ok_or(SHARE_HINT)?;
    let percent = match split_number(percent) {
        Some((number, "")) => u8::try_from(number).ok().filter(|percent| (1..=100).contains(percent)),
        _ => return Err(SHARE_HINT),
    };
    Ok((percent.ok_or("a share lies between 1% and 100%")?, positive_duration(window)?))
}

/// Splits off the decimal number a text begins with.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_of_the_documentation() {
        let seconds = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(seconds("250ms"), Ok(250));
        assert_eq!(seconds("5s"), Ok(5_000));
        assert_eq!(seconds("1m"), Ok(60_000));
        assert_eq!(seconds("6h"), Ok(21_600_000));
        assert_eq!(seconds("7d"), Ok(604_800_000));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1MiB"), Ok(1_048_576));
        assert_eq!(rate("1000/s").map(NonZeroU64::get), Ok(1_000));
        assert_eq!(share("50% of 1m"), Ok((50, Duration::from_secs(60))));
        assert_eq!(duration_range("200ms..30s"), Ok((Duration::from_millis(200), Duration::from_secs(30))));
    }

    #[test]
    fn refuses_what_is_nearly_right() {
        for text in ["", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "5us", "99999999999999999999s", "36501d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "5", "0B", "1MB", "1mib", "99999999999GiB", "18446744073709551615B"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["1s", "2s..1s", "0s..1s", "1s..", "..1s"] {
            assert!(duration_range(text).is_err(), "{text}");
        }
        for text in ["1000", "0/s", "1000/m", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["50%", "0% of 1m", "101% of 1m", "50% of 0s", "50 of 1m"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
