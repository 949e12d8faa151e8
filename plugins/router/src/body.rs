//! A part of a message that becomes the key or the value of another.

use forebay_fields::{Field, Found, MISSING_FIELD, Place, Scope, WRONG_TYPE};
use forebay_plugin::{OptionExt as _, Result, reject};

/// Which part, and in which form.
#[derive(Debug)]
pub(crate) struct Body {
    place: Place,
    form: Form,
}

/// As what a JSON value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it stands there, byte for byte.
    Json,
    /// A string as what it says, without its quotes; anything else as it stands there, and null as no bytes at all.
    Text,
}

const FORMS: [(&str, Form); 2] = [("json", Form::Json), ("text", Form::Text)];

impl Body {
    /// Reads a place, or a table with one. What is wrong is noted.
    pub(crate) fn read(field: &Field<'_>, form: Form) -> Option<Self> {
        if field.value().is_string() {
            return Some(Self { place: field.parsed(Place::parse)?, form });
        }
        let table = field.table()?;
        table.only(&["path", "as"]);
        let form = table.get("as").map_or(Some(form), |field| field.word("form", &FORMS));
        let place = table.need("path").and_then(|field| field.parsed(Place::parse));
        Some(Self { place: place?, form: form? })
    }

    /// Returns the bytes of a message's part, which has to be there; no bytes for null.
    ///
    /// # Errors
    /// Where the part is not there.
    pub(crate) fn needed(&self, scope: &Scope<'_>) -> Result<Option<Vec<u8>>> {
        self.bytes(scope)?.or_reject(MISSING_FIELD, format!("`{}` is not there", self.place))
    }

    /// Returns the bytes of a message's part, if it is there; no bytes for null.
    ///
    /// # Errors
    /// Where the message can not be read.
    pub(crate) fn bytes(&self, scope: &Scope<'_>) -> Result<Option<Option<Vec<u8>>>> {
        let Self { place, form } = self;
        let found = scope.find(place, None)?;
        Ok(Some(Some(match (found, form) {
            (Found::Missing, _) => return Ok(None),
            (Found::Null, Form::Json) if scope.node(place, None)?.is_some() => b"null".to_vec(),
            (Found::Null, _) => return Ok(Some(None)),
            (Found::Bytes(bytes), _) => bytes.to_vec(),
            (Found::Json(raw), Form::Json) => raw.as_str().as_bytes().to_vec(),
            (Found::Json(_) | Found::Integer(_) | Found::Millis(_), _) => {
                let text = found.text().map_err(|why| reject(WRONG_TYPE, format!("`{place}` is no text: {why}")))?;
                text.unwrap_or_default().as_bytes().to_vec()
            }
        })))
    }
}
