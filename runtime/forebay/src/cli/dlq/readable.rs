//! Bytes from outside as something to look at: JSON, text, or hex. Nothing of it acts on a terminal.

use std::fmt::Write as _;

use crate::cli::dlq::json;

/// How much is shown where not all is asked for.
pub(super) const SHOWN: usize = 64 * 1024;
const LINE: usize = 16;

/// Bytes to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Readable {
    /// What they are.
    pub(super) kind: &'static str,
    /// What is shown.
    pub(super) text: String,
    /// Whether that is all.
    pub(super) is_all: bool,
}

/// Returns what is shown of these bytes: about `max` of them, or of the lines they make.
pub(super) fn readable(bytes: &[u8], max: usize) -> Readable {
    // Nobody writes NUL in a text; numbers as machines write them are full of it.
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) else {
        let shown = bytes.get(..max).unwrap_or(bytes);
        return Readable { kind: "bytes", text: hex(shown), is_all: shown.len() == bytes.len() };
    };
    if let Some((text, is_all)) = json::pretty(text, max) {
        return Readable { kind: "JSON", text, is_all };
    }
    let shown = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
    Readable {
        kind: "text",
        text: escape(shown, |char| !matches!(char, '\n' | '\t')),
        is_all: shown.len() == text.len(),
    }
}

/// Returns a text from outside as a part of one line.
pub(super) fn line(text: &str) -> String {
    escape(text, |_| true)
}

/// Whether a character is not seen, and acts on a terminal or on the order of what is.
pub(super) fn is_hidden(char: char) -> bool {
    let is_direction =
        matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    char.is_control()
        || is_direction
        || matches!(char, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str, wanted: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) && wanted(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Offsets, bytes, and the letters among them.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 5);
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let codes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let seen = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let letters: String = line.iter().map(seen).collect();
        let start = if index == 0 { "" } else { "\n" };
        // A string takes everything.
        let _written = write!(text, "{start}{:08x}  {:47}  |{letters}|", index * LINE, codes.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_not_act_on_a_terminal() {
        let shown = readable("a\u{1b}[2J\tb\r\nc\u{9b}31m\u{202e}d\u{7}ä".as_bytes(), 100);
        assert_eq!(shown.kind, "text");
        assert_eq!(shown.text, "a\\u{1b}[2J\tb\\r\nc\\u{9b}31m\\u{202e}d\\u{7}ä");
        assert_eq!(line("a\nb\u{1b}]0;x\u{7}"), "a\\nb\\u{1b}]0;x\\u{7}");
    }

    #[test]
    fn bytes_are_shown_with_their_offsets() {
        let shown = readable(b"\xffabc\x1b[2J56789abcdefg", 100);
        assert_eq!(shown.kind, "bytes");
        let expected = "00000000  ff 61 62 63 1b 5b 32 4a 35 36 37 38 39 61 62 63  |.abc.[2J56789abc|\n\
                        00000010  64 65 66 67                                      |defg|";
        assert_eq!(shown.text, expected);
    }

    #[test]
    fn a_number_of_javas_is_no_text() {
        let shown = readable(&5_i32.to_be_bytes(), 100);
        assert_eq!((shown.kind, shown.text.get(..21)), ("bytes", Some("00000000  00 00 00 05")));
    }

    #[test]
    fn says_where_it_stops() {
        for (bytes, kind) in [(vec![0xff; 10], "bytes"), ("ä".repeat(5).into_bytes(), "text")] {
            let all = readable(&bytes, 10);
            assert_eq!((all.kind, all.is_all), (kind, true));
            assert!(!readable(&bytes, 9).is_all, "{kind}");
        }
        assert_eq!(readable("ää".as_bytes(), 3).text, "ä");
    }
}
