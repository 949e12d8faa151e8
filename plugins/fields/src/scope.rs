//! A message with its value and key read as JSON, once somebody asks for what is in them.

use std::cell::OnceCell;

use forebay_plugin::{Failure, Message, Result, reject};

use crate::found::Found;
use crate::json::{Kind, Node, Raw};
use crate::path::{Path, Step};
use crate::place::{Part, Place, Source};
use crate::{MALFORMED, TOMBSTONE};

/// A message to look into.
#[derive(Debug)]
pub struct Scope<'m> {
    message: &'m Message,
    value: OnceCell<Result<Node<'m>>>,
    key: OnceCell<Result<Option<Node<'m>>>>,
}

/// The element of a list that a row is made of.
#[derive(Debug, Clone, Copy)]
pub struct Element<'s, 'm> {
    /// The element.
    pub node: &'s Node<'m>,
    /// Which one it is, from 0.
    pub index: usize,
}

impl<'m> Scope<'m> {
    /// Makes a scope of a message.
    pub fn new(message: &'m Message) -> Self {
        Self { message, value: OnceCell::new(), key: OnceCell::new() }
    }

    /// Returns the message.
    pub fn message(&self) -> &'m Message {
        self.message
    }

    /// Returns what lies at a place; relative paths begin at the element, if there is one.
    ///
    /// # Errors
    /// With the code `malformed` where the way there can not be read.
    pub fn find(&self, place: &Place, element: Option<Element<'_, 'm>>) -> Result<Found<'m>> {
        match place.source() {
            Source::Record(part) => Ok(self.part(*part)),
            Source::Header(name) => Ok(self.header(name)),
            Source::Index => {
                let index = element.and_then(|element| i64::try_from(element.index).ok());
                Ok(index.map_or(Found::Missing, Found::Integer))
            }
            Source::Value(_) | Source::Element(_) | Source::Key(_) => {
                Ok(self.node(place, element)?.map_or(Found::Missing, |node| found(node.raw())))
            }
        }
    }

    /// Returns the JSON value at a path, to be looked into; nothing where no such value is.
    ///
    /// # Errors
    /// As above.
    pub fn node<'s>(&'s self, place: &Place, element: Option<Element<'s, 'm>>) -> Result<Option<&'s Node<'m>>> {
        match place.source() {
            Source::Value(path) => walk(self.root()?, path, "the value"),
            Source::Element(path) => match element {
                Some(element) => walk(element.node, path, "an element"),
                None => walk(self.root()?, path, "the value"),
            },
            Source::Key(path) => match self.key()? {
                Some(node) => walk(node, path, "the key"),
                None => Ok(None),
            },
            Source::Index | Source::Record(_) | Source::Header(_) => Ok(None),
        }
    }

    fn part(&self, part: Part) -> Found<'m> {
        let bytes = |bytes: Option<&'m [u8]>| bytes.map_or(Found::Null, Found::Bytes);
        match part {
            Part::Key => bytes(self.message.key.as_deref()),
            Part::Value => bytes(self.message.value.as_deref()),
            Part::Topic => Found::Bytes(self.message.topic.as_bytes()),
            Part::Partition => Found::Integer(self.message.partition.into()),
            Part::Offset => Found::Integer(self.message.offset),
            Part::Timestamp => self.message.timestamp_ms.map_or(Found::Null, Found::Millis),
        }
    }

    fn header(&self, name: &str) -> Found<'m> {
        match self.message.headers.iter().rfind(|header| header.name == name) {
            Some(header) => header.value.as_deref().map_or(Found::Null, Found::Bytes),
            None => Found::Missing,
        }
    }

    fn root(&self) -> Result<&Node<'m>> {
        let read = || match self.message.value.as_deref() {
            Some(bytes) => document(bytes, "the value"),
            None => Err(reject(TOMBSTONE, "the value is null (a tombstone)")),
        };
        self.value.get_or_init(read).as_ref().map_err(Failure::clone)
    }

    fn key(&self) -> Result<Option<&Node<'m>>> {
        let read = || self.message.key.as_deref().map(|bytes| document(bytes, "the key")).transpose();
        self.key.get_or_init(read).as_ref().map(Option::as_ref).map_err(Failure::clone)
    }
}

