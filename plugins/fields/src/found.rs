//! What lies at a place.

use std::borrow::Cow;

use crate::json::{Kind, Raw};
use crate::number::Number;

/// What lies at a place of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'s> {
    /// Nothing: no such field, no such header.
    Missing,
    /// Null: of JSON, or Kafka's.
    Null,
    /// A JSON value that is not null.
    Json(Raw<'s>),
    /// The bytes of a key, a value or a header; or a topic's name.
    Bytes(&'s [u8]),
    /// A number of the record's own.
    Integer(i64),
    /// The record's timestamp, in milliseconds since the Unix epoch.
    Millis(i64),
}

/// How much of a value is shown.
const SHOWN_MAX: usize = 60;

impl<'s> Found<'s> {
    /// Returns whether nothing is there, or null.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// Returns it as text: what a string says, anything else as it is written; nothing where nothing is there.
    ///
    /// # Errors
    /// Where bytes are not UTF-8, or a string has half a character.
    pub fn text(self) -> Result<Option<Cow<'s, str>>, String> {
        Ok(Some(match self {
            Self::Missing | Self::Null => return Ok(None),
            Self::Json(raw) if raw.kind() == Kind::Text => raw.text()?,
            Self::Json(raw) => Cow::Borrowed(raw.as_str()),
            Self::Bytes(bytes) => Cow::Borrowed(
                std::str::from_utf8(bytes).map_err(|error| format!("bytes that are not UTF-8 ({error})"))?,
            ),
            Self::Integer(number) | Self::Millis(number) => Cow::Owned(number.to_string()),
        }))
    }

    /// Returns what a string of JSON says, or the bytes of a key or a header; nothing where it is neither, or no text.
    pub fn string(self) -> Option<Cow<'s, str>> {
        let is_string = self.is_json_text() || matches!(self, Self::Bytes(_));
        if is_string { self.text().ok()? } else { None }
    }

    /// Returns the number that it is, or that a string spells: exact amounts travel so.
    pub fn number(self) -> Option<Number> {
        Number::parse(&self.text().ok()??)
    }

    /// Returns whether it is a string of JSON.
    pub fn is_json_text(self) -> bool {
        matches!(self, Self::Json(raw) if raw.kind() == Kind::Text)
    }

    /// Says for people what it is: `the string "abc"`, `the number 1.5`, `an object`.
    pub fn shown(self) -> String {
        let short = |text: &str| match text.char_indices().nth(SHOWN_MAX) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
            None => text.to_owned(),
        };
        match self {
            Self::Missing => "nothing".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Json(raw) => match raw.kind() {
                Kind::Null => "null".to_owned(),
                Kind::Boolean(value) => value.to_string(),
                Kind::Number => format!("the number {}", short(raw.as_str())),
                Kind::Text => format!("the string {}", short(raw.as_str())),
                Kind::Array => "an array".to_owned(),
                Kind::Object => "an object".to_owned(),
            },
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => format!("the text {}", short(&format!("{text:?}"))),
                Err(_) => "bytes that are not UTF-8".to_owned(),
            },
            Self::Integer(number) => format!("the number {number}"),
            Self::Millis(_) => "a timestamp".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_string_says_and_anything_else_as_written() {
        let json = |text| Found::Json(Raw::of(text).unwrap()).text().unwrap().unwrap();
        assert_eq!([json(r#""a\u0062""#), json("1.50"), json("true"), json("[ 1 ]")], ["ab", "1.50", "true", "[ 1 ]"]);
        assert_eq!(Found::Null.text(), Ok(None));
        assert_eq!(Found::Integer(-5).text().unwrap().unwrap(), "-5");
        assert!(Found::Bytes(b"\xff").text().unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn a_long_value_is_shown_by_its_beginning() {
        let text = format!("\"{}\"", "é".repeat(100));
        let shown = Found::Json(Raw::of(&text).unwrap()).shown();
        assert_eq!(shown, format!("the string \"{}…", "é".repeat(59)));
        assert_eq!(Found::Bytes(b"a\nb").shown(), "the text \"a\\nb\"");
        assert_eq!(Found::Json(Raw::of("{}").unwrap()).shown(), "an object");
    }
}
