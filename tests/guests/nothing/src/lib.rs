//! Takes every message and wants nothing done: what is left is the runtime's own cost.

use forebay_plugin::prelude::*;

fn handle(_message: &Message) -> Result<Outcome> {
    Ok(apply())
}

forebay_plugin::handler!(handle);
