//! Building the components: the examples', to the paths their manifests name, and the tests' own guests.
//!
//! The tests' guests have a target folder to themselves, `target/guests`, so that all of them share one build of the
//! standard library; an example is built as `forebay plugin build` does it. Cargo skips what is up to date, and a component
//! whose bytes did not change is not written again.

mod toolchain;
mod worlds;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use forebay_guest_build::{Build, Component, Language, Part, Profile, Toolchain};

use crate::shell;

/// How the handlers that are no Rust are tested: the folder, the program, and what it is called with.
const NATIVE: &[(&str, &str, &[&str])] = &[
    ("plugins/js", "node", &["--test"]),
    ("plugins/python", "python3", &["-m", "unittest", "discover", "--quiet", "-s", "tests"]),
    ("plugins/go", "go", &["vet", "."]),
    ("plugins/go", "go", &["test", "."]),
    ("examples/02-clickstream/plugin", "node", &["--test"]),
    ("examples/03-sensor-readings/plugin", "go", &["vet", "."]),
    ("examples/03-sensor-readings/plugin", "go", &["test", "."]),
    ("examples/04-invoices/plugin", "python3", &["-m", "unittest", "--quiet"]),
    ("examples/05-ship-positions/plugin", "make", &["--silent", "test"]),
];

/// Builds every guest: the examples' components, and the tests' into `target/guests/components/NAME.wasm`.
///
/// # Errors
/// When there is no compiler for the target and none can be had, or a guest does not build.
pub(crate) fn build_all(root: &Path) -> anyhow::Result<()> {
    let toolchain = toolchain::find(root)?;
    examples(root, &toolchain)?;
    tests(root, &toolchain)
}

/// Builds the components of the example in a folder, and nothing else.
///
/// # Errors
/// As above.
pub(crate) fn build_example(root: &Path, folder: &Path) -> anyhow::Result<()> {
    example(root, &folder.join("forebay.toml"), &toolchain::find(root)?)
}

/// Builds the package in a folder, as its lock file says, and with names for this machine's folders.
///
/// # Errors
/// As above.
pub(crate) fn component(root: &Path, package: &Path) -> anyhow::Result<Component> {
    let (toolchain, target) = (toolchain::find(root)?, root.join("target/guests"));
    // Debian has the source of the standard library in a place of its own.
    let mut names = vec![(root, "forebay"), (Path::new("/usr/lib/rustlib/src/rust"), "rust")];
    // Cargo calls the folders of crates after where they came from, which is nobody's business.
    let crates = crates()?;
    names.extend(crates.iter().map(|folder| (folder.as_path(), "crates")));
    let (profile, args) = (Profile::Release, ["--quiet", "--locked"]);
    let build =
        Build { folder: package, toolchain: &toolchain, profile, target: Some(&target), names: &names, args: &args };
    Ok(Component::of_module(&build.run_one()?.path)?)
}

/// Returns the folders that cargo keeps the sources of crates in.
fn crates() -> anyhow::Result<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folder = home.context("find cargo's folder")?.join("registry/src");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Tests the SDKs, the examples' handlers and the tests' guests as what they are without a host, each in its own language.
///
/// # Errors
/// When a test fails, or a language's own runner is not there.
pub(crate) fn test_all(root: &Path) -> anyhow::Result<()> {
    for (folder, program, args) in NATIVE {
        let mut command = Command::new(program);
        command.args(*args).current_dir(root.join(folder));
        // An example takes the SDK from the checkout, and no test leaves its bytecode there.
        command.env("PYTHONPATH", root.join("plugins/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        shell::with_go(&mut command);
        shell::run(&mut command)?;
    }
    c_sdk(root)?;
    let ready_made = ["plugins/fields", "plugins/json-to-rows", "plugins/router"];
    for folder in ["plugins/rust", "examples/01-orders/plugin", "tests/guests"].into_iter().chain(ready_made) {
        let mut command = shell::cargo(&root.join(folder), &["test", "--quiet", "--workspace", "--locked"]);
        shell::run(command.env("CARGO_TARGET_DIR", root.join("target/guests-native")))?;
    }
    Ok(())
}

/// The SDK for C is tested as a program of this machine.
fn c_sdk(root: &Path) -> anyhow::Result<()> {
    let (folder, program) = (root.join("plugins/c"), shell::target()?.join("c-sdk-test"));
    let mut command = Command::new("cc");
    command.args(["-std=gnu11", "-Wall", "-Wextra", "-o"]).arg(&program);
    let mut sources = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read the folder `{}`", folder.display()))? {
        sources.push(entry?.path());
    }
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    command.args(&sources).arg(folder.join("tests/sdk_test.c")).arg("-lm");
    shell::run(&mut command)?;
    shell::run(&mut Command::new(&program))
}

fn examples(root: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    let folder = root.join("examples");
    let entries = fs::read_dir(&folder).with_context(|| format!("read the folder `{}`", folder.display()))?;
    let mut manifests = Vec::new();
    for entry in entries {
        manifests.push(entry?.path().join("forebay.toml"));
    }
    manifests.sort();
    // A folder without a manifest is none of ours to build.
    manifests.iter().filter(|manifest| manifest.is_file()).try_for_each(|manifest| example(root, manifest, toolchain))
}

/// Builds the components of a manifest that lie beside a package, exactly as `forebay plugin build` does: who edits one
/// after that waits for the edit alone.
fn example(root: &Path, manifest: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    for Part { plugin: _, language, package, component } in Part::of_manifest(manifest)? {
        let path = component.context("a manifest names every component")?;
        if language != Language::Rust {
            let mut say = |line: &str| drop(shell::say(&format!("guests: {line}")));
            let guest = forebay_guest_build::build(language, &package, Profile::Release, &mut say)?;
            write(root, &path, guest.component.bytes())?;
            continue;
        }
        let (profile, args) = (Profile::Release, ["--locked"]);
        let build = Build { folder: &package, toolchain, profile, target: None, names: &[], args: &args };
        let module = build.run_one()?;
        write(root, &path, Component::of_module(&module.path)?.bytes())?;
    }
    Ok(())
}

fn tests(root: &Path, toolchain: &Toolchain) -> anyhow::Result<()> {
    let folder = root.join("target/guests/components");
    fs::create_dir_all(&folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
    let file = |name: &str| folder.join(name).with_extension("wasm");
    let sources = root.join("tests/guests");
    // As their lock file says, and with names for this machine's folders, which their traps tell.
    let (profile, target, names) = (Profile::Release, root.join("target/guests"), [(root, "forebay")]);
    let args = ["--quiet", "--locked"];
    let build = Build { folder: &sources, toolchain, profile, target: Some(&target), names: &names, args: &args };
    for module in build.run()? {
        write(root, &file(&module.package), Component::of_module(&module.path)?.bytes())?;
    }
    for (name, bytes) in worlds::components(&root.join("wit/handler.wit"), &sources.join("worlds"))? {
        write(root, &file(&name), &bytes)?;
    }
    write(root, &file("core-module"), b"\0asm\x01\0\0\0")?;
    write(root, &file("not-a-component"), b"This is a text, and nobody would take it for WebAssembly.\n")
}

/// Writes a component and says so, unless the very same bytes are there.
pub(crate) fn write(root: &Path, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if forebay_guest_build::replace(path, bytes)? {
        let name = path.strip_prefix(root).unwrap_or(path).display();
        shell::say(&format!("guests: wrote {name} ({} KiB)", bytes.len().div_ceil(1024)))?;
    }
    Ok(())
}
