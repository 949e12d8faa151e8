//! The ready-made plugins that are committed as components are those that their sources make.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use forebay_tests::place;
use sha2::{Digest as _, Sha256};

use crate::none;

/// What `cargo xtask builtins` writes: lines as `sha256sum` writes them.
const SOURCES: &str = "runtime/plugin/builtin/SOURCES";

#[test]
fn the_ready_made_plugins_are_made_of_their_sources() {
    let text = fs::read_to_string(place::root().join(SOURCES)).unwrap();
    let noted: BTreeMap<&str, &str> =
        text.lines().map(|line| line.split_once("  ").map(|(digest, path)| (path, digest)).unwrap()).collect();
    let mut found = BTreeMap::new();
    // A file that came into one of its folders counts as well.
    let inputs: BTreeSet<&str> = noted.keys().map(|path| folder(path)).collect();
    inputs.iter().for_each(|input| digests(input, &mut found));
    let changed = found.iter().filter(|(path, digest)| noted.get(path.as_str()) != Some(&digest.as_str()));
    let gone = noted.keys().filter(|path| !found.contains_key(**path)).map(|path| (*path).to_owned());
    let findings = changed.map(|(path, _)| path.clone()).chain(gone);
    none(findings.map(|path| format!("{path}: is not what {SOURCES} says; run `cargo xtask builtins`")));
}

/// Returns the folder of sources that a file is in; the file where it is in none.
fn folder(path: &str) -> &str {
    path.find("/src/").and_then(|at| path.get(..at + "/src".len())).unwrap_or(path)
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
