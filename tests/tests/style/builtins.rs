//! The ready-made plugins that are committed as components are those that their sources make.

use std::collections::BTreeMap;
use std::fs;

use forebay_tests::place;
use sha2::{Digest as _, Sha256};

use crate::none;

/// What `cargo xtask builtins` writes: lines as `sha256sum` writes them.
const SOURCES: &str = "runtime/plugin/builtin/SOURCES";

/// All that has its digest there.
const INPUTS: [&str; 13] = [
    "plugins/fields/Cargo.toml",
    "plugins/fields/src",
    "plugins/json-to-rows/Cargo.lock",
    "plugins/json-to-rows/Cargo.toml",
    "plugins/json-to-rows/src",
    "plugins/router/Cargo.lock",
    "plugins/router/Cargo.toml",
    "plugins/router/src",
    "plugins/rust/Cargo.toml",
    "plugins/rust/src",
    "runtime/plugin/builtin/json-to-rows.wasm",
    "runtime/plugin/builtin/router.wasm",
    "wit/handler.wit",
];

#[test]
fn the_ready_made_plugins_are_made_of_their_sources() {
    let text = fs::read_to_string(place::root().join(SOURCES)).unwrap();
    let noted: BTreeMap<&str, &str> =
        text.lines().map(|line| line.split_once("  ").map(|(digest, path)| (path, digest)).unwrap()).collect();
    let mut found = BTreeMap::new();
    INPUTS.iter().for_each(|input| digests(input, &mut found));
    let changed = found.iter().filter(|(path, digest)| noted.get(path.as_str()) != Some(&digest.as_str()));
    let gone = noted.keys().filter(|path| !found.contains_key(**path)).map(|path| (*path).to_owned());
    let findings = changed.map(|(path, _)| path.clone()).chain(gone);
    none(findings.map(|path| format!("{path}: is not what {SOURCES} says; run `cargo xtask builtins`")));
}

/// Adds the digest of a file, or of all files below a folder.
fn digests(path: &str, found: &mut BTreeMap<String, String>) {
    let whole = place::root().join(path);
    if whole.is_dir() {
        for entry in fs::read_dir(whole).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            digests(&format!("{path}/{name}"), found);
        }
    } else {
        let bytes = fs::read(&whole).unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask builtins`"));
        found.insert(path.to_owned(), format!("{:x}", Sha256::digest(bytes)));
    }
}
