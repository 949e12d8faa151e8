//! Words, names and length.

use std::path::Path;

use crate::none;
use crate::source::{files, is_word, rust};

/// The longest a Rust file may be.
const LINES: usize = 400;

const FORBIDDEN_WORDS: &[&str] = &["Manager", "Processor", "Helper", "Util"];

#[test]
fn no_rust_file_is_longer_than_the_limit() {
    let long = rust(".").into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LINES).then(|| format!("{}: {lines} lines; split it before {LINES}", source.path.display()))
    });
    none(long);
}

#[test]
fn every_file_of_the_runtime_opens_with_what_it_is() {
    let bare = rust("runtime").into_iter().filter(|source| !source.text.starts_with("//! "));
    none(bare.map(|source| format!("{}: does not open with `//!`", source.path.display())));
}

#[test]
fn nothing_is_called_by_a_word_that_says_nothing() {
    let mut findings = Vec::new();
    for source in rust(".") {
        let stem = source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_forbidden = |word: &&&str| [word.to_lowercase(), format!("{}s", word.to_lowercase())].contains(&stem);
        findings.extend(
            FORBIDDEN_WORDS.iter().find(is_forbidden).map(|_| format!("{}: says nothing", source.path.display())),
        );
        for (number, line) in source.code() {
            let named = type_name(&line).filter(|name| FORBIDDEN_WORDS.iter().any(|word| has_hump(name, word)));
            findings.extend(named.map(|name| format!("{}: `{name}` says nothing", source.at(number))));
        }
    }
    none(findings);
}

#[test]
fn no_test_is_skipped_and_nothing_is_left_to_do() {
    let forbidden =
        [concat!("#[", "ignore"), concat!("should", "_panic"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let mut findings = Vec::new();
    for source in rust(".") {
        for (number, line) in source.code() {
            let found = forbidden.iter().filter(|word| line.contains(**word));
            findings.extend(found.map(|word| format!("{}: `{word}`", source.at(number))));
        }
    }
    none(findings);
}

#[test]
fn no_text_names_the_host_of_a_package_registry() {
    let hosts = [
        concat!("crates", ".io"),
        concat!("npmjs", "."),
        concat!("py", "pi."),
        concat!("maven", ".org"),
        concat!("debian", ".org"),
        concat!("proxy.golang", ".org"),
        concat!("ruby", "gems."),
    ];
    let mut findings = Vec::new();
    for source in files(".").into_iter().filter(|source| !is_lock(&source.path)) {
        for (index, line) in source.text.lines().enumerate() {
            let found = hosts.iter().filter(|host| line.contains(**host));
            findings.extend(found.map(|host| format!("{}: `{host}`", source.at(index + 1))));
        }
    }
    none(findings);
}

fn is_lock(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.ends_with(".lock") || name.ends_with("-lock.json") || name.ends_with("-lock.yaml") || name == "go.sum"
}

/// Returns the type that a line declares.
fn type_name(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split(|char| !is_word(char)).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| ["struct", "enum", "trait", "type", "union"].contains(word))?;
    let is_declared = words[..at].iter().all(|word| ["pub", "crate", "super", "unsafe", "in"].contains(word));
    words.get(at + 1).filter(|_| is_declared).copied()
}

/// Returns whether a name in CamelCase has that word as one of its humps, or its plural.
fn has_hump(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| {
        let rest = name[at + word.len()..].trim_start_matches('s');
        rest.is_empty() || rest.starts_with(char::is_uppercase)
    })
}
