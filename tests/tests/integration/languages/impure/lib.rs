//! Each way to answer with more than the message says. `what` in the manifest's config says which.

use std::sync::atomic::{AtomicI64, Ordering};

use forebay_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    what: String,
}

static SEEN: AtomicI64 = AtomicI64::new(0);

/// A random generator of one's own, seeded once: a linear congruence.
static STATE: AtomicI64 = AtomicI64::new(7);

fn roll() -> i64 {
    let next = STATE.load(Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    STATE.store(next, Ordering::Relaxed);
    next >> 33
}

fn handle(message: &Message, settings: &Settings) -> Result<Outcome> {
    let amount = match settings.what.as_str() {
        "count" => SEEN.fetch_add(1, Ordering::Relaxed),
        "random" => roll(),
        _ => message.offset,
    };
    let row = Row::new("items")
        .set("id", message.key_text()?)
        .set("title", settings.what.as_str())
        .set("amount", amount)
        .set("updated_at", message.timestamp());
    Ok(apply().upsert(row))
}

forebay_plugin::handler!(handle, config = Settings);
