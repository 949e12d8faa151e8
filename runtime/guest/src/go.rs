//! Handlers in Go: from a package's folder to its component.
//!
//! The stock compiler makes a core module for `wasip1`, the adapter stands for WASI, and the SDK itself has the few
//! functions that the contract asks for, written against the canonical ABI. So nothing is generated, nothing is fetched,
//! and a user needs no more than Go. The bindings that a generator makes want a package of their own name, a module from
//! the network, and a linker that checks less; the contract is small enough to do without.
//!
//! Go seeds itself once, when an instance starts. So that a message finds the same randomness in every instance, the build
//! adds one function to the package `runtime`, by the go command's own `-overlay`; the SDK calls it before each message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::Profile;
use crate::component::Component;
use crate::error::Error;
use crate::language::{Guest, Language, name_of};
use crate::preview1;
use crate::sources::{Sources, TARGET};
use crate::step::Step;

/// The function that is added to Go's runtime.
const RESEED: &str = include_str!("../go/reseed.go");

const ADVICE: &str =
    "install Go 1.24 or later, as https://go.dev/dl says (on Debian 13 and later `apt-get install golang-go`)";

/// Makes the component of the package in `folder`.
///
/// # Errors
/// Where a tool is missing, or the source is refused.
pub(crate) fn build(folder: &Path, _profile: Profile, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    let target = folder.join(TARGET);
    let file = |act, path: &Path, error| Error::File { act, path: path.to_owned(), error };
    fs::create_dir_all(&target).map_err(|error| file("make the folder", &target, error))?;
    let overlay = overlay(folder, &target, say)?;
    let is_source = |name: &str| name == Language::Go.mark() || name.ends_with(".go") && !name.ends_with("_test.go");
    let source = Sources::of(folder, &is_source)?.digest()?;
    let module = target.join("handler.core.wasm");

    let mut command = Command::new("go");
    command.current_dir(folder).args(["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared"]);
    command.arg("-overlay").arg(&overlay).arg("-o").arg(&module);
    command.args(["-ldflags", &format!("-w -X forebay.source={source}"), "."]);
    command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    let step = Step { language: Language::Go, doing: "compiling with go", advice: ADVICE, is_of_source: true };
    step.run(&mut command, say)?;

    let adapter = preview1::adapter().map_err(|error| Error::Component {
        module: module.clone(),
        language: Language::Go,
        error,
    })?;
    let component = Component::of_core(&module, Language::Go, Some(preview1::CONTRACT), Some(&adapter))?;
    Ok(Guest { name: name(folder), component })
}

/// Writes the overlay, and returns where it lies.
fn overlay(folder: &Path, target: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let step = Step { language: Language::Go, doing: "", advice: ADVICE, is_of_source: false };
    let root = step.read(Command::new("go").args(["env", "GOROOT"]).current_dir(folder), say)?;
    // The go command takes no file here for a package's source.
    let (added, path) = (target.join("reseed.txt"), target.join("overlay.json"));
    let place = Path::new(&root).join("src/runtime/forebay_reseed.go");
    let text = serde_json::json!({ "Replace": { place.to_string_lossy(): added.to_string_lossy() } }).to_string();
    for (path, text) in [(&added, RESEED), (&path, text.as_str())] {
        crate::replace(path, text.as_bytes())?;
    }
    Ok(path)
}

/// Returns the last part of the module's path.
fn name(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join(Language::Go.mark())).unwrap_or_default();
    let path = text.lines().find_map(|line| line.trim().strip_prefix("module "));
    let last = path.and_then(|path| path.trim().trim_matches('"').rsplit('/').next()).filter(|last| !last.is_empty());
    last.map_or_else(|| name_of(folder), |last| last.to_owned())
}
