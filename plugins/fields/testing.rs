//! What a README shows, for the tests of the ready-made plugins.

use forebay_plugin::serde_json::{self, Value};

/// Returns every configuration that a README shows: `config` of each block, or that of each plugin in it.
pub(crate) fn configurations(readme: &str) -> Vec<Value> {
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut found = Vec::new();
    for block in blocks {
        let table: toml::Table = toml::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}"));
        let block = serde_json::to_value(table).unwrap();
        let plugins = block.get("plugins").and_then(Value::as_object);
        found.extend(plugins.into_iter().flat_map(|plugins| plugins.values()).map(|plugin| plugin["config"].clone()));
        found.extend(block.get("config").cloned());
    }
    found
}
