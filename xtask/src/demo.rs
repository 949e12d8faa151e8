//! `cargo xtask demo`: the first example at work, without servers: from a fresh machine to rows in tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::{setup, shell};

/// What is shown, from the checkout.
const EXAMPLE: &str = "examples/01-orders";

/// What it prints, `[..]` for what differs between machines. `tests/tests/integration/dev.rs` writes it.
const GOLDEN: &str = "tests/goldens/dev/orders.txt";
const ANYTHING: &str = "[..]";

/// Installs what is missing, builds the runtime and the example's handler, feeds the sample data, and says what to try next.
///
/// # Errors
/// When something does not build, or the example does not run through.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    shell::say("demo: building the handler of the example and the runtime; the first time this takes some minutes")?;
    let binary = build(root, &["build", "--package", "forebay"])?;
    let mut command = show(root, &binary);
    shell::say(&format!("demo: {}\n", typed(root, &command)))?;
    let status = command.status().with_context(|| format!("start `{}`", binary.display()))?;
    anyhow::ensure!(status.success(), "`{}` failed ({status})", typed(root, &command));
    shell::say(&format!(
        "\ndemo: the handler is {EXAMPLE}/plugin/src/lib.rs, what was fed {EXAMPLE}/orders.jsonl, the manifest \
         {EXAMPLE}/forebay.toml.\n      Edit them while this runs, and see what changes:\n        \
         {}\n      The same with your own Kafka and PostgreSQL: {EXAMPLE}/README.md",
        typed(root, &command).trim_end_matches(" --once")
    ))?;
    Ok(())
}

/// Runs the same with a build that is chosen by `args`, and compares what it prints with what it should.
///
/// # Errors
/// When something does not build, the example does not run through, or it prints something else.
pub(crate) fn check(root: &Path, args: &[&str]) -> anyhow::Result<()> {
    let binary = build(root, args)?;
    let mut command = show(root, &binary);
    let output = command.output().with_context(|| format!("start `{}`", typed(root, &command)))?;
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "`{}` failed ({}):\n{said}", typed(root, &command), output.status);
    let golden = root.join(GOLDEN);
    let wanted = fs::read_to_string(&golden).with_context(|| format!("read `{}`", golden.display()))?;
    match difference(&wanted, &shown) {
        None => Ok(()),
        Some(what) => anyhow::bail!("the demo prints something else than {GOLDEN}: {what}\n{shown}"),
    }
}

/// Builds the handler and the runtime, and returns the runtime's binary.
fn build(root: &Path, args: &[&str]) -> anyhow::Result<PathBuf> {
    setup::for_example(root, Path::new(EXAMPLE))?;
    shell::run(&mut shell::cargo(root, args))?;
    Ok(shell::target()?.join("debug/forebay"))
}

fn show(root: &Path, binary: &Path) -> Command {
    let mut command = Command::new(binary);
    // What somebody has set for real servers has no part in this.
    command.args(["dev", EXAMPLE, "--once"]).env_remove("DATABASE_URL").current_dir(root);
    command
}

/// Returns the command as one would type it in the checkout.
fn typed(root: &Path, command: &Command) -> String {
    let folder = Path::new(command.get_program()).parent().unwrap_or(root);
    folder.strip_prefix(root).unwrap_or(folder).join(shell::line_of(command)).display().to_string()
}

/// Says where a text is not the one that is wanted.
fn difference(wanted: &str, text: &str) -> Option<String> {
    let (mut wanted, mut lines) = (wanted.lines(), text.lines());
    loop {
        match (wanted.next(), lines.next()) {
            (None, None) => return None,
            (Some(wanted), Some(line)) if is_alike(wanted, line) => {}
            (wanted, line) => {
                let name = |line: Option<&str>| line.map_or("nothing more".to_owned(), |line| format!("`{line}`"));
                return Some(format!("{} instead of {}", name(line), name(wanted)));
            }
        }
    }
}

/// A line's `[..]` stands for anything.
fn is_alike(wanted: &str, line: &str) -> bool {
    match wanted.split_once(ANYTHING) {
        None => wanted == line,
        Some((start, end)) => line.len() >= start.len() + end.len() && line.starts_with(start) && line.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_differs_between_machines_is_no_difference() {
        let wanted = "orders\n  plugin sha256:[..]\n1 row";
        assert_eq!(difference(wanted, "orders\n  plugin sha256:ab12\n1 row\n"), None);
        let first = difference(wanted, "orders\n  plugin md5:ab\n1 row").unwrap();
        assert_eq!(first, "`  plugin md5:ab` instead of `  plugin sha256:[..]`");
        let last = difference(wanted, "orders\n  plugin sha256:\n").unwrap();
        assert_eq!(last, "nothing more instead of `1 row`");
    }
}
