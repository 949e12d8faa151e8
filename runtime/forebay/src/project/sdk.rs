//! The SDK's sources, as they were when this binary was built: a project takes its copy along, and needs no checkout.

use crate::project::name::Name;

/// Where the contract lies, seen from the SDK in its checkout and from its copy.
const CONTRACT: [&str; 2] = [r#"path: "../../wit""#, r#"path: "wit""#];

/// Files as they lie in the checkout.
macro_rules! files {
    ($($path:literal => $to:literal),* $(,)?) => {
        /// The path in the checkout, the path in the project, and what it says.
        const FILES: &[(&str, &str, &str)] = &[
            $(($path, $to, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path)))),*
        ];
    };
}

files! {
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

/// Returns the files of the SDK's copy, by their paths in the project.
pub(super) fn files() -> impl Iterator<Item = (&'static str, String)> {
    let [checkout, copy] = CONTRACT;
    FILES.iter().map(move |(_, path, text)| (*path, text.replace(checkout, copy)))
}

/// Returns a project's lock file: the SDK's own, which has all that the template needs, with the project's package at its
/// place, so that cargo leaves the file as it is.
pub(super) fn lock(name: &Name) -> String {
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
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut there = BTreeSet::new();
        for folder in ["plugins/rust/src", "wit"] {
            for entry in fs::read_dir(checkout.join(folder)).unwrap() {
                let entry = entry.unwrap();
                assert!(entry.file_type().unwrap().is_file(), "`{folder}` has folders now: take them along");
                there.insert(format!("{folder}/{}", entry.file_name().to_str().unwrap()));
            }
        }
        let taken: BTreeSet<String> = FILES.iter().map(|(path, _, _)| (*path).to_owned()).collect();
        let missing: Vec<&String> = there.difference(&taken).collect();
        assert!(missing.is_empty(), "not in the list: {missing:?}");
    }

    #[test]
    fn the_copy_finds_the_contract_beside_it() {
        let (_, bindings) = files().find(|(path, _)| *path == "sdk/src/bindings.rs").unwrap();
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
