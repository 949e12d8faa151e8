//! Every configuration that the README shows is one.

use crate::plan::Plan;

#[path = "../../../fields/testing.rs"]
mod testing;

#[test]
fn every_configuration_of_the_readme_is_right() {
    let configurations = testing::configurations(include_str!("../../README.md"));
    for config in &configurations {
        Plan::read(config).unwrap_or_else(|failure| panic!("{config}: {failure}"));
    }
    assert_eq!(configurations.len(), 4);
}
