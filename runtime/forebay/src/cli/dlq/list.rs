//! `forebay dlq list`: counts.

use forebay_core::letter::{Count, Filter, Group, Tally};
use forebay_core::manifest::settings::Manifest;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::columns::columns;
use crate::cli::dlq::json::harmless;
use crate::cli::dlq::letters::Letters;
use crate::cli::dlq::readable::line;
use crate::cli::dlq::which::{Place, Places, drops};
use crate::error::{Error, ErrorKind};
use crate::telemetry;

const HEADER: [&str; 7] = ["BINDING", "CLASS", "CODE", "PARTITION", "LETTERS", "FIRST", "LAST"];

/// A topic, counted.
struct Counted<'a> {
    topic: &'a str,
    tally: Tally,
    repeats: u64,
}

/// Counts every topic; one that can not be read does not keep the others from being counted.
pub(super) async fn run(manifest: &Manifest, places: &Places<'_>, filter: &Filter, as_json: bool) -> Result<(), Error> {
    let (mut counted, mut errors) = (Vec::new(), Vec::new());
    for place in &places.topics {
        match count(manifest, place, filter.clone()).await {
            Ok(one) => counted.push(one),
            Err(error) => {
                let is_away = error.kind() == ErrorKind::Unavailable;
                errors.push(error);
                if is_away {
                    break;
                }
            }
        }
    }
    if as_json {
        let topics: Vec<Value> = counted.iter().map(Counted::json).collect();
        let text = json!({ "topics": topics, "dropping": places.dropping }).to_string();
        telemetry::print(&harmless(&text));
    } else {
        let texts: Vec<String> = counted.iter().map(Counted::text).collect();
        if !texts.is_empty() {
            telemetry::print(&texts.join("\n\n"));
        }
        places.dropping.iter().for_each(|name| telemetry::print(&drops(name)));
    }
    Error::join(errors).map_or(Ok(()), Err)
}

async fn count<'a>(manifest: &Manifest, place: &Place<'a>, filter: Filter) -> Result<Counted<'a>, Error> {
    let mut letters = Letters::open(&manifest.kafka, place, filter).await?;
    let mut tally = Tally::default();
    while let Some(letter) = letters.next().await? {
        tally.add(&letter);
    }
    Ok(Counted { topic: place.topic, tally, repeats: letters.sieve().repeats() })
}

impl Counted<'_> {
    fn text(&self) -> String {
        let Self { topic, tally, repeats } = self;
        let letters = match tally.total() {
            0 => "no letters".to_owned(),
            1 => "1 letter".to_owned(),
            more => format!("{more} letters"),
        };
        let repeats = match repeats {
            0 => String::new(),
            1 => "; 1 repeat is left out".to_owned(),
            more => format!("; {more} repeats are left out"),
        };
        let mut lines = vec![HEADER.map(str::to_owned)];
        lines.extend(tally.groups().map(|(group, count)| row(group, count)));
        let table = if tally.total() == 0 { String::new() } else { format!("\n{}", columns(&lines)) };
        format!("{topic}: {letters}{repeats}{table}")
    }

    fn json(&self) -> Value {
        let Self { topic, tally, repeats } = self;
        let groups: Vec<Value> = tally
            .groups()
            .map(|(group, count)| {
                let Group { binding, class, code, partition } = group;
                let (first, last) = (count.first.map(|at| at.to_string()), count.last.map(|at| at.to_string()));
                json!({
                    "binding": binding, "class": class, "code": code, "partition": partition,
                    "letters": count.letters, "first": first, "last": last,
                })
            })
            .collect();
        json!({ "topic": topic, "letters": tally.total(), "repeats": repeats, "groups": groups })
    }
}

fn row(group: &Group, count: &Count) -> [String; 7] {
    let Group { binding, class, code, partition } = group;
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| seconds(at).to_string());
    [
        line(binding),
        line(class),
        line(code),
        partition.to_string(),
        count.letters.to_string(),
        time(count.first),
        time(count.last),
    ]
}

/// A fraction of a second is nothing to look at.
fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
