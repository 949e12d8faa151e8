//! The configuration as a whole.

use std::collections::BTreeMap;

use forebay_fields::{Field, Place, Table};
use forebay_plugin::Result;
use forebay_plugin::serde_json::Value;

use crate::body::{Body, Form};
use crate::headers::Headers;

/// Where each message goes, and as what.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) field: Place,
    /// The targets by what the field says.
    pub(crate) routes: BTreeMap<String, Vec<String>>,
    pub(crate) otherwise: Otherwise,
    pub(crate) tombstone: Tombstone,
    /// The key, where it is not the message's own.
    pub(crate) key: Option<Body>,
    /// The value, where it is not the message's own.
    pub(crate) value: Option<Body>,
    pub(crate) headers: Headers,
}

/// What becomes of a message that has no route.
#[derive(Debug)]
pub(crate) enum Otherwise {
    Targets(Vec<String>),
    Skip,
    Reject,
}

/// What becomes of a message without a value, where the field would be in the value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tombstone {
    Reject,
    Skip,
    All,
}

const KEYS: [&str; 8] = ["field", "routes", "otherwise", "tombstone", "key", "value", "headers", "add-headers"];

const TOMBSTONES: [(&str, Tombstone); 3] =
    [("reject", Tombstone::Reject), ("skip", Tombstone::Skip), ("all", Tombstone::All)];

impl Plan {
    /// Reads the configuration.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub(crate) fn read(config: &Value) -> Result<Self> {
        forebay_fields::read(config, Self::read_table)
    }

    fn read_table(table: &Table<'_>) -> Option<Self> {
        table.only(&KEYS);
        let field = table.need("field").and_then(|field| field.parsed(Place::parse));
        let routes = table.need("routes").and_then(|field| routes(&field));
        let otherwise = table.get("otherwise").map_or(Some(Otherwise::Reject), |field| Otherwise::read(&field));
        let tombstone = table.get("tombstone").map(|choice| (choice.word("choice", &TOMBSTONES), choice));
        if let (Some((_, choice)), Some(field)) = (&tombstone, &field)
            && field.is_beside_value()
        {
            choice.wrong(format!("`{field}` is there without a value, too: a tombstone goes where it says"));
        }
        let key = table.get("key").map(|field| Body::read(&field, Form::Text));
        let value = table.get("value").map(|field| Body::read(&field, Form::Json));
        let headers = Headers::read(table);
        Some(Self {
            field: field?,
            routes: routes?,
            otherwise: otherwise?,
            tombstone: tombstone.map_or(Some(Tombstone::Reject), |(word, _)| word)?,
            key: key.map_or(Some(None), |key| key.map(Some))?,
            value: value.map_or(Some(None), |value| value.map(Some))?,
            headers: headers?,
        })
    }

    /// Returns every target that a message may go to, each once.
    pub(crate) fn targets(&self) -> Vec<String> {
        let otherwise = match &self.otherwise {
            Otherwise::Targets(targets) => targets.as_slice(),
            Otherwise::Skip | Otherwise::Reject => &[],
        };
        let mut targets: Vec<String> = self.routes.values().flatten().chain(otherwise).cloned().collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

impl Otherwise {
    /// A target, several, or one of two words.
    fn read(field: &Field<'_>) -> Option<Self> {
        match field.value().as_str() {
            Some("reject") => Some(Self::Reject),
            Some("skip") => Some(Self::Skip),
            _ => targets(field).map(Self::Targets),
        }
    }
}

fn routes(field: &Field<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let table = field.table()?;
    if table.fields().count() == 0 {
        table.wrong("has no route in it; such as `order = \"orders\"`");
    }
    let routes: Vec<_> = table.fields().map(|(name, field)| Some((name.to_owned(), targets(&field)?))).collect();
    routes.into_iter().collect()
}

/// One target, or several.
fn targets(field: &Field<'_>) -> Option<Vec<String>> {
    let fields = field.one_or_more();
    if fields.is_empty() {
        field.wrong("has no target in it");
    }
    let names: Vec<Option<String>> = fields.iter().map(|field| field.text().map(str::to_owned)).collect();
    let names: Vec<String> = names.into_iter().collect::<Option<_>>()?;
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|before| before == name) {
            field.wrong(format!("names {name:?} twice"));
        }
    }
    Some(names)
}
