//! JSON set out for people without being read into numbers and maps: every digit stays, and so does the order of keys.

use serde::de::IgnoredAny;

use crate::cli::dlq::readable::is_hidden;

/// Returns an object or an array in lines, up to about `max` bytes, and whether that is all; `None` where the text is neither.
pub(super) fn pretty(text: &str, max: usize) -> Option<(String, bool)> {
    let is_document = text.trim_start().starts_with(['{', '[']);
    if !is_document || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut page = Page { text: String::new(), depth: 0 };
    let mut chars = text.chars().peekable();
    let (mut is_string, mut is_escape) = (false, false);
    while let Some(char) = chars.next() {
        if page.text.len() > max {
            return Some((page.text, false));
        }
        if is_string {
            page.put(char);
            is_string = is_escape || char != '"';
            is_escape = !is_escape && char == '\\';
            continue;
        }
        match char {
            '"' => {
                is_string = true;
                page.text.push('"');
            }
            '{' | '[' => {
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                page.text.push(char);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => page.text.push(end),
                    None => {
                        page.depth += 1;
                        page.line();
                    }
                }
            }
            '}' | ']' => {
                page.depth = page.depth.saturating_sub(1);
                page.line();
                page.text.push(char);
            }
            ',' => {
                page.text.push(',');
                page.line();
            }
            ':' => page.text.push_str(": "),
            _ if char.is_ascii_whitespace() => {}
            _ => page.text.push(char),
        }
    }
    Some((page.text, true))
}

/// Escapes what a terminal would act on; the text means the same.
pub(super) fn harmless(text: &str) -> String {
    let mut page = Page { text: String::with_capacity(text.len()), depth: 0 };
    text.chars().for_each(|char| page.put(char));
    page.text
}

struct Page {
    text: String,
    depth: usize,
}

impl Page {
    fn line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }

    /// Inside of a string every character may be written as an escape.
    fn put(&mut self, char: char) {
        if char != '\n' && is_hidden(char) {
            let units = &mut [0; 2];
            self.text.extend(char.encode_utf16(units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            self.text.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_digits_and_order() {
        let text = r#" {"z":1.10,"a":18446744073709551616, "deep" : [ ] ,"list":[1,{},{"b":"},[\"\\"}],"e":1e400}"#;
        let expected = "{\n  \"z\": 1.10,\n  \"a\": 18446744073709551616,\n  \"deep\": [],\n  \"list\": [\n    1,\n    {},\n    \
                        {\n      \"b\": \"},[\\\"\\\\\"\n    }\n  ],\n  \"e\": 1e400\n}";
        assert_eq!(pretty(text, 1000), Some((expected.to_owned(), true)));
    }

    #[test]
    fn what_is_no_document_is_none() {
        for text in ["", "7", "\"text\"", "{", "[1,]", "{}x", "{\"a\":\"\u{1}\"}", &"[".repeat(100_000)] {
            assert_eq!(pretty(text, 1000), None, "{text:.20}");
        }
    }

    #[test]
    fn stops_where_it_is_too_much() {
        let text = format!("[{}0]", "1,".repeat(100_000));
        let (page, is_all) = pretty(&text, 1000).unwrap();
        assert!(!is_all && page.len() < 1100, "{}", page.len());
    }

    #[test]
    fn a_terminal_sees_no_escape() {
        let (page, _) = pretty("{\"a\":\"\u{9b}2J\u{7f}\u{202e}ä\"}", 1000).unwrap();
        assert_eq!(page, "{\n  \"a\": \"\\u009b2J\\u007f\\u202eä\"\n}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&page).unwrap()["a"], "\u{9b}2J\u{7f}\u{202e}ä");
        assert_eq!(harmless("{\"\u{e0001}\":1}"), "{\"\\udb40\\udc01\":1}");
    }
}
