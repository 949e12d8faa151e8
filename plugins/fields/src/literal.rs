//! A string, a number or a boolean of a configuration, to which what is found is compared.

use forebay_plugin::serde_json::Value;

use crate::found::Found;
use crate::json::Kind;
use crate::number::Number;
use crate::settings::Field;

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// A number, however it is written.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
}

impl Literal {
    /// Reads one; anything else is noted.
    pub fn read(field: &Field<'_>) -> Option<Self> {
        let literal = match field.value() {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::Number(number) => Number::parse(&number.to_string()).map(Self::Number),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        if literal.is_none() {
            field.wrong("expected a string, a number, true or false");
        }
        literal
    }

    /// Returns whether what is found is the same. In JSON a string is no number, and a number no string; the text of a key
    /// or a header may be either.
    pub fn is(&self, found: Found<'_>) -> bool {
        match self {
            Self::Text(wanted) => found.string().as_deref() == Some(wanted),
            Self::Number(wanted) => !found.is_json_text() && found.number().as_ref() == Some(wanted),
            Self::Boolean(wanted) => match found {
                Found::Json(raw) => raw.kind() == Kind::Boolean(*wanted),
                _ => found.string().as_deref() == Some(if *wanted { "true" } else { "false" }),
            },
        }
    }
}
