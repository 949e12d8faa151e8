//! Its `init` traps.

use forebay_plugin::prelude::*;

fn open(_: forebay_plugin::serde_json::Value) -> Result<()> {
    panic!("init traps on purpose")
}

fn handle(_: &Message, (): &()) -> Result<Outcome> {
    Ok(apply())
}

forebay_plugin::handler!(handle, init = open);
