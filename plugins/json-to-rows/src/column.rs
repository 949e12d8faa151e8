//! A column and where its value comes from.

use forebay_fields::{Element, Field, Found, Literal, MISSING_FIELD, Place, Scope, Source, Table, WRONG_TYPE};
use forebay_plugin::serde_json::Value as Config;
use forebay_plugin::{Result, Value, reject};

use crate::encoding::Encoding;
use crate::kind::Kind;
use crate::time::Unit;

/// A column of a row.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    Constant(Value),
    Read(Reading),
}

/// A value that is read from a message.
#[derive(Debug, Clone)]
struct Reading {
    place: Place,
    kind: Kind,
    is_required: bool,
    default: Option<Value>,
    null_if: Vec<Literal>,
}

const KEYS: [&str; 8] = ["path", "type", "unit", "encoding", "required", "default", "null-if", "value"];

/// The types by name; what they need beside that is filled in.
const KINDS: [(&str, Kind); 9] = [
    ("auto", Kind::Auto),
    ("text", Kind::Text),
    ("integer", Kind::Integer),
    ("float", Kind::Float),
    ("boolean", Kind::Boolean),
    ("decimal", Kind::Decimal),
    ("timestamp", Kind::Timestamp(None)),
    ("bytes", Kind::Bytes(None)),
    ("json", Kind::Json),
];

const UNITS: [(&str, Unit); 4] =
    [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros), ("ns", Unit::Nanos)];

const ENCODINGS: [(&str, Encoding); 3] =
    [("base64", Encoding::Base64), ("hex", Encoding::Hex), ("text", Encoding::Text)];

impl Column {
    /// Reads a column: a place, with `?` behind it where it may be missing, or a table. What is wrong is noted.
    pub(crate) fn read(name: &str, field: &Field<'_>) -> Option<Self> {
        if name.is_empty() {
            field.wrong("a column has a name");
        }
        let origin = match field.value() {
            Config::String(_) => Origin::Read(short(field)?),
            Config::Object(_) => {
                let table = field.table()?;
                table.only(&KEYS);
                match table.get("value") {
                    Some(value) => Origin::Constant(alone(&table, &value)?),
                    None => Origin::Read(long(&table)?),
                }
            }
            _ => {
                field
                    .wrong("expected a path such as \"$.id\", or a table such as { path = \"$.id\", type = \"text\" }");
                return None;
            }
        };
        Some(Self { name: name.to_owned(), origin })
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a message without a value has it, too.
    pub(crate) fn is_beside_value(&self) -> bool {
        match &self.origin {
            Origin::Constant(_) => true,
            Origin::Read(reading) => reading.place.is_beside_value(),
        }
    }

    /// Returns whether it is an element's place in its list.
    pub(crate) fn is_index(&self) -> bool {
        matches!(&self.origin, Origin::Read(reading) if *reading.place.source() == Source::Index)
    }

    /// Returns its value; nothing where the row is without this column.
    ///
    /// # Errors
    /// Where it is missing and has to be there, or is of another kind.
    pub(crate) fn value<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<Option<Value>> {
        let reading = match &self.origin {
            Origin::Constant(value) => return Ok(Some(value.clone())),
            Origin::Read(reading) => reading,
        };
        let Reading { place, kind, is_required, default, null_if } = reading;
        let mut found = scope.find(place, element)?;
        if null_if.iter().any(|literal| literal.is(found)) {
            found = Found::Null;
        }
        if !found.is_absent() {
            let value = kind.value(found);
            return value.map(Some).map_err(|wanted| {
                reject(WRONG_TYPE, format!("column `{}` wants {wanted}, and `{place}` is {}", self.name, found.shown()))
            });
        }
        match (default, found) {
            (Some(default), _) => Ok(Some(default.clone())),
            (None, _) if *is_required => Err(self.missing(place, found)),
            (None, Found::Missing) => Ok(None),
            (None, _) => Ok(Some(Value::Null)),
        }
    }

    /// Returns its value, which has to be there.
    ///
    /// # Errors
    /// Where it is missing, null, or of another kind.
    pub(crate) fn needed<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<Value> {
        match (self.value(scope, element)?, &self.origin) {
            (Some(value), _) if value != Value::Null => Ok(value),
            (_, Origin::Read(reading)) => Err(self.missing(&reading.place, scope.find(&reading.place, element)?)),
            (value, Origin::Constant(_)) => Ok(value.unwrap_or(Value::Null)),
        }
    }

    fn missing(&self, place: &Place, found: Found<'_>) -> forebay_plugin::Failure {
        let state = if found == Found::Missing { "not there" } else { "null" };
        reject(MISSING_FIELD, format!("column `{}` has to have a value, and `{place}` is {state}", self.name))
    }
}

/// A place alone.
fn short(field: &Field<'_>) -> Option<Reading> {
    let text = field.text()?;
    let (text, is_required) = match text.strip_suffix('?') {
        Some(text) => (text, false),
        None => (text, true),
    };
    let place = Place::parse(text).map_err(|error| field.wrong(error)).ok()?;
    Some(Reading { place, kind: Kind::Auto, is_required, default: None, null_if: Vec::new() })
}

fn long(table: &Table<'_>) -> Option<Reading> {
    let place = table.need("path").and_then(|field| field.parsed(Place::parse));
    let kind = table.get("type").map_or(Some(Kind::Auto), |field| field.word("type", &KINDS));
    let unit = table.get("unit").map(|field| (field.word("unit", &UNITS), field));
    let encoding = table.get("encoding").map(|field| (field.word("encoding", &ENCODINGS), field));
    if let Some((_, field)) = unit.as_ref().filter(|_| kind.is_some_and(|kind| kind != Kind::Timestamp(None))) {
        field.wrong("is for `type = \"timestamp\"`");
    }
    if let Some((_, field)) = encoding.as_ref().filter(|_| kind.is_some_and(|kind| kind != Kind::Bytes(None))) {
        field.wrong("is for `type = \"bytes\"`");
    }
    let kind = match kind? {
        Kind::Timestamp(_) => Kind::Timestamp(unit.and_then(|(unit, _)| unit)),
        Kind::Bytes(_) => Kind::Bytes(encoding.and_then(|(encoding, _)| encoding)),
        kind => kind,
    };
    let is_required = table.get("required").map_or(Some(true), |field| field.boolean());
    let default = table.get("default").map(|field| constant(&field));
    if table.has("default") && table.has("required") {
        table.wrong("with a `default` it is never missing: leave out `required`");
    }
    let null_if = table.get("null-if").map(|field| field.one_or_more()).unwrap_or_default();
    let null_if: Vec<Option<Literal>> = null_if.iter().map(Literal::read).collect();
    Some(Reading {
        place: place?,
        kind,
        is_required: is_required?,
        default: default.map_or(Some(None), |default| default.map(Some))?,
        null_if: null_if.into_iter().collect::<Option<_>>()?,
    })
}

fn alone(table: &Table<'_>, value: &Field<'_>) -> Option<Value> {
    if table.fields().count() > 1 {
        table.wrong("`value` stands alone");
    }
    constant(value)
}

/// A value of the configuration: what is no scalar is JSON, and a fraction keeps its digits.
fn constant(field: &Field<'_>) -> Option<Value> {
    Some(match field.value() {
        Config::Null => {
            field.wrong("has no value");
            return None;
        }
        Config::Bool(value) => Value::Boolean(*value),
        Config::Number(number) => number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Integer),
        Config::String(text) => Value::Text(text.clone()),
        Config::Array(_) | Config::Object(_) => Value::Text(field.value().to_string()),
    })
}
