//! `cargo xtask bench`: the release build against what else could be run, side by side.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;

use crate::{figures, setup, shell};

/// Sets the machine up, builds the runtime as it is shipped and the benchmarks beside it, and runs those whose name
/// contains `name`; the documents get their figures where `write` says so. The two are built apart: the benchmarks' handler without a sandbox stays out of the runtime.
///
/// # Errors
/// When something does not build, or a side does not come to its end.
pub(crate) fn run(root: &Path, name: Option<&str>, json: Option<&Path>, write: bool) -> anyhow::Result<()> {
    setup::run(root)?;
    shell::say("bench: building for release; the first time this takes some minutes")?;
    shell::run(&mut shell::cargo(root, &["build", "--release", "--package", "forebay"]))?;
    let mut command = shell::cargo(root, &["bench", "--package", "forebay-bench", "--features", "native", "--"]);
    command.args(name);
    if let Some(json) = json {
        command.arg("--json").arg(std::path::absolute(json)?);
    }
    // What it is at goes to standard error.
    let line = shell::line_of(&command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("start `{line}`"))?;
    io::stdout().write_all(&output.stdout)?;
    anyhow::ensure!(output.status.success(), "`{line}` failed ({})", output.status);
    if write {
        figures::write(root, &String::from_utf8_lossy(&output.stdout))?;
    }
    Ok(())
}
