//! docs/manifest.md is made from the manifest of defaults: every key with its type, its default and the reason.
//!
//! `BLESS=1` writes the page anew; without it a page that differs is a finding.

use std::fmt::Write as _;
use std::{env, fs};

use forebay_tests::place;

const SOURCE: &str = "runtime/core/src/manifest/default-manifest.toml";
const PAGE: &str = "docs/manifest.md";

const TOP: &str = "\
# Every key of the manifest

<!-- Made from runtime/core/src/manifest/default-manifest.toml by tests/tests/style/reference.rs. Write there, then run
`BLESS=1 cargo test -p forebay-tests --test style reference`. -->

The manifest is one TOML file, `forebay.toml` where a command is given no other. This page says what each key means, what it is
where it is left out, and why. [The front page](../README.md#the-manifest) shows a manifest in full.

- A key that is not on this page is an error, with a suggestion. All errors are told at once, each with line and caret.
- A key that is *not built yet* is refused with a sentence.
- In any string `${env:NAME}` stands for a variable of the environment and `${file:PATH}` for a file's text, its last newline left
  off. One that is not there is an error that names it. `$${` stands for `${`. What they resolve to is never printed.
- Durations are `250ms`, `5s`, `1m`, `6h`, `7d`; sizes `64KiB`, `1MiB`.
";

/// Keys in the page's order, each with its type.
type Types = &'static [(&'static str, &'static str)];

/// The tables in the page's order: as the file writes them, as the page does, what is said of the whole, and the keys.
const TABLES: &[(&str, &str, &str, Types)] = &[
    ("", "The head", "", &[("manifest-version", "integer")]),
    (
        "[kafka]",
        "[kafka]",
        "The cluster that is read from and published to.",
        &[("name", "string"), ("bootstrap-servers", "array of strings"), ("properties", "table of strings")],
    ),
    ("[admin]", "[admin]", "Pages for people and machines.", &[("listen", "address"), ("token", "string")]),
    ("[shutdown]", "[shutdown]", "", &[("deadline", "duration")]),
    ("[limits]", "[limits]", "", &[("buffered-bytes", "size")]),
    (
        "[sinks.warehouse]",
        "[sinks.NAME]",
        "A database. Targets name it. Positions and the outbox live in it, too.",
        &[
            ("kind", "`postgres` or `sqlite`"),
            ("url", "string"),
            ("pool-size", "integer"),
            ("timeouts", "table of durations"),
        ],
    ),
    (
        "[plugins.orders]",
        "[plugins.NAME]",
        "A handler. Bindings name it.",
        &[
            ("component", "path"),
            ("sha256", "64 hexadecimal digits"),
            ("config", "table"),
            ("limits", "table"),
            ("instances", "`per-batch` or a table"),
        ],
    ),
    (
        "[[bindings]]",
        "[[bindings]]",
        "Which topic is read, as which group, by which plugin. There is one such table for each.",
        &[
            ("name", "string"),
            ("topic", "string"),
            ("topics", "array of strings"),
            ("group", "string"),
            ("plugin", "string"),
            ("start", "`earliest`, `latest`, `error` or a time"),
            ("headers", "`all`, `none` or an array of names"),
            ("batch", "table"),
            ("retry", "table"),
            ("dead-letter", "table, or `drop`"),
            ("rate", "table"),
            ("alerts", "table"),
        ],
    ),
    (
        "[bindings.targets.orders]",
        "[bindings.targets]: a table",
        "What a name that handlers use stands for. Often written in one line: `NAME = { sink = …, table = … }`.",
        &[
            ("sink", "string"),
            ("table", "string"),
            ("key", "array of columns"),
            ("columns", "array of columns"),
            ("on-conflict", "`overwrite`, `keep` or `newest(COLUMN)`"),
            ("missing", "`reject` or `ignore`"),
            ("fold", "`auto` or `always`"),
        ],
    ),
    ("[bindings.targets.shipped]", "[bindings.targets]: a topic", "", &[("topic", "string")]),
];

/// Keys without a default, although their lines are no comments and do not say `Required`: the names.
const EXAMPLES: &[&str] = &["[[bindings]] name", "[bindings.targets.orders] table", "[bindings.targets.shipped] topic"];

#[test]
fn the_reference_is_made_from_the_manifest_of_defaults() {
    let source = fs::read_to_string(place::root().join(SOURCE)).expect("the checkout has it");
    let page = page(&source);
    let path = place::root().join(PAGE);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &page).expect("the checkout can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{PAGE} is not what {SOURCE} makes of it; `BLESS=1` writes it anew");
}