fn found(raw: Raw<'_>) -> Found<'_> {
    if raw.kind() == Kind::Null { Found::Null } else { Found::Json(raw) }
}

/// Reads bytes as JSON, from the first to the last.
fn document<'m>(bytes: &'m [u8], what: &str) -> Result<Node<'m>> {
    let malformed = |why: String| reject(MALFORMED, format!("{what} is no JSON: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    Raw::of(text).map(Node::new).map_err(malformed)
}

/// Goes a path to its end, if there is a way.
fn walk<'s, 'm>(from: &'s Node<'m>, path: &Path, what: &str) -> Result<Option<&'s Node<'m>>> {
    let mut node = from;
    for (index, step) in path.steps().iter().enumerate() {
        let next = match step {
            Step::Key(name) => node.member(name),
            Step::Index(index) => node.elements().map(|elements| elements.and_then(|elements| elements.get(*index))),
        };
        let malformed = |why: String| {
            let way: String = path.steps().iter().take(index).map(Step::to_string).collect();
            reject(MALFORMED, format!("{what} can not be read at `${way}`: {why}"))
        };
        match next.map_err(malformed)? {
            Some(inner) => node = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new("orders")
            .at(2, 17)
            .with_timestamp(1_000)
            .with_key(r#"{"id": 5}"#)
            .with_value(r#"{"id": 9007199254740993, "gone": null, "items": [{"sku": "a"}, {"sku": "b"}]}"#)
            .with_header("h", "1")
            .with_header("h", "2")
    }

    fn shown(message: &Message, place: &str) -> String {
        let found = Scope::new(message).find(&Place::parse(place).unwrap(), None);
        found.map_or_else(|failure| failure.to_string(), Found::shown)
    }

    #[test]
    fn every_place_is_found() {
        for (place, wanted) in [
            ("id", "the number 9007199254740993"),
            ("$.items[1].sku", r#"the string "b""#),
            ("items", "an array"),
            (".", "an object"),
            ("gone", "null"),
            ("gone.deeper", "nothing"),
            ("items[2]", "nothing"),
            ("items.sku", "nothing"),
            ("id[0]", "nothing"),
            ("key:id", "the number 5"),
            ("record:key", r#"the text "{\"id\": 5}""#),
            ("record:topic", r#"the text "orders""#),
            ("record:partition", "the number 2"),
            ("record:offset", "the number 17"),
            ("record:timestamp", "a timestamp"),
            ("header:h", r#"the text "2""#),
            ("header:H", "nothing"),
            ("each:index", "nothing"),
        ] {
            assert_eq!(shown(&message(), place), wanted, "{place}");
        }
    }

    #[test]
    fn a_relative_path_begins_at_the_element() {
        let message = message();
        let scope = Scope::new(&message);
        let items = scope.node(&Place::parse("items").unwrap(), None).unwrap().unwrap();
        let element = Some(Element { node: &items.elements().unwrap().unwrap()[1], index: 1 });
        let shown = |place: &str| scope.find(&Place::parse(place).unwrap(), element).unwrap().shown();
        assert_eq!(
            [shown("sku"), shown("each:index"), shown("."), shown("id")],
            [r#"the string "b""#, "the number 1", "an object", "nothing"]
        );
        assert_eq!([shown("$.id"), shown("$.items[0].sku")], ["the number 9007199254740993", r#"the string "a""#]);
    }

    #[test]
    fn what_can_not_be_read_says_what_and_where() {
        for (value, wanted) in [
            (&br#"{"a":1"#[..], "malformed: the value is no JSON: EOF while parsing an object at line 1 column 6"),
            (b"{\"a\":\"\xff\"}", "malformed: the value is no JSON: invalid utf-8 sequence of 1 bytes from index 6"),
            (br#"{"a":{"b":1,"b":2}}"#, "malformed: the value can not be read at `$.a`: the key \"b\" is there twice"),
        ] {
            assert_eq!(shown(&Message::new("t").with_value(value), "a.b"), wanted);
        }
        assert_eq!(shown(&Message::new("t"), "a"), "tombstone: the value is null (a tombstone)");
        assert_eq!(
            shown(&Message::new("t").with_key("k-1"), "key:id"),
            "malformed: the key is no JSON: expected value at line 1 column 1"
        );
        assert_eq!([shown(&Message::new("t"), "key:id"), shown(&Message::new("t"), "record:key")], ["nothing", "null"]);
    }

    #[test]
    fn json_is_read_only_where_it_is_asked_for() {
        let message = Message::new("t").with_value(b"\xff");
        assert_eq!(shown(&message, "record:value"), "bytes that are not UTF-8");
    }
}
