//! What a document shows of a file is what the file says.
//!
//! A block of code whose line before is `<!-- the same as PATH -->` equals the file; with
//! `<!-- the same as PATH before TEXT -->` the file's part before the first line that begins with TEXT. Of a block below
//! `<!-- an excerpt of PATH -->` every line stands in the file, in that order, `…` for what is left out; where the file says
//! `[..]`, for what differs between machines, the block may say anything.

use std::fs;

use forebay_tests::place;

use crate::links::documents;
use crate::none;

const MARK: &str = "<!-- the same as ";
const EXCERPT: &str = "<!-- an excerpt of ";
const ANYTHING: &str = "[..]";

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
fn excerpts_of_a_file_stand_in_the_file() {
    let mut findings = Vec::new();
    for document in documents() {
        let lines: Vec<&str> = document.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(path) = line.strip_prefix(EXCERPT).and_then(|path| path.strip_suffix(" -->")) else { continue };
            let (block, file) = (block(&lines[index + 1..]), file(path));
            let mut next = 0;
            let mut is_there = |line: &&String| {
                let found = file[next..].iter().position(|said| said != ANYTHING && is_alike(said, line));
                // A line that is nothing but `[..]` stands for any number of lines.
                let is_anything = file.get(next).is_some_and(|said| said == ANYTHING);
                next += found.map_or(0, |at| at + 1);
                *line == "…" || found.is_some() || is_anything
            };
            let at = document.at(index + 1);
            match block.iter().find(|line| !is_there(line)) {
                Some(line) => findings.push(format!("{at}: `{line}` does not stand in {path}, or not in this order")),
                None if block.is_empty() => findings.push(format!("{at}: there is no block below")),
                None => {}
            }
        }
    }
    none(findings);
}

#[test]
fn the_front_page_shows_a_handler_and_a_manifest_in_full() {
    let page = fs::read_to_string(place::root().join("README.md")).expect("the checkout has a README");
    for path in ["runtime/forebay/src/project/templates/rust/lib.rs", "examples/01-orders/forebay.toml"] {
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

/// A line of a golden file that has `[..]` is like every line with the same start and end.
fn is_alike(said: &str, shown: &str) -> bool {
    match said.split_once(ANYTHING) {
        None => said == shown,
        Some((start, end)) => {
            shown.len() >= start.len() + end.len() && shown.starts_with(start) && shown.ends_with(end)
        }
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
