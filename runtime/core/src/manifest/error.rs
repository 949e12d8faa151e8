//! What is wrong with a manifest, each with its place, the line it stands in, and what to do about it.

use std::fmt;
use std::ops::Range;

/// Everything that is wrong with a manifest, in the order of the text. Never empty where it is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as people know it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// The line as the file has it: references in it are not resolved.
    source: String,
    /// How many characters of the line are meant, at least one.
    width: usize,
}

/// A range of bytes in the manifest's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Errors {
    /// Sorts by place and drops what was found twice.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        Self { problems }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Returns them in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(formatter, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl Problem {
    /// Finds the place of `span` in `text`.
    pub(super) fn at(file: &str, text: &str, span: Span, message: String, hint: String) -> Self {
        let start = text.floor_char_boundary(span.start);
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(start..).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let head = before.get(line_start..).unwrap_or_default();
        let tail = after.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let meant = tail.get(..tail.floor_char_boundary(span.end.saturating_sub(start))).unwrap_or_default();
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: head.chars().count() + 1,
            message,
            hint,
            source: printable(&format!("{head}{tail}")),
            width: meant.chars().count().max(1),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, hint, source, width } = self;
        let gutter = line.to_string().len() + 1;
        writeln!(formatter, "{file}:{line}:{column}: {message}")?;
        writeln!(formatter, "{:gutter$}|", "")?;
        writeln!(formatter, "{}", format!("{line} | {source}").trim_end())?;
        let underline = format!("{:gutter$}| {:indent$}{:^<width$} {hint}", "", "", "", indent = column - 1);
        formatter.write_str(underline.trim_end())
    }
}

impl Span {
    /// The document's start.
    pub(super) const START: Self = Self { start: 0, end: 0 };
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// Makes each control character one character that takes one column.
fn printable(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\t' => ' ',
            _ if character.is_control() => '\u{fffd}',
            _ => character,
        })
        .collect()
}
