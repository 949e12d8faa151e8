//! One value of the manifest with its place, and its conversions. Each conversion that fails has reported why.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Span;
use super::reader::Reader;
use super::suggest;
use super::units;

/// A value under a key.
#[derive(Clone, Copy)]
pub(super) struct Node<'r> {
    pub(super) reader: &'r Reader<'r>,
    /// The key it stands under; an array's items have the array's.
    pub(super) key: &'r str,
    pub(super) key_span: Span,
    /// Whether it is one of an array's items.
    pub(super) is_item: bool,
    pub(super) value: &'r DeValue<'r>,
    pub(super) span: Span,
}

/// A string with its references resolved.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// What it says; may hold a secret.
    pub(super) resolved: String,
    /// As the manifest has it: this may be shown.
    pub(super) shown: String,
    pub(super) span: Span,
}

impl<'r> Node<'r> {
    pub(super) fn report(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.report(self.span, message, hint);
    }

    /// Reports that the value is not what is expected here.
    pub(super) fn wrong_type<T>(&self, expected: &str, hint: &str) -> Option<T> {
        self.report(format!("{} is {}, expected {expected}", self.called(), self.type_name()), hint);
        None
    }

    /// Reads a string that is not empty.
    pub(super) fn text(&self) -> Option<Text> {
        let text = self.text_or_empty("a string", "")?;
        if text.resolved.is_empty() {
            self.report(format!("{} is empty", self.called()), "");
            return None;
        }
        Some(text)
    }

    /// Reads a string that is not empty, where only the string itself is of use.
    pub(super) fn string(&self) -> Option<String> {
        self.text().map(|text| text.resolved)
    }

    /// Reads a string by a parser whose error is a hint.
    pub(super) fn parsed<T>(&self, what: &str, parse: fn(&str) -> Result<T, &'static str>) -> Option<T> {
        let form = parse("").err().unwrap_or_default();
        let text = self.text_or_empty(&format!("{} as a string", with_article(what)), form)?;
        match parse(&text.resolved) {
            Ok(value) => Some(value),
            Err(hint) => {
                self.report(format!("bad {what} `{}` for `{}`", shown(&text.shown), shown(self.key)), hint);
                None
            }
        }
    }

    pub(super) fn duration(self) -> Option<Duration> {
        self.parsed("duration", units::duration)
    }

    pub(super) fn positive_duration(self) -> Option<Duration> {
        self.parsed("duration", units::positive_duration)
    }

    /// Reads a size that is not zero.
    pub(super) fn size(self) -> Option<usize> {
        self.parsed("size", units::size)
    }

    /// Reads a whole number that is not zero.
    pub(super) fn count(self) -> Option<NonZeroUsize> {
        match usize::try_from(self.integer()?).ok().and_then(NonZeroUsize::new) {
            Some(count) => Some(count),
            None => self.out_of_range("it must be at least 1"),
        }
    }

    /// Reads a whole number that is not zero and not more than 4,294,967,295.
    pub(super) fn small_count(self) -> Option<NonZeroU32> {
        match u32::try_from(self.integer()?).ok().and_then(NonZeroU32::new) {
            Some(count) => Some(count),
            None => self.out_of_range("it must lie between 1 and 4294967295"),
        }
    }

    pub(super) fn boolean(self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type("`true` or `false`", ""),
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        let DeValue::Integer(integer) = self.value else {
            return self.wrong_type("a whole number", "");
        };
        match i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
            Ok(integer) => Some(integer),
            Err(_) => self.out_of_range("it must fit 64 bits"),
        }
    }

    pub(super) fn table(&self) -> Option<&'r DeTable<'r>> {
        match self.value {
            DeValue::Table(table) => Some(table),
            _ => self.wrong_type("a table", ""),
        }
    }

    /// Reads an array's items.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            return self.wrong_type("an array", "an array stands in brackets");
        };
        let item = |item: &'r Spanned<DeValue<'r>>| Self {
            value: item.get_ref(),
            span: item.span().into(),
            is_item: true,
            ..*self
        };
        Some(array.iter().map(item).collect())
    }

    /// Reads an array of strings: at least one, none of them empty, none of them twice, and each of them `is_sound`,
    /// which reports it if not.
    pub(super) fn texts(&self, is_sound: impl Fn(&Text) -> bool) -> Option<Vec<Text>> {
        let items = self.items()?;
        if items.is_empty() {
            self.report(format!("`{}` is empty", shown(self.key)), "name at least one, or remove the key");
            return None;
        }
        let mut texts: Vec<Text> = Vec::with_capacity(items.len());
        for text in items.iter().filter_map(Self::text) {
            if texts.iter().any(|earlier| earlier.resolved == text.resolved) {
                let message = format!("`{}` stands twice in `{}`", shown(&text.shown), shown(self.key));
                self.reader.report(text.span, message, "remove one of them");
            } else if is_sound(&text) {
                texts.push(text);
            }
        }
        Some(texts).filter(|texts| texts.len() == items.len())
    }

    /// Reads an array of strings as [`Node::texts`] does, where only the strings themselves are of use.
    pub(super) fn strings(self) -> Option<Vec<String>> {
        Some(self.texts(|_| true)?.into_iter().map(|text| text.resolved).collect())
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Clone>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let text = self.text_or_empty("a string", &format!("one of {}", suggest::quoted_list(&words)))?;
        match choices.iter().find(|(word, _)| *word == text.resolved) {
            Some((_, choice)) => Some(choice.clone()),
            None => self.unknown_word(&text, &words),
        }
    }

    /// Reports a word that is none of those known.
    pub(super) fn unknown_word<T>(&self, text: &Text, words: &[&str]) -> Option<T> {
        let message = format!("unknown value `{}` for `{}`", shown(&text.shown), shown(self.key));
        self.report(message, suggest::hint(&text.shown, words, "expected one of"));
        None
    }

    fn text_or_empty(&self, expected: &str, hint: &str) -> Option<Text> {
        let DeValue::String(raw) = self.value else {
            return self.wrong_type(expected, hint);
        };
        let resolved = self.reader.resolve(raw, self.span)?;
        if resolved.contains('\0') {
            self.report(format!("{} has a NUL character in it", self.called()), "");
            return None;
        }
        Some(Text { resolved, shown: raw.to_string(), span: self.span })
    }

    fn out_of_range<T>(&self, hint: &str) -> Option<T> {
        let DeValue::Integer(integer) = self.value else {
            return None;
        };
        self.report(format!("{} may not be {integer}", self.called()), hint);
        None
    }

    fn called(&self) -> String {
        let item = if self.is_item { "an item of " } else { "" };
        format!("{item}`{}`", shown(self.key))
    }

    fn type_name(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }
}

/// Makes a text of the manifest fit to stand in one line of an error.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|character| if character.is_control() { escaped(character) } else { vec![character] })
        .collect()
}

fn escaped(character: char) -> Vec<char> {
    character.escape_default().collect()
}

fn with_article(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u', 'R']) { "an" } else { "a" };
    format!("{article} {what}")
}
