//! The binary form of PostgreSQL's `numeric`: digits to the base of ten thousand, of which `weight + 1` stand before the point.

/// As many decimal digits before or behind the point as are taken here; more is seldom, and the server reads it.
const DIGITS_MAX: usize = 1_000;

/// Returns the form of a plain decimal number, such as `-12.50`; none of any other.
pub(super) fn binary(text: &str) -> Option<Vec<u8>> {
    let (is_negative, number) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        _ => (false, text),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_plain = |digits: &str| digits.len() <= DIGITS_MAX && digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) || number.ends_with('.') {
        return None;
    }
    // Filled up with zeros so that the point is between two digits of the base.
    let (before, behind) = (whole.len().next_multiple_of(4), fraction.len().next_multiple_of(4));
    let decimal = format!("{whole:0>before$}{fraction:0<behind$}");
    let groups: Vec<i16> = decimal.as_bytes().chunks(4).map(group).collect();
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    let end = groups.len() - groups.iter().rev().take_while(|group| **group == 0).count();
    let digits = groups.get(zeros..end).unwrap_or_default();
    let (before, zeros) = (i16::try_from(before / 4).ok()?, i16::try_from(zeros).ok()?);
    let weight = if digits.is_empty() { 0 } else { before - zeros - 1 };
    let sign: u16 = if is_negative && !digits.is_empty() { 0x4000 } else { 0 };
    let mut bytes = Vec::with_capacity(8 + 2 * digits.len());
    bytes.extend_from_slice(&i16::try_from(digits.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&weight.to_be_bytes());
    bytes.extend_from_slice(&sign.to_be_bytes());
    bytes.extend_from_slice(&i16::try_from(fraction.len()).ok()?.to_be_bytes());
    bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
    Some(bytes)
}

/// Four decimal digits as one of the base.
fn group(digits: &[u8]) -> i16 {
    digits.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::binary;

    fn form(digits: &[i16], weight: i16, is_negative: bool, scale: i16) -> Option<Vec<u8>> {
        let sign = if is_negative { 0x4000 } else { 0 };
        let head = [i16::try_from(digits.len()).unwrap(), weight, sign, scale];
        Some(head.iter().chain(digits).flat_map(|number| number.to_be_bytes()).collect())
    }

    #[test]
    fn a_plain_number_has_its_form() {
        assert_eq!(binary("0"), form(&[], 0, false, 0));
        assert_eq!(binary("-0.00"), form(&[], 0, false, 2));
        assert_eq!(binary("12"), form(&[12], 0, false, 0));
        assert_eq!(binary("-12.50"), form(&[12, 5000], 0, true, 2));
        assert_eq!(binary("1230000"), form(&[123], 1, false, 0));
        assert_eq!(binary("0.00001234"), form(&[1234], -2, false, 8));
        assert_eq!(binary("9223372036854775807"), form(&[922, 3372, 368, 5477, 5807], 4, false, 0));
    }

    #[test]
    fn anything_else_has_none() {
        for other in ["", "-", ".5", "5.", "1e5", "+1", " 1", "1_000", "NaN", "--1", "1.2.3", "٣"] {
            assert_eq!(binary(other), None, "{other}");
        }
    }
}
