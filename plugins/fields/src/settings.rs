//! Reading a plugin's `config` table to its end, so that all its errors are told at once, each with its place.

use std::cell::RefCell;

use forebay_plugin::serde_json::{Map, Value};
use forebay_plugin::{Failure, reject};

use crate::suggest::hint;

/// Reads a configuration as a whole.
///
/// # Errors
/// With everything that is wrong with it.
pub fn read<T>(config: &Value, read: impl FnOnce(&Table<'_>) -> Option<T>) -> Result<T, Failure> {
    let errors = Errors::default();
    let read = errors.root(config).table().and_then(|table| read(&table));
    match (errors.into_failure(), read) {
        (Some(failure), _) => Err(failure),
        (None, Some(read)) => Ok(read),
        (None, None) => Err(reject("bad-config", "config: can not be read")),
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Default)]
pub(crate) struct Errors(RefCell<Vec<String>>);

/// A table of a configuration.
#[derive(Debug, Clone)]
pub struct Table<'c> {
    place: String,
    entries: &'c Map<String, Value>,
    errors: &'c Errors,
}

/// A value of a configuration.
#[derive(Debug, Clone)]
pub struct Field<'c> {
    place: String,
    value: &'c Value,
    errors: &'c Errors,
}

impl Errors {
    /// Returns the whole of a configuration.
    pub(crate) fn root<'c>(&'c self, config: &'c Value) -> Field<'c> {
        Field { place: "config".to_owned(), value: config, errors: self }
    }

    /// Returns all errors as one failure, if there are any.
    pub(crate) fn into_failure(self) -> Option<Failure> {
        let mut errors = self.0.into_inner();
        errors.sort_unstable();
        errors.dedup();
        (!errors.is_empty()).then(|| reject("bad-config", errors.join("\n")))
    }

    fn add(&self, error: String) {
        self.0.borrow_mut().push(error);
    }
}

impl<'c> Table<'c> {
    /// Notes every key that is not among those known here.
    pub fn only(&self, known: &[&str]) {
        for name in self.entries.keys().filter(|name| !known.contains(&name.as_str())) {
            self.errors.add(format!("{}: unknown key; {}", self.place_of(name), hint(name, known.iter().copied())));
        }
    }

    /// Returns a key's value, if the key is there.
    pub fn get(&self, name: &str) -> Option<Field<'c>> {
        let value = self.entries.get(name)?;
        Some(Field { place: self.place_of(name), value, errors: self.errors })
    }

    /// Returns a key's value, and notes that it is missing where it is.
    pub fn need(&self, name: &str) -> Option<Field<'c>> {
        let found = self.get(name);
        if found.is_none() {
            self.errors.add(format!("{}: missing; it has to be there", self.place_of(name)));
        }
        found
    }

    /// Returns whether the key is there.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Returns all keys with their values, in alphabetical order.
    pub fn fields(&self) -> impl Iterator<Item = (&'c str, Field<'c>)> {
        let field = |(name, value): (&'c String, &'c Value)| {
            (name.as_str(), Field { place: self.place_of(name), value, errors: self.errors })
        };
        self.entries.iter().map(field)
    }

    /// Notes that something is wrong with the table.
    pub fn wrong(&self, what: impl Into<String>) {
        self.errors.add(format!("{}: {}", self.place, what.into()));
    }

    fn place_of(&self, name: &str) -> String {
        let is_bare = !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || char == '-' || char == '_');
        if is_bare { format!("{}.{name}", self.place) } else { format!("{}.{name:?}", self.place) }
    }
}

