//! A small table below the comparisons: one line for each setting, or each moment, that was measured.

use std::fmt;

use serde_json::{Map, Value, json};

/// Lines of figures under one head.
pub(crate) struct Curve {
    name: String,
    what: String,
    /// What the lines are called by.
    first: &'static str,
    /// Names with their units, and how many digits a figure has behind its point.
    columns: Vec<(&'static str, usize)>,
    lines: Vec<(String, Vec<f64>)>,
}

impl Curve {
    /// Returns a curve without a line.
    pub(crate) fn new(name: &str, what: &str, first: &'static str, columns: &[(&'static str, usize)]) -> Self {
        Self { name: name.to_owned(), what: what.to_owned(), first, columns: columns.to_owned(), lines: Vec::new() }
    }

    /// Adds a line: a figure for each column, NaN where there is none.
    pub(crate) fn add(&mut self, label: impl Into<String>, figures: &[f64]) {
        self.lines.push((label.into(), figures.to_owned()));
    }

    /// Returns the lines as objects.
    pub(crate) fn json(&self) -> Value {
        let line = |(label, figures): &(String, Vec<f64>)| {
            let mut object = Map::new();
            object.insert(key(self.first), json!(label));
            // What is no number becomes null.
            object.extend(self.columns.iter().zip(figures).map(|((name, _), figure)| (key(name), json!(figure))));
            Value::Object(object)
        };
        json!({ "name": self.name, "what": self.what, "curve": self.lines.iter().map(line).collect::<Vec<_>>() })
    }

    fn width(&self) -> usize {
        let labels = self.lines.iter().map(|(label, _)| label.chars().count());
        labels.chain([self.first.len(), self.name.len()]).max().unwrap_or_default()
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.width();
        writeln!(formatter, "{}: {}", self.name, self.what)?;
        write!(formatter, "  {:<width$}", self.first)?;
        self.columns.iter().try_for_each(|(name, _)| write!(formatter, "   {name:>9}"))?;
        writeln!(formatter)?;
        for (label, figures) in &self.lines {
            write!(formatter, "  {label:<width$}")?;
            for ((name, digits), figure) in self.columns.iter().zip(figures) {
                let text = if figure.is_nan() { "-".to_owned() } else { format!("{figure:.digits$}") };
                write!(formatter, "   {text:>width$}", width = name.chars().count().max(9))?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

/// Returns a column's name as a key: `p99 ms` is `p99_ms`.
fn key(name: &str) -> String {
    name.replace("/s", " per second").replace([' ', '/'], "_").to_lowercase()
}
