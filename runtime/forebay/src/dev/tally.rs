//! What a trial came to: counts, and the tables at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use forebay_sink::Sqlite;
use serde_json::{Value, json};

use crate::consumer::{Ended, Terminal};
use crate::dev::of_verdict;
use crate::error::Error;
use crate::paint::Paint;

/// More rows of a table than this are counted and not shown.
const ROWS_MAX: usize = 20;

/// As above, for programs.
const JSON_ROWS_MAX: usize = 1000;

/// Counts of one trial.
#[derive(Debug, Default)]
pub(super) struct Tally {
    applied: usize,
    skipped: BTreeMap<String, usize>,
    dead_lettered: BTreeMap<(&'static str, String), usize>,
    /// Rows made, changed and removed, by table.
    rows: BTreeMap<String, [usize; 3]>,
    published: BTreeMap<String, usize>,
    /// Lines that were no records.
    pub(super) bad_lines: usize,
}

impl Tally {
    /// Counts a record.
    pub(super) fn add(&mut self, terminal: &Terminal) {
        match &terminal.state {
            Ended::Applied => self.applied += 1,
            Ended::Skipped(reason) => *self.skipped.entry(reason.clone()).or_default() += 1,
            Ended::DeadLettered(fault) => {
                *self.dead_lettered.entry((fault.class.as_str(), fault.code.clone())).or_default() += 1;
            }
        }
        for change in &terminal.changes {
            let [made, changed, removed] = self.rows.entry(change.table.clone()).or_default();
            match (&change.before, &change.after) {
                (None, _) => *made += 1,
                (Some(_), Some(_)) => *changed += 1,
                (Some(_), None) => *removed += 1,
            }
        }
        for publish in &terminal.publishes {
            *self.published.entry(publish.topic.to_string()).or_default() += 1;
        }
    }

    /// Returns the counts for people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let skipped: usize = self.skipped.values().sum();
        let dead: usize = self.dead_lettered.values().sum();
        let records = self.applied + skipped + dead;
        let mut text = paint.bold(&format!("{records} {}: {} applied", plural(records, "record"), self.applied));
        let codes = |list: Vec<String>| if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
        let reasons = self.skipped.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        let faults =
            self.dead_lettered.iter().map(|((class, code), count)| format!("{count} × {class}/{code}")).collect();
        let _infallible = write!(text, ", {skipped} skipped{}, {dead} dead-lettered{}", codes(reasons), codes(faults));
        if self.bad_lines > 0 {
            let lines = plural(self.bad_lines, "line");
            let _infallible = write!(text, "; {} {lines} left out, see above", self.bad_lines);
        }
        for (topic, count) in &self.published {
            let _infallible = write!(text, "\n{count} {} published to {topic}", plural(*count, "message"));
        }
        text
    }

    /// Returns the counts for programs.
    pub(super) fn json(&self) -> Value {
        let faults: Vec<Value> = self
            .dead_lettered
            .iter()
            .map(|((class, code), count)| json!({ "class": class, "code": code, "count": count }))
            .collect();
        let rows = self.rows.iter().map(|(table, [made, changed, removed])| {
            (table.clone(), json!({ "inserted": made, "updated": changed, "deleted": removed }))
        });
        json!({
            "applied": self.applied, "skipped": self.skipped, "dead-lettered": faults,
            "rows": rows.collect::<serde_json::Map<_, _>>(), "published": self.published, "bad-lines": self.bad_lines,
        })
    }
}

/// Returns the tables as they stand, for people.
///
/// # Errors
/// Where a table can not be read.
pub(super) async fn tables(tables: &[(String, Sqlite)], paint: Paint) -> Result<String, Error> {
    let mut text = String::new();
    for (name, sink) in tables {
        let (columns, rows, count) = sink.rows(name, ROWS_MAX).await.map_err(|verdict| of_verdict(&verdict))?;
        let title = paint.bold(&format!("{name} ({count} {})", plural(count, "row")));
        let _infallible = writeln!(text, "\n{title}");
        let cells: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|cell| cell.map_or("NULL".to_owned(), |cell| shorten(&cell, 40))).collect())
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let widest = cells.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count()).max();
                widest.unwrap_or_default().max(column.chars().count())
            })
            .collect();
        let line = |row: &[String]| {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        };
        let _infallible = writeln!(text, "{}", paint.dim(&line(&columns)));
        for row in &cells {
            let _infallible = writeln!(text, "{}", line(row));
        }
        if count > cells.len() {
            let _infallible = writeln!(text, "  … and {} more", count - cells.len());
        }
    }
    Ok(text.trim_end().to_owned())
}

/// Returns the tables as they stand, for programs: by name, how many rows there are and the first of them.
///
/// # Errors
/// Where a table can not be read.
pub(super) async fn tables_json(tables: &[(String, Sqlite)]) -> Result<Value, Error> {
    let mut found = serde_json::Map::new();
    for (name, sink) in tables {
        let (columns, rows, count) = sink.rows(name, JSON_ROWS_MAX).await.map_err(|verdict| of_verdict(&verdict))?;
        let object = |row: Vec<Option<String>>| {
            columns.iter().cloned().zip(row.into_iter().map(Value::from)).collect::<serde_json::Map<_, _>>()
        };
        let rows: Vec<Value> = rows.into_iter().map(|row| Value::Object(object(row))).collect();
        found.insert(name.clone(), json!({ "count": count, "rows": rows }));
    }
    Ok(Value::Object(found))
}

/// Returns the word for so many.
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// Returns text on one line of at most so many characters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|letter| if letter.is_control() { '·' } else { letter }).collect();
    if clean.chars().count() <= most {
        return clean;
    }
    let start: String = clean.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}
