//! What a document shows of a file is what the file says.
//!
//! A block of code whose line before is `<!-- the same as PATH -->` equals the file; with
//! `<!-- the same as PATH before TEXT -->` the file's part before the first line that begins with TEXT.

use std::fs;

use forebay_tests::place;

use crate::links::documents;
use crate::none;

const MARK: &str = "<!-- the same as ";

#[test]
fn blocks_that_show_a_file_are_the_same_as_the_file() {
    let mut findings = Vec::new();
    for document in documents() {
        let lines: Vec<&str> = document.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(mark) = line.strip_prefix(MARK).and_then(|mark| mark.strip_suffix(" -->")) else { continue };
            let block = block(&lines[index + 1..]);
            let file = file(mark);
            let differs = block.iter().zip(&file).position(|(shown, said)| shown != said);
            let at = differs.unwrap_or_else(|| block.len().min(file.len()));
            if differs.is_some() || block.len() != file.len() {
                findings.push(format!(
                    "{}: line {} of the block is not that of {mark}: `{}` instead of `{}`",
                    document.at(index + 1),
                    at + 1,
                    block.get(at).map_or("nothing more", String::as_str),
                    file.get(at).map_or("nothing more", String::as_str),
                ));
            }
        }
    }
    none(findings);
}

#[test]
fn the_front_page_shows_a_handler_and_a_manifest_in_full() {
    let page = fs::read_to_string(place::root().join("README.md")).expect("the checkout has a README");
    for path in ["runtime/forebay/src/project/templates/lib.rs", "examples/01-orders/forebay.toml"] {
        assert!(page.contains(&format!("{MARK}{path}")), "README.md does not show {path}");
    }
}

/// Returns the lines between the fences that begin here.
fn block(lines: &[&str]) -> Vec<String> {
    let is_fence = |line: &str| line.starts_with("```");
    match lines {
        [first, rest @ ..] if is_fence(first) => {
            rest.iter().take_while(|line| !is_fence(line)).map(|line| (*line).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

fn file(mark: &str) -> Vec<String> {
    let (path, end) = mark.split_once(" before ").map_or((mark, None), |(path, end)| (path, Some(end)));
    let text = fs::read_to_string(place::root().join(path)).unwrap_or_default();
    let lines = text.lines().take_while(|line| end.is_none_or(|end| !line.starts_with(end)));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
