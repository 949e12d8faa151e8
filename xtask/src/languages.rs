//! `cargo xtask languages`: a new project of each language, built and measured, as the table of `docs/languages.md`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use forebay_guest_build::Language;
use serde_json::Value;

use crate::{setup, shell};

/// The document and the lines between which the table stands.
const DOCUMENT: &str = "docs/languages.md";
const START: &str = "<!-- figures: start -->";
const END: &str = "<!-- figures: end -->";

/// Measures the template of every language with the release build, and writes the table.
///
/// # Errors
/// When something does not build, or can not be measured.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    setup::run(root)?;
    shell::say("languages: building for release; the first time this takes some minutes")?;
    shell::run(&mut shell::cargo(root, &["build", "--release", "--package", "forebay"]))?;
    let forebay = shell::target()?.join("release/forebay");
    let folder = std::env::temp_dir().join(format!("forebay-languages-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
    let rows: anyhow::Result<Vec<String>> =
        Language::ALL.into_iter().map(|language| row(&forebay, &folder, language)).collect();
    fs::remove_dir_all(&folder).with_context(|| format!("remove the folder `{}`", folder.display()))?;
    let lines = [
        "| handler in | component | compiled in | from the cache | fresh instance and first message | messages/s of one core | reference = 1 | memory |",
        "|---|---|---|---|---|---|---|---|",
    ];
    let table: Vec<String> = lines.map(str::to_owned).into_iter().chain(rows?).collect();
    let table = table.join("\n");
    shell::say(&table)?;
    replace(&root.join(DOCUMENT), &table)
}

fn row(forebay: &Path, folder: &Path, language: Language) -> anyhow::Result<String> {
    let name = language.to_string();
    shell::say(&format!("languages: {name}"))?;
    let target = shell::target()?.join("projects");
    let command = |args: &[&str]| {
        let mut command = Command::new(forebay);
        command.args(args).current_dir(folder).stdout(Stdio::piped());
        // The standard library need not be built for a project that is thrown away.
        command.env("CARGO_TARGET_DIR", &target);
        shell::with_go(&mut command);
        command
    };
    let id = language.name();
    facts(command(&["plugin", "new", "items", "--lang", id, "--dir", id]))?;
    facts(command(&["plugin", "build", id]))?;
    let figures = facts(command(&["plugin", "bench", id, "--output", "json"]))?;
    let figures: Value = serde_json::from_str(&figures).context("read what `forebay plugin bench` says")?;
    let number = |name: &str| figures.pointer(name).and_then(Value::as_f64).with_context(|| format!("find `{name}`"));
    Ok(format!(
        "| {name} | {:.0} KiB | {} | {} | {} | {} | {:.2} | {:.1} MiB |",
        number("/bytes")? / 1024.0,
        span(number("/handler/compile_seconds")?),
        span(number("/handler/cached_seconds")?),
        span(number("/handler/first_message_seconds")?),
        thousands(number("/handler/messages_per_second")?),
        number("/ratio")?,
        number("/handler/memory_bytes")? / 1_048_576.0,
    ))
}

/// Runs a command and returns what it prints.
fn facts(mut command: Command) -> anyhow::Result<String> {
    let line = shell::line_of(&command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("start `{line}`"))?;
    anyhow::ensure!(output.status.success(), "`{line}` failed ({})", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

/// Three digits are more than these figures hold.
fn thousands(number: f64) -> String {
    if number < 1e4 { format!("{number:.0}") } else { format!("{:.0},000", number / 1e3) }
}

fn replace(document: &Path, table: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(document).with_context(|| format!("read `{}`", document.display()))?;
    let (before, rest) = text.split_once(START).with_context(|| format!("find `{START}` in {DOCUMENT}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("find `{END}` in {DOCUMENT}"))?;
    let text = format!("{before}{START}\n{table}\n{END}{after}");
    fs::write(document, text).with_context(|| format!("write `{}`", document.display()))
}