impl<'c> Field<'c> {
    /// Returns the value.
    pub fn value(&self) -> &'c Value {
        self.value
    }

    /// Notes that something is wrong with it.
    pub fn wrong(&self, what: impl Into<String>) {
        self.errors.add(format!("{}: {}", self.place, what.into()));
    }

    /// Returns a table; anything else is noted.
    pub fn table(&self) -> Option<Table<'c>> {
        match self.value {
            Value::Object(entries) => Some(Table { place: self.place.clone(), entries, errors: self.errors }),
            _ => self.unexpected("a table"),
        }
    }

    /// Returns the elements of an array; anything else is noted.
    pub fn array(&self) -> Option<Vec<Self>> {
        match self.value {
            Value::Array(elements) => Some(self.elements(elements)),
            _ => self.unexpected("an array"),
        }
    }

    /// Returns the elements of an array, or the value itself where it is none.
    pub fn one_or_more(&self) -> Vec<Self> {
        match self.value {
            Value::Array(elements) => self.elements(elements),
            _ => vec![self.clone()],
        }
    }

    fn elements(&self, elements: &'c [Value]) -> Vec<Self> {
        let element = |(index, value)| Self { place: format!("{}[{index}]", self.place), value, errors: self.errors };
        elements.iter().enumerate().map(element).collect()
    }

    /// Returns a string that is not empty; anything else is noted.
    pub fn text(&self) -> Option<&'c str> {
        match self.value.as_str() {
            Some("") => {
                self.wrong("is empty");
                None
            }
            Some(text) => Some(text),
            None => self.unexpected("a string"),
        }
    }

    /// Returns a boolean; anything else is noted.
    pub fn boolean(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.unexpected("true or false"))
    }

    /// Returns what one of a few words stands for; anything else is noted. `what` is what the words are for.
    pub fn word<T: Copy>(&self, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            self.wrong(format!("unknown {what} {text:?}; {}", hint(text, words.iter().map(|(word, _)| *word))));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// Returns what a function makes of the string; what it does not take is noted.
    pub fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        parse(self.text()?).map_err(|error| self.wrong(error)).ok()
    }

    fn unexpected<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => format!("the number {number}"),
            Value::String(text) => format!("the string {text:?}"),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "a table".to_owned(),
        };
        self.wrong(format!("expected {wanted}, found {found}"));
        None
    }
}

#[cfg(test)]
mod tests {
    use forebay_plugin::serde_json::json;

    use super::*;

    #[test]
    fn every_error_is_told_with_its_place() {
        let config = json!({
            "taget": "orders",
            "mode": "upsrt",
            "on": "yes",
            "rows": [{"a b": 1}, 5],
            "empty": "",
        });
        let errors = Errors::default();
        let table = errors.root(&config).table().unwrap();
        table.only(&["target", "mode", "on", "rows", "empty"]);
        assert!(table.need("target").is_none());
        assert_eq!(table.get("mode").unwrap().word("mode", &[("upsert", 1), ("insert", 2)]), None);
        assert_eq!(table.get("on").unwrap().boolean(), None);
        for row in table.get("rows").unwrap().array().unwrap() {
            if let Some(row) = row.table() {
                assert!(row.fields().all(|(_, field)| field.text().is_none()));
            }
        }
        assert_eq!(table.get("empty").unwrap().text(), None);
        let told = errors.into_failure().unwrap();
        let wanted = [
            "config.empty: is empty",
            "config.mode: unknown mode \"upsrt\"; did you mean \"upsert\"?",
            "config.on: expected true or false, found the string \"yes\"",
            "config.rows[0].\"a b\": expected a string, found the number 1",
            "config.rows[1]: expected a table, found the number 5",
            "config.taget: unknown key; did you mean \"target\"?",
            "config.target: missing; it has to be there",
        ];
        assert_eq!((told.code.as_str(), told.message.lines().collect::<Vec<_>>()), ("bad-config", wanted.to_vec()));
    }

    #[test]
    fn one_stands_for_a_list_of_one() {
        let (errors, one, two) = (Errors::default(), json!("a"), json!(["a", "b"]));
        assert_eq!([errors.root(&one).one_or_more().len(), errors.root(&two).one_or_more().len()], [1, 2]);
        assert_eq!(errors.root(&json!({})).table().unwrap().fields().count(), 0);
        assert!(errors.into_failure().is_none());
    }
}
