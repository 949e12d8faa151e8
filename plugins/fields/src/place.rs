//! Where a value comes from: a path into the value or the key, a part of the record, a header.

use std::fmt::{self, Display};

use crate::path::Path;
use crate::suggest::hint;

/// A source with the text it was written as, by which people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    text: String,
    source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path from the root of the value.
    Value(Path),
    /// A path from the element that a row is made of; from the root of the value where there is none.
    Element(Path),
    /// Which element it is, from 0.
    Index,
    /// A path from the root of the key, read as JSON.
    Key(Path),
    /// A part of the record, as bytes or as a number.
    Record(Part),
    /// The last header of a name.
    Header(String),
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
    /// The topic's name.
    Topic,
    /// The partition.
    Partition,
    /// The offset.
    Offset,
    /// The timestamp.
    Timestamp,
}

const PARTS: [(&str, Part); 6] = [
    ("key", Part::Key),
    ("value", Part::Value),
    ("topic", Part::Topic),
    ("partition", Part::Partition),
    ("offset", Part::Offset),
    ("timestamp", Part::Timestamp),
];

impl Place {
    /// Reads a place: `record:PART`, `header:NAME`, `key:PATH`, `each:index`, or a path.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let source = match text.split_once(':') {
            Some(("header", "")) => return Err("`header:` wants a name behind it".to_owned()),
            Some(("header", name)) => Source::Header(name.to_owned()),
            Some(("key", path)) => Source::Key(Path::parse(path)?),
            Some(("each", "index")) => Source::Index,
            Some(("record", name)) => match PARTS.iter().find(|(part, _)| *part == name) {
                Some((_, part)) => Source::Record(*part),
                None => {
                    return Err(format!("a record has no {name:?}; {}", hint(name, PARTS.iter().map(|part| part.0))));
                }
            },
            Some((word, _)) if !word.contains(['.', '[', '\'', '"', '$']) => {
                return Err(format!(
                    "{text:?} begins with `{word}:`, which is none of `record:`, `header:`, `key:` and `each:index`; \
                     a field with `:` in its name is written \"['{text}']\""
                ));
            }
            _ if text.starts_with('$') => Source::Value(Path::parse(text)?),
            _ => Source::Element(Path::parse(text)?),
        };
        Ok(Self { text: text.to_owned(), source })
    }

    /// Returns where the value comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns whether it is there without the record's value: so it is there for a tombstone, too.
    pub fn is_beside_value(&self) -> bool {
        match self.source {
            Source::Value(_) | Source::Element(_) | Source::Index | Source::Record(Part::Value) => false,
            Source::Key(_) | Source::Record(_) | Source::Header(_) => true,
        }
    }
}

/// As it was written.
impl Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_never_taken_for_a_part_of_the_record() {
        let path = |text: &str| Path::parse(text).unwrap();
        for (text, wanted) in [
            ("timestamp", Source::Element(path("timestamp"))),
            ("record:timestamp", Source::Record(Part::Timestamp)),
            ("key", Source::Element(path("key"))),
            ("key:id", Source::Key(path("id"))),
            ("key:$", Source::Key(path("$"))),
            ("$.key", Source::Value(path("key"))),
            ("header:a:b", Source::Header("a:b".to_owned())),
            ("each:index", Source::Index),
            ("['a:b']", Source::Element(path("['a:b']"))),
            ("$['a:b']", Source::Value(path("['a:b']"))),
            (".", Source::Element(path("."))),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!((place.source(), place.to_string()), (&wanted, text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_place_says_why() {
        for (text, wanted) in [
            ("record:ofset", "a record has no \"ofset\"; did you mean \"offset\"?"),
            ("header:", "`header:` wants a name"),
            ("key:", "a path is empty"),
            ("haeder:x", "begins with `haeder:`"),
            ("each:id", "begins with `each:`"),
            ("a.b:c", "has ':' in a name"),
        ] {
            let error = Place::parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn a_tombstone_has_a_key_and_headers_and_no_fields() {
        for (text, wanted) in [
            ("record:key", true),
            ("key:id", true),
            ("header:x", true),
            ("record:value", false),
            ("id", false),
            ("$", false),
        ] {
            assert_eq!(Place::parse(text).unwrap().is_beside_value(), wanted, "{text}");
        }
    }
}
