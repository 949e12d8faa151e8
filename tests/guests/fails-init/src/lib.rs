//! Its `init` refuses every configuration.

use forebay_plugin::prelude::*;

fn open(_: forebay_plugin::serde_json::Value) -> Result<()> {
    Err(reject("bad-config", "no configuration pleases this handler"))
}

fn handle(_: &Message, (): &()) -> Result<Outcome> {
    Ok(apply())
}

forebay_plugin::handler!(handle, init = open);
