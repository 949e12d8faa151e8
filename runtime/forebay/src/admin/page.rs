//! The page for people.

use std::fmt::Write as _;

use crate::admin::{STUCK, Site};

/// Returns the page: what runs, how far behind, and why something does not move.
pub(super) fn html(site: &Site) -> String {
    let reasons = site.board.not_ready(STUCK);
    let ready = if reasons.is_empty() { "ready".to_owned() } else { format!("not ready: {}", reasons.join("; ")) };
    let mut rows = String::new();
    for (name, view) in site.board.lanes() {
        let number = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        let _infallible = write!(
            rows,
            "<tr><td>{}<td>{}/{}<td>{}<td>{}<td>{}<td>{}<td>{}",
            escape(&name.binding),
            escape(&name.topic),
            name.partition,
            view.state().as_str(),
            number(view.status.position),
            number(view.committed),
            number(view.lag_messages()),
            escape(&view.why(site.board.now()).unwrap_or_default())
        );
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Forebay</title><style>body{{font:15px sans-serif;margin:2em}}\
         td,th{{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}}</style><h1>Forebay {}</h1><p>{}\
         <table><tr><th>binding<th>partition<th>state<th>position<th>committed<th>lag<th>why{rows}</table>\
         <p><a href=/status>/status</a> <a href=/metrics>/metrics</a> <a href=/readyz>/readyz</a> <a href=/livez>/livez</a>",
        env!("CARGO_PKG_VERSION"),
        escape(&ready)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
