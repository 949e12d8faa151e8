//! `forebay dlq show`: single letters.

use forebay_core::letter::Filter;
use forebay_core::manifest::settings::Manifest;
use serde_json::{Value, json};

use crate::cli::dlq::json::harmless;
use crate::cli::dlq::kept::Body;
use crate::cli::dlq::letters::Letters;
use crate::cli::dlq::paper;
use crate::cli::dlq::readable::SHOWN;
use crate::cli::dlq::usage;
use crate::cli::dlq::which::Place;
use crate::error::Error;
use crate::telemetry;

/// Shows the letters that are meant.
pub(super) async fn run(
    manifest: &Manifest,
    place: &Place<'_>,
    filter: Filter,
    full: bool,
    as_json: bool,
) -> Result<(), Error> {
    let max = if full { usize::MAX } else { SHOWN };
    let nothing = nothing(place.topic, &filter);
    let mut letters = Letters::open(&manifest.kafka, place, filter).await?;
    let (mut shown, mut errors): (Vec<Value>, Vec<Error>) = (Vec::new(), Vec::new());
    let mut count = 0;
    while let Some(letter) = letters.next().await? {
        count += 1;
        let body = Body::find(manifest, place, &letter).await.unwrap_or_else(|error| {
            let why = error.to_string();
            errors.push(error);
            Body::Lost(why)
        });
        if as_json {
            shown.push(paper::json(&letter, &body));
        } else {
            let gap = if count == 1 { "" } else { "\n" };
            telemetry::print(&format!("{gap}{}", paper::text(&letter, &body, max)));
        }
    }
    if as_json {
        telemetry::print(&harmless(&json!({ "topic": place.topic, "letters": shown }).to_string()));
    }
    if count == 0 {
        return Err(usage(nothing));
    }
    Error::join(errors).map_or(Ok(()), Err)
}

fn nothing(topic: &str, filter: &Filter) -> String {
    let Filter { partition, offset, id, .. } = filter;
    let place = match (partition, offset, id) {
        (Some(partition), Some(offset), None) => format!("at {topic} [{partition}] offset {offset}"),
        (_, _, Some(id)) => format!("`{id}` in {topic}"),
        _ => format!("in {topic} that matches"),
    };
    format!("there is no letter {place}; `forebay dlq list` counts those that are there")
}
