//! Bytes that travel in a string.

/// How bytes are written in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Base64 of RFC 4648, of either alphabet, with or without its padding.
    Base64,
    /// Two hexadecimal digits a byte.
    Hex,
    /// The text's own bytes in UTF-8.
    Text,
}

impl Encoding {
    /// Returns the bytes that a text stands for.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => base64(text),
            Self::Hex => hex(text),
            Self::Text => Some(text.as_bytes().to_vec()),
        }
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    // With padding it is filled up to groups of four.
    if padding > 2 || padding > 0 && !text.len().is_multiple_of(4) || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        bits = bits << 6 | sextet(digit)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    // What is left over is no part of a byte.
    (bits & ((1 << count) - 1) == 0).then_some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    Some(match digit {
        b'A'..=b'Z' => u32::from(digit - b'A'),
        b'a'..=b'z' => u32::from(digit - b'a') + 26,
        b'0'..=b'9' => u32::from(digit - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_both_alphabets_with_or_without_padding() {
        for (text, wanted) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zg", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9vYmFy", Some(b"foobar")),
            ("-_8", Some(b"\xfb\xff")),
            ("+/8=", Some(b"\xfb\xff")),
            ("Z", None),
            ("Zg=", None),
            ("Zg===", None),
            ("Zh==", None),
            ("Zm 9v", None),
            ("Zm9v=", None),
            ("é", None),
        ] {
            assert_eq!(base64(text).as_deref(), wanted, "{text:?}");
        }
    }

    #[test]
    fn hex_has_two_digits_a_byte() {
        for (text, wanted) in
            [("", Some(&b""[..])), ("00fF", Some(b"\x00\xff")), ("0", None), ("0g", None), ("0x00", None), ("+1", None)]
        {
            assert_eq!(hex(text).as_deref(), wanted, "{text:?}");
        }
    }
}
