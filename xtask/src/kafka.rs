//! Apache Kafka for the tests: the jars of a broker and of its tools, brought by Maven into `target/kafka/libs`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::shell;

/// Returns whether the jars are not there, or are another version's.
///
/// # Errors
/// When this package's `pom.xml` cannot be read.
pub(crate) fn is_missing(root: &Path) -> anyhow::Result<bool> {
    let pom = pom(root);
    let wanted = fs::read(&pom).with_context(|| format!("read `{}`", pom.display()))?;
    // The pom is copied beside the jars last, so it says both that they are complete and which they are.
    Ok(fs::read(libs()?.join("pom.xml")).ok() != Some(wanted))
}

/// Fetches the jars unless they are there.
///
/// # Errors
/// When Maven fails or the folder cannot be written.
pub(crate) fn ensure_jars(root: &Path) -> anyhow::Result<()> {
    if !is_missing(root)? {
        return Ok(());
    }
    let libs = libs()?;
    shell::say(&format!("setup: fetching Apache Kafka into `{}`", libs.display()))?;
    remove(&libs)?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", libs.display())).arg("--file").arg(pom(root));
    shell::run(&mut maven)?;
    fs::copy(pom(root), libs.join("pom.xml")).with_context(|| format!("write into `{}`", libs.display()))?;
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

fn pom(root: &Path) -> PathBuf {
    root.join("xtask/kafka/pom.xml")
}

fn libs() -> anyhow::Result<PathBuf> {
    Ok(shell::target()?.join("kafka/libs"))
}
