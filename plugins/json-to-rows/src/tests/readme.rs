//! Every configuration that the README shows is one.

use forebay_plugin::serde_json::{self, Value as Config};

use crate::plan::Plan;

#[test]
fn every_configuration_of_the_readme_is_right() {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut count = 0;
    for block in blocks {
        let table: toml::Table = toml::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}"));
        let Config::Object(table) = serde_json::to_value(table).unwrap() else { panic!("{block}") };
        let plugins = table.get("plugins").and_then(Config::as_object);
        let named = plugins.into_iter().flat_map(|plugins| plugins.values()).map(|plugin| &plugin["config"]);
        for config in named.chain(table.get("config")) {
            Plan::read(config).unwrap_or_else(|failure| panic!("{block}: {failure}"));
            count += 1;
        }
    }
    assert_eq!(count, 4);
}
