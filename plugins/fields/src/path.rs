//! A path into a JSON document: `items[0].sku`, `['odd name'].x`.

use std::fmt::{self, Display};

/// The way from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To what an object has under a name.
    Key(String),
    /// To an element of a list, from 0.
    Index(usize),
}

/// What ends a name that stands without quotes.
const ENDS: [char; 7] = ['.', '[', ']', '\'', '"', ':', '$'];

impl Path {
    /// Returns the steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Reads a path: steps, behind `$` or, where they begin with a name, behind nothing. `.` is the value itself, and so
    /// is `$`.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a path is empty; `.` is the value itself".to_owned());
        }
        let mut rest = match text.strip_prefix('$') {
            Some(rest) => rest,
            None if text == "." => "",
            None => text,
        };
        let mut steps = Vec::new();
        let mut is_first = !text.starts_with('$');
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('[') {
                Some(inside) => bracket(inside, text)?,
                None => name(rest, is_first, text)?,
            };
            steps.push(step);
            rest = after;
            is_first = false;
        }
        Ok(Self { steps })
    }
}

/// Reads a name: behind a point, unless it is the first step.
fn name<'t>(rest: &'t str, is_first: bool, text: &str) -> Result<(Step, &'t str), String> {
    let rest = match (rest.strip_prefix('.'), is_first) {
        (Some(rest), false) => rest,
        (None, true) => rest,
        (Some(_), true) => return Err(format!("path {text:?} begins with a point; the field alone, or `$.field`")),
        (None, false) => return Err(format!("path {text:?} has {rest:?} where `.` or `[` is expected")),
    };
    let is_end = |char: char| ENDS.contains(&char) || char.is_whitespace() || char.is_control();
    let (name, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
    if !name.is_empty() && (after.is_empty() || after.starts_with(['.', '['])) {
        return Ok((Step::Key(name.to_owned()), after));
    }
    match after.chars().next() {
        None | Some('.' | '[') => Err(format!("path {text:?} has a point and no name behind it")),
        Some(odd) => {
            Err(format!("path {text:?} has {odd:?} in a name; write an odd name in quotes, as in \"['a b']\""))
        }
    }
}

/// Reads what stands behind `[`: an index, or a name in quotes.
fn bracket<'t>(inside: &'t str, text: &str) -> Result<(Step, &'t str), String> {
    let never_ends = || format!("path {text:?} has a `[` without its `]`");
    if let Some(quote) = inside.chars().next().filter(|char| matches!(char, '\'' | '"')) {
        let end = format!("{quote}]");
        let (name, after) =
            inside.split_at_checked(1).and_then(|(_, name)| name.split_once(&end)).ok_or_else(never_ends)?;
        return Ok((Step::Key(name.to_owned()), after));
    }
    let (index, after) = inside.split_once(']').ok_or_else(never_ends)?;
    let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    match index.parse().ok().filter(|_| is_index) {
        Some(index) => Ok((Step::Index(index), after)),
        None => Err(format!("path {text:?} has [{index}]; an index is 0, 1, 2 …, and a name is in quotes")),
    }
}

/// As a path from `$`.
impl Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("$")?;
        self.steps.iter().try_for_each(|step| step.fmt(formatter))
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_odd = |char: char| ENDS.contains(&char) || char.is_whitespace() || char.is_control();
        match self {
            Self::Key(name) if name.is_empty() || name.contains(is_odd) => write!(formatter, "['{name}']"),
            Self::Key(name) => write!(formatter, ".{name}"),
            Self::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_shown_from_the_root() {
        for (text, shown) in [
            ("$", "$"),
            (".", "$"),
            ("id", "$.id"),
            ("$.id", "$.id"),
            ("items[0].sku", "$.items[0].sku"),
            ("$[1][2]", "$[1][2]"),
            ("['odd name'].x", "$['odd name'].x"),
            ("a[\"b.c\"]", "$.a['b.c']"),
            ("['']", "$['']"),
            ("['it's']", "$['it's']"),
            ("@timestamp", "$.@timestamp"),
            ("größe-1", "$.größe-1"),
        ] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, wanted) in [
            ("", "a path is empty"),
            (".id", "begins with a point"),
            ("a..b", "a point and no name"),
            ("a.", "a point and no name"),
            ("$id", "`.` or `[` is expected"),
            ("a[0]b", "`.` or `[` is expected"),
            ("a[0", "without its `]`"),
            ("a['b]", "without its `]`"),
            ("a[-1]", "has [-1]; an index is"),
            ("a[+1]", "has [+1]; an index is"),
            ("a[]", "has []; an index is"),
            ("a[b]", "a name is in quotes"),
            ("a b", "has ' ' in a name"),
            ("a.b:c", "has ':' in a name"),
            ("a[99999999999999999999999]", "an index is"),
        ] {
            let error = Path::parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
