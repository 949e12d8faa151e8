//! Other programs: finding them, running them, and saying what is done.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::golang;

/// Writes one line to standard error.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}

/// Returns where `program` lies in `PATH`, if it does.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Returns whether `program` runs with `args` and exits with 0. Its output is dropped.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `command` to its end, its output going where ours goes.
///
/// # Errors
/// When it cannot be started or exits with anything but 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line_of(command);
    let status = command.status().with_context(|| format!("start `{line}`"))?;
    anyhow::ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

/// Returns the cargo that runs us, in `root`.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root);
    with_go(&mut command);
    command
}

/// Lets a command find the Go that was fetched, where the machine's own is too old.
pub(crate) fn with_go(command: &mut Command) {
    let Some(folder) = golang::before_path() else { return };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder).chain(env::split_paths(&path));
    if let Ok(path) = env::join_paths(folders) {
        command.env("PATH", path);
    }
}

/// Returns the folder that cargo builds into: the one this very program lies in (`target/debug/xtask`).
///
/// # Errors
/// When the program's own path cannot be found out.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("find the path of this program")?;
    let target = own.ancestors().nth(2).with_context(|| format!("find the target folder above `{}`", own.display()))?;
    Ok(target.to_owned())
}

/// Returns the command as one would type it.
pub(crate) fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}