/// A key as the file gives it.
struct Key<'a> {
    table: &'a str,
    name: &'a str,
    value: &'a str,
    /// Whether the line is a comment: the key has no default, or is not built.
    is_comment: bool,
    text: String,
}

fn page(source: &str) -> String {
    let (keys, notes) = read(source);
    let mut page = TOP.to_owned();
    let mut told = 0;
    for (table, title, intro, types) in TABLES {
        let title = if table.is_empty() { (*title).to_owned() } else { code_first(title) };
        write!(page, "\n## {title}\n").expect("text grows");
        let notes = notes.iter().filter(|(of, _)| of == table).map(|(_, note)| note.as_str());
        for text in [*intro].into_iter().chain(notes).filter(|text| !text.is_empty()) {
            write!(page, "\n{text}\n").expect("text grows");
        }
        for (name, kind) in *types {
            let of: Vec<&Key<'_>> = keys.iter().filter(|key| key.table == *table && key.name == *name).collect();
            let (first, more) = of.split_first().unwrap_or_else(|| panic!("{SOURCE} has no `{name}` in `{table}`"));
            told += of.len();
            page.push_str(&entry(first, more, kind));
        }
    }
    let has_type = |key: &&Key<'_>| {
        TABLES.iter().any(|(table, _, _, types)| *table == key.table && types.iter().any(|(name, _)| *name == key.name))
    };
    let missing: Vec<&str> = keys.iter().filter(|key| !has_type(key)).map(|key| key.name).collect();
    assert!(missing.is_empty() && told == keys.len(), "give these keys a row in TABLES: {missing:?}");
    page
}

/// `[x]: y` as `` `[x]`: y ``.
fn code_first(title: &str) -> String {
    let (code, rest) =
        title.split_once(": ").map_or((title, String::new()), |(code, rest)| (code, format!(": {rest}")));
    format!("`{code}`{rest}")
}

fn entry(key: &Key<'_>, more: &[&Key<'_>], kind: &str) -> String {
    let Key { table, name, value, is_comment, text } = key;
    let (text, is_required) = match text.strip_prefix("Required") {
        // `Required.` and `Required: …` are said in the line of the default.
        Some(rest) => (capital(rest.trim_start_matches(['.', ':', ' '])), true),
        None => (text.clone(), false),
    };
    let (text, is_built) = match text.strip_prefix("Not built yet. ") {
        Some(rest) => (rest.to_owned(), false),
        None => (text, true),
    };
    let is_example = *is_comment || EXAMPLES.contains(&format!("{table} {name}").as_str());
    let default = match (is_built, is_required, is_example) {
        (false, _, _) => format!("**not built yet**, and will be written as `{value}`"),
        (true, true, _) => format!("**required** · example `{value}`"),
        (true, false, true) => format!("no default · example `{value}`"),
        (true, false, false) => format!("default `{value}`"),
    };
    let mut entry = format!("\n### `{name}`\n\n{kind} · {default}\n");
    if !text.is_empty() {
        write!(entry, "\n{text}\n").expect("text grows");
    }
    let parts = parts(value);
    if !parts.is_empty() && is_built && !is_required {
        entry.push_str("\n| in it | default |\n|---|---|\n");
        for (part, value) in parts {
            writeln!(entry, "| `{part}` | `{value}` |").expect("text grows");
        }
    }
    for key in more {
        write!(entry, "\nTo come: `{}`\n", key.value).expect("text grows");
    }
    entry
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Returns the keys of a table in one line; commas stand inside no value of the file.
fn parts(value: &str) -> Vec<(&str, &str)> {
    let inner = value.strip_prefix("{ ").and_then(|value| value.strip_suffix(" }"));
    inner.into_iter().flat_map(|inner| inner.split(", ")).filter_map(|part| part.split_once(" = ")).collect()
}

/// Returns the keys, and what is said of a table before its first line.
fn read(source: &str) -> (Vec<Key<'_>>, Vec<(&str, String)>) {
    let (mut keys, mut notes) = (Vec::new(), Vec::new());
    let (mut table, mut comment) = ("", Vec::new());
    for line in source.lines() {
        let text = line.strip_prefix("# ").unwrap_or(line);
        if line.is_empty() || line == "#" {
            comment.clear();
        } else if line.starts_with('[') {
            table = line;
            if !comment.is_empty() {
                notes.push((table, comment.join("\n")));
            }
            comment.clear();
        } else if let Some((name, value)) = text.split_once(" = ").filter(|(name, _)| is_key(name)) {
            keys.push(Key { table, name, value, is_comment: text != line, text: comment.join("\n") });
            comment.clear();
        } else {
            comment.push(text);
        }
    }
    (keys, notes)
}

fn is_key(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
}
