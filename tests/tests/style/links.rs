//! Links of the documents: each leads to a file of the checkout, and to a heading where it names one.

use std::path::{Component, Path, PathBuf};

use forebay_tests::place;

use crate::none;
use crate::source::{Source, files};

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut findings = Vec::new();
    for document in documents() {
        for (number, line) in prose(&document.text) {
            for link in links(&line).into_iter().filter(|link| !is_of_the_outside(link)) {
                let at = document.at(number);
                findings.extend(fault(&document, link).map(|fault| format!("{at}: `{link}` {fault}")));
            }
        }
    }
    none(findings);
}

#[test]
fn every_page_of_the_documentation_stands_in_its_index() {
    let index = documents().into_iter().find(|document| document.path == Path::new("docs/README.md"));
    let index = index.expect("docs/README.md is the index of docs/");
    let targets = prose(&index.text)
        .into_iter()
        .flat_map(|(_, line)| links(&line).into_iter().map(|link| target(&index, link)).collect::<Vec<_>>());
    // A folder is named by itself or by its own index.
    let named: Vec<PathBuf> = targets
        .map(|path| if path.ends_with("README.md") { path.parent().unwrap_or(&path).to_owned() } else { path })
        .collect();
    let docs = Path::new("docs");
    let pages = documents().into_iter().filter(|page| page.path.starts_with(docs) && page.path != index.path);
    none(pages.filter_map(|page| {
        let is_named = page
            .path
            .ancestors()
            .any(|path| path.starts_with(docs) && path != docs && named.iter().any(|named| named == path));
        (!is_named).then(|| format!("docs/README.md does not name {}", page.path.display()))
    }));
}

/// Returns the documents, but for the template's, whose names are to be filled in.
pub(crate) fn documents() -> Vec<Source> {
    let is_document = |source: &Source| {
        source.path.extension().is_some_and(|extension| extension == "md")
            && !source.path.components().any(|part| part.as_os_str() == "templates")
    };
    files(".").into_iter().filter(is_document).collect()
}

/// Returns the lines outside blocks of code, with their numbers and without code in backquotes.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line.split('`').step_by(2).collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// Returns what stands in `](…)`.
fn links(line: &str) -> Vec<&str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

fn is_of_the_outside(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

fn fault(document: &Source, link: &str) -> Option<String> {
    let path = target(document, link);
    if !place::root().join(&path).exists() {
        return Some("leads to no file of the checkout".to_owned());
    }
    let (_, heading) = link.split_once('#')?;
    let text = std::fs::read_to_string(place::root().join(&path)).unwrap_or_default();
    let has = prose_with_code(&text).any(|title| anchor(title) == heading);
    (!has).then(|| format!("names no heading of {}", path.display()))
}

/// Returns the path that a link names, seen from the checkout.
fn target(document: &Source, link: &str) -> PathBuf {
    let file = link.split('#').next().unwrap_or_default();
    if file.is_empty() {
        return document.path.clone();
    }
    let mut path = PathBuf::new();
    for part in document.path.parent().unwrap_or(Path::new("")).join(file).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

fn prose_with_code(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter_map(move |line| {
        is_code ^= line.trim_start().starts_with("```");
        line.strip_prefix('#').filter(|_| !is_code).map(|title| title.trim_start_matches('#').trim())
    })
}

/// Returns a heading's name in a link: lower case, words joined by `-`, nothing but letters, digits, `-` and `_`.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars()
        .filter(|char| char.is_alphanumeric() || " -_".contains(*char))
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

#[test]
fn tells_a_link_from_code() {
    let text = "see [a](b.md) and `[c](d.md)`\n```\n[e](f.md)\n```\n[g](h/i.md#j-k)";
    let found: Vec<String> = prose(text)
        .iter()
        .flat_map(|(_, line)| links(line).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(found, ["b.md", "h/i.md#j-k"]);
    assert_eq!(anchor("`forebay dev`: the way, in 5 minutes"), "forebay-dev-the-way-in-5-minutes");
}
