//! The checkout's files, and enough of Rust's grammar to tell code from prose.

use std::fs;
use std::path::{Path, PathBuf};

use forebay_tests::place;

/// A text file of the checkout.
pub(crate) struct Source {
    /// Relative to the checkout.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    /// Returns the lines with their numbers, without comments and without what stands between quotes.
    pub(crate) fn code(&self) -> Vec<(usize, String)> {
        let code = without_prose(&self.text);
        code.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect()
    }

    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }
}

/// Returns the Rust files below a folder of the checkout.
pub(crate) fn rust(folder: &str) -> Vec<Source> {
    files(folder).into_iter().filter(Source::is_rust).collect()
}

/// Returns the text files below a folder of the checkout, tracked or not, but for what builds leave behind.
pub(crate) fn files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&place::root().join(folder), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_built = ["target", ".git", "node_modules", ".venv"].iter().any(|built| name == *built);
        if path.is_dir() && !path.is_symlink() && !is_built {
            walk(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            // What is not UTF-8 is no text. Paths are shown as they are seen from the checkout.
            let path = path.strip_prefix(place::root()).unwrap_or(&path).to_owned();
            found.push(Source { path, text });
        }
    }
}

pub(crate) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Returns what stands around each whole-word mention of `word`.
pub(crate) fn mentions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    code.match_indices(word).map(|(at, _)| (&code[..at], &code[at + word.len()..])).filter(|(before, after)| {
        !before.chars().next_back().is_some_and(is_word) && !after.chars().next().is_some_and(is_word)
    })
}

pub(crate) fn has_word(code: &str, word: &str) -> bool {
    mentions(code, word).next().is_some()
}

/// Returns public items up to their body; enums and traits with it, for all in it is public.
pub(crate) fn public_items(code: &[(usize, String)]) -> Vec<(usize, String)> {
    let starts = code.iter().enumerate().filter(|(_, (_, line))| line.trim_start().starts_with("pub "));
    let items = starts.filter(|(_, (_, line))| !line.trim_start().starts_with("pub mod "));
    let text = |from: usize, has_body: bool| {
        let mut item = String::new();
        let mut depth = 0_usize;
        for (_, line) in &code[from..] {
            for char in line.chars() {
                item.push(char);
                match char {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let is_over = if has_body { char == '}' && depth == 0 } else { char == '{' || char == ';' };
                if is_over || has_body && char == ';' && depth == 0 {
                    return item;
                }
            }
            // A field ends with its line.
            if depth == 0 && item.trim_end().ends_with(',') && !item.contains('(') {
                return item;
            }
            item.push(' ');
        }
        item
    };
    let has_body =
        |line: &str| line.trim_start().starts_with("pub enum ") || line.trim_start().starts_with("pub trait ");
    items.map(|(index, (number, line))| (*number, text(index, has_body(line)))).collect()
}

/// Removes comments and what stands between quotes; lines stay where they are.
fn without_prose(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_string(rest).filter(|_| !code.chars().next_back().is_some_and(is_word)) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 2;
            rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
        } else if char == '"' {
            plain_string(rest)
        } else if char == '\'' {
            character(rest)
        } else {
            code.push(char);
            rest = &rest[char.len_utf8()..];
            continue;
        };
        let (prose, after) = rest.split_at(length);
        code.extend(prose.chars().filter(|char| *char == '\n'));
        rest = after;
    }
    code
}

/// Returns how many hashes open the raw string that stands here, if one does.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// Returns the length of the string that stands here.
fn plain_string(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Returns the length of the character that stands here, or 1 where the quote begins a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        // The escaped character may itself be a quote.
        (Some((_, '\\')), Some((at, _))) => rest[at + 1..].find('\'').map_or(rest.len(), |end| at + end + 2),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn tells_code_from_prose() {
    let text =
        "let a = \"x // y\"; // z\nlet b: &'a str = r#\"\"q\"\"#; let c = ('\"', '\\'', 'x');\nlet d = \"one\ntwo\";\n";
    assert_eq!(without_prose(text), "let a = ; \nlet b: &a str = ; let c = (, , );\nlet d = \n;\n");
}
