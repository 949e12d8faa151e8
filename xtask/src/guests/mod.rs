//! Building the components: the examples', to the paths their manifests name, and the tests' own guests.
//!
//! Guests have a target folder to themselves, `target/guests`, so that all of them share one build of the standard
//! library. Cargo skips what is up to date, and a component whose bytes did not change is not written again.

mod cargo;
mod component;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::shell;
use toolchain::Toolchain;

/// Builds every guest: the examples' components, and the tests' into `target/guests/components/NAME.wasm`.
///
/// # Errors
/// When there is no compiler for the target and none can be had, or a guest does not build.
pub(crate) fn build_all(root: &Path) -> anyhow::Result<()> {
    let toolchain = toolchain::find(root)?;
    examples(root, &toolchain)?;
    tests(root, &toolchain)
}

/// Tests the SDK, the examples' handlers and the tests' guests as what they are without a host: plain Rust.
///
/// # Errors
/// When a test fails.
pub(crate) fn test_all(root: &Path) -> anyhow::Result<()> {
    for folder in ["plugins/rust", "examples/01-orders/plugin", "tests/guests"] {
        let mut command = shell::cargo(&root.join(folder), &["test", "--quiet", "--workspace", "--locked"]);
        shell::run(command.env("CARGO_TARGET_DIR", root.join("target/guests-native")))?;
    }
    Ok(())
}

fn examples(root: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    let folder = root.join("examples");
    let entries = fs::read_dir(&folder).with_context(|| format!("read the folder `{}`", folder.display()))?;
    let mut manifests = Vec::new();
    for entry in entries {
        manifests.push(entry?.path().join("forebay.toml"));
    }
    manifests.sort();
    for manifest in manifests.iter().filter(|manifest| manifest.is_file()) {
        for path in components_of(manifest)? {
            example(root, toolchain, &path)?;
        }
    }
    Ok(())
}

/// Builds the package beside which a manifest wants its component; a component without one is not ours to build.
fn example(root: &Path, toolchain: &Toolchain, path: &Path) -> anyhow::Result<()> {
    let package = path.parent().with_context(|| format!("find the folder of `{}`", path.display()))?;
    if !package.join("Cargo.toml").is_file() {
        return Ok(());
    }
    let modules = cargo::build(root, package, toolchain)?;
    let [module] = modules.as_slice() else {
        anyhow::bail!("`{}` gave {} wasm modules, expected one (a `cdylib`)", package.display(), modules.len());
    };
    write(root, path, &component::of_module(&module.path)?)
}

/// Returns the files that a manifest names as components.
fn components_of(manifest: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("read `{}`", manifest.display()))?;
    let table: toml::Table = toml::from_str(&text).with_context(|| format!("parse `{}`", manifest.display()))?;
    let folder = manifest.parent().unwrap_or(manifest);
    let plugins = table.get("plugins").and_then(toml::Value::as_table);
    let named =
        plugins.into_iter().flat_map(|plugins| plugins.values()).filter_map(|plugin| plugin.get("component")?.as_str());
    Ok(named.filter(|name| !name.starts_with("builtin:")).map(|name| folder.join(name)).collect())
}

fn tests(root: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    let folder = root.join("target/guests/components");
    fs::create_dir_all(&folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
    let file = |name: &str| folder.join(name).with_extension("wasm");
    let sources = root.join("tests/guests");
    for module in cargo::build(root, &sources, toolchain)? {
        write(root, &file(&module.package), &component::of_module(&module.path)?)?;
    }
    for (name, bytes) in component::of_worlds(&root.join("wit/handler.wit"), &sources.join("worlds"))? {
        write(root, &file(&name), &bytes)?;
    }
    write(root, &file("core-module"), b"\0asm\x01\0\0\0")?;
    write(root, &file("not-a-component"), b"This is a text, and nobody would take it for WebAssembly.\n")
}

/// Writes a component, whole or not at all, unless the very same bytes are there.
fn write(root: &Path, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let unfinished = path.with_extension("wasm.unfinished");
    fs::write(&unfinished, bytes).with_context(|| format!("write `{}`", unfinished.display()))?;
    fs::rename(&unfinished, path).with_context(|| format!("write `{}`", path.display()))?;
    let name = path.strip_prefix(root).unwrap_or(path).display();
    shell::say(&format!("guests: wrote {name} ({} KiB)", bytes.len().div_ceil(1024)))?;
    Ok(())
}
