//! A record's fate in lines a person can read: its state, then its rows as a small diff and its messages.

use bytes::Bytes;
use forebay_core::fault::Class;
use forebay_sink::Change;
use serde_json::{Value, json};

use crate::consumer::{Ended, Published, Terminal};
use crate::dev::tally::shorten;
use crate::paint::Paint;

/// The most characters of a value that are shown.
const VALUE_MAX: usize = 60;

/// Returns the lines for people.
pub(super) fn text(terminal: &Terminal, paint: Paint) -> String {
    let place = format!("{}/{}@{}", terminal.topic, terminal.partition, terminal.offset);
    let mut lines = vec![match &terminal.state {
        Ended::Applied => format!("{place}  {}", paint.green("applied")),
        Ended::Skipped(reason) => format!("{place}  {}  {}", paint.yellow("skipped"), shorten(reason, 100)),
        Ended::DeadLettered(fault) => {
            let title = format!("{}/{}", fault.class, fault.code);
            let mut message = fault.message.lines();
            let first = shorten(message.next().unwrap_or_default(), 160);
            let mut headline = format!("{place}  {}  {title}: {first}", paint.red("dead-lettered"));
            // The guest's own words and frames, as far as they help.
            let more = message.filter(|line| !line.trim().is_empty()).take(6);
            more.for_each(|line| headline.push_str(&format!("\n    {}", paint.dim(&shorten(line.trim_end(), 160)))));
            // A trap's frames say it already.
            if fault.class != Class::Trap && !fault.site.is_empty() && !fault.message.contains(&fault.site) {
                headline.push_str(&format!("\n    {}", paint.dim(&format!("at {}", shorten(&fault.site, 160)))));
            }
            headline
        }
    }];
    if matches!(terminal.state, Ended::Applied) && terminal.changes.is_empty() && terminal.publishes.is_empty() {
        lines.push(format!("  {} every row stays as it is", paint.dim("=")));
    }
    lines.extend(terminal.changes.iter().map(|change| row(change, paint)));
    lines.extend(terminal.publishes.iter().map(|publish| message(publish, paint)));
    lines.join("\n")
}

/// Returns the same for programs.
pub(super) fn json(terminal: &Terminal) -> Value {
    let (state, fault) = match &terminal.state {
        Ended::Applied => ("applied", Value::Null),
        Ended::Skipped(reason) => ("skipped", json!({ "reason": reason })),
        Ended::DeadLettered(fault) => (
            "dead-lettered",
            json!({ "class": fault.class.as_str(), "code": fault.code, "message": fault.message, "site": fault.site }),
        ),
    };
    let rows: Vec<Value> = terminal.changes.iter().map(change).collect();
    let lossy = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let publishes: Vec<Value> = terminal
        .publishes
        .iter()
        .map(|publish| json!({ "topic": &*publish.topic, "key": lossy(&publish.key), "value": lossy(&publish.value) }))
        .collect();
    json!({
        "topic": &*terminal.topic, "partition": terminal.partition, "offset": terminal.offset, "state": state,
        "why": fault, "rows": rows, "publishes": publishes,
    })
}

fn change(change: &Change) -> Value {
    let object = |row: &Option<Vec<Option<String>>>| {
        let row = row.as_ref()?;
        Some(change.columns.iter().cloned().zip(row.iter().map(|cell| json!(cell))).collect::<serde_json::Map<_, _>>())
    };
    json!({ "table": change.table, "before": object(&change.before), "after": object(&change.after) })
}

/// `+` for a row that is new, `-` for one that is gone, `~` with what changed.
fn row(change: &Change, paint: Paint) -> String {
    let Change { table, columns, before, after } = change;
    let whole = |row: &[Option<String>]| {
        let cells = columns.iter().zip(row).map(|(name, cell)| format!("{name}={}", value(cell)));
        cells.collect::<Vec<_>>().join(" ")
    };
    match (before, after) {
        (Some(before), Some(after)) => {
            let cells = columns.iter().zip(before).zip(after);
            let changed: Vec<String> = cells
                .filter(|((_, before), after)| before != after)
                .map(|((name, before), after)| format!("{name}: {} → {}", value(before), value(after)))
                .collect();
            // The first column is nearly always the key: it says which row this is.
            let key = columns.iter().zip(after).next().map(|(name, cell)| format!("{name}={}", value(cell)));
            let key = key.unwrap_or_default();
            let changed = if changed.is_empty() { "as it was".to_owned() } else { changed.join(", ") };
            format!("  {} {table}  {key}  {changed}", paint.yellow("~"))
        }
        (None, Some(after)) => format!("  {} {table}  {}", paint.green("+"), whole(after)),
        (Some(before), None) => format!("  {} {table}  {}", paint.red("-"), whole(before)),
        (None, None) => format!("  ? {table}"),
    }
}

fn message(publish: &Published, paint: Paint) -> String {
    let show = |bytes: &Option<Bytes>| match bytes {
        Some(bytes) => shorten(&String::from_utf8_lossy(bytes), 100),
        None => "null".to_owned(),
    };
    format!("  {} {}  key={} value={}", paint.green("»"), publish.topic, show(&publish.key), show(&publish.value))
}

fn value(cell: &Option<String>) -> String {
    match cell {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() || text.contains(char::is_whitespace) => {
            format!("'{}'", shorten(text, VALUE_MAX))
        }
        Some(text) => shorten(text, VALUE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use forebay_core::fault::Fault;

    use super::*;

    fn terminal(state: Ended) -> Terminal {
        let cell = |text: &str| Some(text.to_owned());
        let columns: Vec<String> = ["id", "status", "note"].map(str::to_owned).into();
        let row = |status: &str| Some(vec![cell("o-1"), cell(status), None]);
        let change = |before, after| Change { table: "orders".to_owned(), columns: columns.clone(), before, after };
        let changes = match &state {
            Ended::Applied => vec![
                change(None, row("placed")),
                change(row("placed"), row("on its way")),
                change(row("x"), row("x")),
                change(row("x"), None),
            ],
            _ => Vec::new(),
        };
        let publish = Published { topic: "shipped".into(), key: Some("o-1".into()), value: None };
        let publishes = if changes.is_empty() { Vec::new() } else { vec![publish] };
        Terminal { topic: "orders".into(), partition: 1, offset: 7, state, changes, publishes }
    }

    #[test]
    fn rows_are_a_small_diff() {
        let expected = "\
orders/1@7  applied
  + orders  id=o-1 status=placed note=NULL
  ~ orders  id=o-1  status: placed → 'on its way'
  ~ orders  id=o-1  as it was
  - orders  id=o-1 status=x note=NULL
  » shipped  key=o-1 value=null";
        assert_eq!(text(&terminal(Ended::Applied), Paint::Plain), expected);
    }

    #[test]
    fn a_dead_letter_says_class_code_message_and_place() {
        let fault = Fault {
            class: Class::Data,
            code: "23514".to_owned(),
            message: "the row is refused:\nno such customer".to_owned(),
            site: "orders.amount_check".to_owned(),
        };
        let expected = "\
orders/1@7  dead-lettered  data/23514: the row is refused:
    no such customer
    at orders.amount_check";
        assert_eq!(text(&terminal(Ended::DeadLettered(fault)), Paint::Plain), expected);
        let skipped = text(&terminal(Ended::Skipped("a test".to_owned())), Paint::Plain);
        assert_eq!(skipped, "orders/1@7  skipped  a test");
    }
}
