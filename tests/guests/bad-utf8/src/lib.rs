//! Answers the value `bad-utf8` with a skip whose reason is not UTF-8, `bad-utf8-column` with such a text in a row
//! for the target `orders`, and everything else with no effects. The host can not lift either answer.

use forebay_plugin::prelude::*;

fn handle(message: &Message) -> Result<Outcome> {
    match message.value.as_deref() {
        Some(b"bad-utf8") => Ok(skip(not_text())),
        Some(b"bad-utf8-column") => Ok(apply().upsert(Row::new("orders").set("order_id", not_text()))),
        _ => Ok(apply()),
    }
}

/// Breaks what Rust promises of a `String`, as a handler in C would without noticing. Nothing on this side reads it.
fn not_text() -> String {
    // SAFETY: none; that is the point. The bytes are only copied from here to the host.
    unsafe { String::from_utf8_unchecked(std::hint::black_box(vec![b'a', 0xff, 0xfe])) }
}

forebay_plugin::handler!(handle);
