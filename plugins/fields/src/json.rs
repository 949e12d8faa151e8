//! A JSON document that is read as far as somebody looks into it. Numbers keep their digits, and what is passed on keeps
//! its bytes.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value as it is written, without the space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'m>(&'m str);

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number,
    /// A string.
    Text,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl<'m> Raw<'m> {
    /// Checks that a text is JSON from its first to its last character.
    ///
    /// # Errors
    /// With what is wrong, and where.
    pub fn of(text: &'m str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self(raw.get()))
    }

    /// Returns it as it is written.
    pub fn as_str(self) -> &'m str {
        self.0
    }

    /// Returns what it is: the first character tells.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't') => Kind::Boolean(true),
            Some(b'f') => Kind::Boolean(false),
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// Returns what a string says, its escapes resolved.
    ///
    /// # Errors
    /// Where an escape is half a character, which no text can hold.
    pub fn text(self) -> Result<Cow<'m, str>, String> {
        let text: Text<'m> = serde_json::from_str(self.0).map_err(|error| without_place(&error))?;
        Ok(text.0)
    }
}

/// A JSON value that can be looked into. What is inside is read once, when it is first asked for.
#[derive(Debug)]
pub struct Node<'m> {
    raw: Raw<'m>,
    inside: OnceCell<Result<Inside<'m>, String>>,
}

#[derive(Debug)]
enum Inside<'m> {
    Array(Vec<Node<'m>>),
    Object(BTreeMap<Cow<'m, str>, Node<'m>>),
    Nothing,
}

impl<'m> Node<'m> {
    /// Makes a node of a value.
    pub fn new(raw: Raw<'m>) -> Self {
        Self { raw, inside: OnceCell::new() }
    }

    /// Returns the value as it is written.
    pub fn raw(&self) -> Raw<'m> {
        self.raw
    }

    /// Returns what an object has under a name; nothing of what is no object.
    ///
    /// # Errors
    /// Where the object has a name twice: nobody knows which one is meant.
    pub fn member(&self, name: &str) -> Result<Option<&Self>, String> {
        Ok(match self.inside()? {
            Inside::Object(members) => members.get(name),
            Inside::Array(_) | Inside::Nothing => None,
        })
    }

    /// Returns a list's elements; nothing of what is no list.
    ///
    /// # Errors
    /// As above.
    pub fn elements(&self) -> Result<Option<&[Self]>, String> {
        Ok(match self.inside()? {
            Inside::Array(elements) => Some(elements),
            Inside::Object(_) | Inside::Nothing => None,
        })
    }

    fn inside(&self) -> Result<&Inside<'m>, String> {
        self.inside.get_or_init(|| look_into(self.raw)).as_ref().map_err(Clone::clone)
    }
}

fn look_into(raw: Raw<'_>) -> Result<Inside<'_>, String> {
    match raw.kind() {
        Kind::Array => {
            let elements: Vec<&RawValue> = serde_json::from_str(raw.0).map_err(|error| without_place(&error))?;
            Ok(Inside::Array(elements.into_iter().map(|element| Node::new(Raw(element.get()))).collect()))
        }
        Kind::Object => {
            let members: Members<'_> = serde_json::from_str(raw.0).map_err(|error| without_place(&error))?;
            Ok(Inside::Object(members.0))
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number | Kind::Text => Ok(Inside::Nothing),
    }
}

/// Line and column would be those within a part of the document.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(place.as_str()).map_or(text.clone(), str::to_owned)
}

/// A text that borrows wherever it has no escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Text<'m>(Cow<'m, str>);

struct TextVisitor;

impl<'m> Visitor<'m> for TextVisitor {
    type Value = Text<'m>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'m str) -> Result<Text<'m>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'m>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'m> Deserialize<'m> for Text<'m> {
    fn deserialize<D: Deserializer<'m>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct Members<'m>(BTreeMap<Cow<'m, str>, Node<'m>>);

struct MembersVisitor;

impl<'m> Visitor<'m> for MembersVisitor {
    type Value = Members<'m>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut access: A) -> Result<Members<'m>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(Text(name)) = access.next_key()? {
            let value: &'m RawValue = access.next_value()?;
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("the key {name:?} is there twice")));
            }
            members.insert(name, Node::new(Raw(value.get())));
        }
        Ok(Members(members))
    }
}

impl<'m> Deserialize<'m> for Members<'m> {
    fn deserialize<D: Deserializer<'m>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node<'_> {
        Node::new(Raw::of(text).unwrap())
    }

    #[test]
    fn what_is_inside_keeps_its_bytes() {
        let whole = node(" { \"a\" : [ 1.50, {\"b\":  2} ] } ");
        let a = whole.member("a").unwrap().unwrap();
        assert_eq!(a.raw().as_str(), "[ 1.50, {\"b\":  2} ]");
        let elements = a.elements().unwrap().unwrap();
        assert_eq!(elements[0].raw().as_str(), "1.50");
        assert_eq!(elements[1].member("b").unwrap().unwrap().raw().kind(), Kind::Number);
        assert!(whole.member("c").unwrap().is_none() && whole.elements().unwrap().is_none());
        assert!(elements[0].member("x").unwrap().is_none());
    }

    #[test]
    fn escapes_in_names_and_texts_are_resolved() {
        let whole = node(r#"{"\u00e9": "\ud83d\ude00\n", "half": "\ud800"}"#);
        assert_eq!(whole.member("é").unwrap().unwrap().raw().text().unwrap(), "😀\n");
        let half = whole.member("half").unwrap().unwrap().raw().text().unwrap_err();
        assert!(!half.contains("line 1"), "{half}");
    }

    #[test]
    fn a_name_that_is_there_twice_is_told_where_it_is_looked_for() {
        let whole = node(r#"{"a": {"x": 1, "\u0078": 2}, "b": 1}"#);
        assert!(whole.member("b").unwrap().is_some());
        let twice = whole.member("a").unwrap().unwrap().member("x").unwrap_err();
        assert_eq!(twice, "the key \"x\" is there twice");
    }

    #[test]
    fn no_depth_is_too_deep() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let whole = node(&text);
        assert_eq!(whole.member("a").unwrap().unwrap().raw().kind(), Kind::Array);
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (text, wanted) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{\"a\":}", "expected value at line 1 column 6"),
            ("{} x", "trailing characters at line 1 column 4"),
            ("\u{feff}{}", "expected value at line 1 column 1"),
            ("01", "invalid number at line 1 column 2"),
            ("NaN", "expected value at line 1 column 1"),
        ] {
            assert_eq!(Raw::of(text).unwrap_err(), wanted, "{text:?}");
        }
    }
}
