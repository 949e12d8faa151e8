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

/// A build that nobody has to wait long for; nothing is shared with the tests' builds, which have other features.
const BUILD: &[&str] = &["build", "--package", "forebay", "--profile", "demo"];

/// Installs what is missing, builds the runtime and the example's handler, feeds the sample data, and says what to try next.
///
/// # Errors
/// When something does not build, or the example does not run through.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    shell::say("demo: building the handler of the example and the runtime; the first time this takes some minutes")?;
    let binary = build(root, BUILD, "demo")?;
    let mut command = show(root, &binary);
    shell::say(&format!("demo: {}\n", typed(root, &command)))?;
    let status = command.status().with_context(|| format!("start `{}`", binary.display()))?;
    anyhow::ensure!(status.success(), "`{}` failed ({status})", typed(root, &command));
    let binary = binary.strip_prefix(root).unwrap_or(&binary).display();
    shell::say(&format!(
        "\ndemo: edit {EXAMPLE}/orders.jsonl, forebay.toml or plugin/src/lib.rs, and see what changes:\n  \
         {binary} dev {EXAMPLE}\nin another terminal, after an edit of the handler:\n  \
         {binary} plugin build {EXAMPLE}"
    ))?;
    Ok(())
}

/// Runs the same with a build of the profile `dev` that is chosen by `args`, and compares what it prints with what it should.
///
/// # Errors
/// When something does not build, the example does not run through, or it prints something else.
pub(crate) fn check(root: &Path, args: &[&str]) -> anyhow::Result<()> {
    let binary = build(root, args, "debug")?;
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

/// Builds the handler and the runtime, and returns the runtime's binary in the `folder` of its profile.
fn build(root: &Path, args: &[&str], folder: &str) -> anyhow::Result<PathBuf> {
    setup::for_example(root, Path::new(EXAMPLE))?;
    shell::run(&mut shell::cargo(root, args))?;
    Ok(shell::target()?.join(folder).join("forebay"))
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

/// Says where a text is not the one that is wanted. A line that is `[..]` stands for any number of lines.
fn difference(wanted: &str, text: &str) -> Option<String> {
    let (mut wanted, mut lines) = (wanted.lines().peekable(), text.lines().peekable());
    while let Some(line) = wanted.next() {
        if line == ANYTHING {
            let next = wanted.peek();
            while lines.next_if(|line| next.is_none_or(|next| !is_alike(next, line))).is_some() {}
            continue;
        }
        let found = lines.next();
        if !found.is_some_and(|found| is_alike(line, found)) {
            return Some(format!("`{}` instead of `{line}`", found.unwrap_or("nothing more")));
        }
    }
    lines.next().map(|line| format!("`{line}` where it should end"))
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
        let wanted = "orders\n  plugin sha256:[..]\n[..]\n1 row";
        assert_eq!(difference(wanted, "orders\n  plugin sha256:ab12\n1 row\n"), None);
        assert_eq!(difference(wanted, "orders\n  plugin sha256:ab12\nat x\nat y\n1 row\n"), None);
        let said = |text: &str| difference(wanted, text).unwrap();
        assert_eq!(said("orders\n  plugin md5:ab\n1 row"), "`  plugin md5:ab` instead of `  plugin sha256:[..]`");
        assert_eq!(said("orders\n  plugin sha256:\nat x\n"), "`nothing more` instead of `1 row`");
        assert_eq!(said("orders\n  plugin sha256:\n1 row\n2 rows"), "`2 rows` where it should end");
    }
}
