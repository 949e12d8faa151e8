//! What a project in Rust has. The SDK's sources are as they were when this binary was built: a project takes its copy
//! along, and needs no checkout.

use crate::project::kit::{self, Kit};
use crate::project::name::Name;
use crate::project::template::Template;

/// A handler in Rust.
pub(super) const KIT: Kit = Kit {
    source: "src/lib.rs",
    test: "cargo test",
    sdk: "sdk",
    sdk_is: "the crate `forebay-plugin`, with the contract",
    instances: "",
    made: "/target/",
    templates: &[
        Template {
            path: "src/lib.rs",
            purpose: "the handler: a function of one message, with its tests",
            text: include_str!("../templates/rust/lib.rs"),
        },
        Template {
            path: "Cargo.toml",
            purpose: "the handler's package",
            text: include_str!("../templates/rust/Cargo.toml"),
        },
    ],
    files,
};

/// Where the contract lies, seen from the SDK in its checkout and from its copy.
const CONTRACT: [&str; 2] = [r#"path: "../../wit""#, r#"path: "wit""#];

kit::files! {
    "LICENSE" => "sdk/LICENSE",
    "wit/handler.wit" => "sdk/wit/handler.wit",
    "plugins/rust/Cargo.toml" => "sdk/Cargo.toml",
    "plugins/rust/README.md" => "sdk/README.md",
    "plugins/rust/src/bindings.rs" => "sdk/src/bindings.rs",
    "plugins/rust/src/columns.rs" => "sdk/src/columns.rs",
    "plugins/rust/src/decimal.rs" => "sdk/src/decimal.rs",
    "plugins/rust/src/failure.rs" => "sdk/src/failure.rs",
    "plugins/rust/src/guest.rs" => "sdk/src/guest.rs",
    "plugins/rust/src/lib.rs" => "sdk/src/lib.rs",
    "plugins/rust/src/log.rs" => "sdk/src/log.rs",
    "plugins/rust/src/message.rs" => "sdk/src/message.rs",
    "plugins/rust/src/metrics.rs" => "sdk/src/metrics.rs",
    "plugins/rust/src/outcome.rs" => "sdk/src/outcome.rs",
    "plugins/rust/src/publish.rs" => "sdk/src/publish.rs",
    "plugins/rust/src/row.rs" => "sdk/src/row.rs",
    "plugins/rust/src/timestamp.rs" => "sdk/src/timestamp.rs",
    "plugins/rust/src/value.rs" => "sdk/src/value.rs",
}

/// The versions that the SDK is tested with.
const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/rust/Cargo.lock"));

fn files(name: &Name) -> Vec<(&'static str, String)> {
    let [checkout, copy] = CONTRACT;
    let files = FILES.iter().map(|(_, path, text)| (*path, text.replace(checkout, copy)));
    files.chain([("Cargo.lock", lock(name))]).collect()
}

/// Returns a project's lock file: the SDK's own, which has all that the template needs, with the project's package at its
/// place, so that cargo leaves the file as it is.
fn lock(name: &Name) -> String {
    const BETWEEN: &str = "\n[[package]]\n";
    let own = format!(
        "name = \"{name}-handler\"\nversion = \"0.1.0\"\ndependencies = [\n \"forebay-plugin\",\n \"serde\",\n]\n"
    );
    let mut packages: Vec<&str> = LOCK.split(BETWEEN).collect();
    // The first part is what stands before all packages.
    let place = packages.iter().skip(1).position(|package| *package > own.as_str());
    packages.insert(place.map_or(packages.len(), |place| place + 1), &own);
    packages.join(BETWEEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        kit::assert_complete(FILES, &["plugins/rust/src", "wit"]);
    }

    #[test]
    fn the_copy_finds_the_contract_beside_it() {
        let files = files(&"my-app".parse().unwrap());
        let (_, bindings) = files.iter().find(|(path, _)| *path == "sdk/src/bindings.rs").unwrap();
        assert!(bindings.contains(CONTRACT[1]) && !bindings.contains(".."), "{bindings}");
    }

    #[test]
    fn the_lock_file_has_the_project_and_all_that_the_template_needs() {
        let lock = lock(&"my-app".parse().unwrap());
        for name in ["my-app-handler", "forebay-plugin", "serde", "serde_derive", "wit-bindgen"] {
            assert_eq!(lock.matches(&format!("name = \"{name}\"\n")).count(), 1, "{name}");
        }
        for name in ["a", "my-app", "zz"] {
            let lock = super::lock(&name.parse().unwrap());
            let names: Vec<&str> = lock.lines().filter(|line| line.starts_with("name = ")).collect();
            assert!(names.is_sorted(), "{names:?}");
        }
    }
}
