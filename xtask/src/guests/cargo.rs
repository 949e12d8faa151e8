//! Running cargo for the guests' target, and reading which modules it made.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;

use super::toolchain::{TARGET, Toolchain};
use crate::shell;

/// A core module that cargo made, with its component type inside.
pub(super) struct Module {
    /// The package's name.
    pub package: String,
    /// The file.
    pub path: PathBuf,
}

/// Builds the package or workspace in `folder`.
///
/// # Errors
/// When it does not build; cargo has said why by then.
pub(super) fn build(root: &Path, folder: &Path, toolchain: &Toolchain) -> anyhow::Result<Vec<Module>> {
    let args = ["build", "--quiet", "--workspace", "--release", "--locked", "--target", TARGET];
    let mut command = shell::cargo(folder, &args);
    command.arg("--message-format=json-render-diagnostics").args(toolchain.args());
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(root)).env("CARGO_TARGET_DIR", root.join("target/guests"));
    command.env_remove("CARGO_BUILD_TARGET").envs(toolchain.environment());
    let line = shell::line_of(&command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("start `{line}`"))?;
    let stdout = child.stdout.take().with_context(|| format!("read what `{line}` says"))?;
    let mut modules = Vec::new();
    for message in BufReader::new(stdout).lines() {
        let message: serde_json::Value =
            serde_json::from_str(&message?).with_context(|| format!("read what `{line}` says"))?;
        modules.extend(module(&message));
    }
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "`{line}` in `{}` failed ({status})", folder.display());
    Ok(modules)
}

/// Returns the compiler's flags. Those meant for the workspace stay outside, and no component tells in which folders it
/// was built: its digest is the same on every machine with this compiler.
fn flags(root: &Path) -> OsString {
    let registry = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folders = [Some((root.to_owned(), "forebay")), registry.map(|folder| (folder, "cargo"))];
    let flags = folders.into_iter().flatten().map(|(folder, name)| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push(format!("={name}"));
        flag
    });
    // Cargo takes several flags in one variable if this stands between them.
    flags.collect::<Vec<_>>().join(OsStr::new("\x1f"))
}

/// Returns the module that one of cargo's messages announces, if it does.
fn module(message: &serde_json::Value) -> Option<Module> {
    let target = message.get("target")?;
    let is_library = target.get("crate_types")?.as_array()?.iter().any(|kind| kind == "cdylib");
    let files = message.get("filenames")?.as_array()?;
    let file = files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm"))?;
    // A library's own name has underscores; the guests are known by their packages' names.
    let name = target.get("name")?.as_str()?.replace('_', "-");
    is_library.then(|| Module { package: name, path: PathBuf::from(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cdylib_is_a_module() {
        let message = |kind: &str| {
            let text = format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"bad_utf8","crate_types":["{kind}"]}},"filenames":["/t/bad_utf8.wasm"]}}"#
            );
            module(&serde_json::from_str(&text).unwrap()).map(|module| module.package)
        };
        assert_eq!(message("cdylib").as_deref(), Some("bad-utf8"));
        assert_eq!(message("lib"), None);
    }
}
