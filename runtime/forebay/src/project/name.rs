//! What a project is called. Topic, group, plugin, package and table take their names from it.

use std::fmt::{self, Display};
use std::str::FromStr;

/// The longest name: with what is put behind it, PostgreSQL, Kafka and cargo still take it.
const LENGTH_MAX: usize = 48;

/// A project's name: a lower-case letter, then lower-case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` can not be a project's name: {why}{advice}")]
pub struct InvalidName {
    text: String,
    why: &'static str,
    advice: String,
}

impl Name {
    /// Returns the table's name.
    pub fn table(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let Some(why) = fault(text) else { return Ok(Self(text.to_owned())) };
        let better = suggestion(text);
        let advice = if fault(&better).is_none() { format!("; try `{better}`") } else { String::new() };
        Err(InvalidName { text: text.to_owned(), why, advice })
    }
}

impl Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn fault(text: &str) -> Option<&'static str> {
    let is_part = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if !text.starts_with(|char: char| char.is_ascii_lowercase()) || !text.chars().all(is_part) {
        return Some("it begins with a lower-case letter, and lower-case letters, digits and `-` follow");
    }
    if text.ends_with('-') || text.contains("--") {
        return Some("a `-` stands between two other characters");
    }
    if text.starts_with("sqlite-") {
        return Some("SQLite keeps names that begin with `sqlite_` to itself");
    }
    (text.len() > LENGTH_MAX).then_some("it is longer than 48 characters")
}

/// Returns the name that was probably meant.
fn suggestion(text: &str) -> String {
    let mut better = String::new();
    for char in text.trim_start_matches(|char: char| !char.is_ascii_alphabetic()).chars() {
        if char.is_ascii_alphanumeric() {
            better.push(char.to_ascii_lowercase());
        } else if !better.ends_with('-') {
            better.push('-');
        }
    }
    better.truncate(LENGTH_MAX);
    better.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_hyphens_make_a_name() {
        for text in ["greetings", "a", "my-app-2", "sqlite", "order"] {
            assert_eq!(text.parse::<Name>().map(|name| name.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("my-app".parse::<Name>().map(|name| name.table()).as_deref(), Ok("my_app"));
    }

    #[test]
    fn whatever_else_is_refused_with_the_name_that_was_meant() {
        let refused = |text: &str| text.parse::<Name>().unwrap_err().to_string();
        let tried = [
            ("My App", "my-app"),
            ("my_app", "my-app"),
            ("2nd", "nd"),
            ("../up", "up"),
            ("a--b", "a-b"),
            ("a-", "a"),
            ("Größe", "gr-e"),
        ];
        for (text, better) in tried {
            let said = refused(text);
            assert!(said.starts_with(&format!("`{text}` can not be")), "{said}");
            assert!(said.ends_with(&format!("; try `{better}`")), "{said}");
        }
        assert!(refused("").ends_with("digits and `-` follow"), "{}", refused(""));
        assert!(refused("sqlite-sync").contains("`sqlite_`"));
        assert!(refused(&"a".repeat(49)).contains("48 characters"));
    }
}
