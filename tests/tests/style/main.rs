//! The house's rules that no compiler checks, as tests: length, layers, names, words, and documents that say what is.

mod builtins;
mod layers;
mod links;
mod quotes;
mod reference;
mod source;
mod words;

/// Fails with every finding, not only with the first.
fn none(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}
