//! `cargo xtask builtins`: the ready-made plugins as components, and what they were made of.
//!
//! Both are committed and the components become part of the binary, so that it can be built where there is no compiler for
//! WebAssembly. `sha256sum --check runtime/plugin/builtin/SOURCES` says whether they are still of one piece, and so does a
//! test.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::{guests, shell};

/// Where the components and `SOURCES` lie, from the checkout.
const FOLDER: &str = "runtime/plugin/builtin";

/// What becomes a component, below `plugins/`.
const NAMES: [&str; 2] = ["json-to-rows", "router"];

/// What they are made of, from the checkout.
const SOURCES: [&str; 11] = [
    "plugins/fields/Cargo.toml",
    "plugins/fields/src",
    "plugins/json-to-rows/Cargo.lock",
    "plugins/json-to-rows/Cargo.toml",
    "plugins/json-to-rows/src",
    "plugins/router/Cargo.lock",
    "plugins/router/Cargo.toml",
    "plugins/router/src",
    "plugins/rust/Cargo.toml",
    "plugins/rust/src",
    "wit/handler.wit",
];

/// Builds the components anew, and writes them and the digests of all that they were made of.
///
/// # Errors
/// When there is no compiler for the target, or a plugin does not build.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
    let mut files = Vec::new();
    for name in NAMES {
        let component = guests::component(root, &root.join("plugins").join(name))?;
        guests::write(root, &folder.join(format!("{name}.wasm")), component.bytes())?;
        files.push(format!("{FOLDER}/{name}.wasm"));
    }
    for source in SOURCES {
        collect(root, source, &mut files)?;
    }
    files.sort_unstable();
    let mut lines = String::new();
    for file in files {
        let bytes = fs::read(root.join(&file)).with_context(|| format!("read `{file}`"))?;
        lines += &format!("{:x}  {file}\n", Sha256::digest(bytes));
    }
    guests::write(root, &folder.join("SOURCES"), lines.as_bytes())?;
    shell::say("builtins: everything is in place")?;
    Ok(())
}

/// Adds a file, or all files below a folder, by their paths from the checkout.
fn collect(root: &Path, path: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    if root.join(path).is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(root.join(path)).with_context(|| format!("read the folder `{path}`"))?;
    for entry in entries {
        let name = entry?.file_name();
        collect(root, &format!("{path}/{}", name.to_string_lossy()), files)?;
    }
    Ok(())
}
