//! Handlers in C: from a package's folder to its component.
//!
//! All `.c` files of the folder and of the SDK become one core module. The SDK has the contract's few functions itself,
//! for in C the canonical ABI is a set of plain structs; so there are no bindings to generate, and nothing is needed but a
//! compiler for wasm32 with a C library. What that library asks of WASI is answered by the same adapter as Go's.

use std::env;
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

/// The SDK's folder in a package's, where its Makefile names no other.
const SDK: &str = "sdk";
const MAKEFILE: &str = "Makefile";

const ADVICE: &str = "on Debian `apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32`; \
     elsewhere install zig, or set WASI_SDK_PATH to where a WASI SDK lies";

/// The versions of Debian's clang that are looked for, the newest first.
const CLANGS: std::ops::RangeInclusive<u32> = 16..=30;

/// A stack that overflows ends in a trap, rather than in other data. Zig does so by itself and knows no such flag.
const STACK_FIRST: &str = "-Wl,--stack-first";

/// Where Debian keeps the C library for wasm32.
const DEBIAN_HEADERS: &str = "/usr/include/wasm32-wasi";
const DEBIAN_LIBRARIES: &str = "/usr/lib/wasm32-wasi";

/// A compiler, with what it is told of its target.
#[derive(Debug)]
struct Compiler {
    program: PathBuf,
    args: Vec<String>,
}

/// Makes the component of the package in `folder`.
///
/// # Errors
/// Where a tool is missing, or the source is refused.
pub(crate) fn build(folder: &Path, profile: Profile, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    let place = fs::read_to_string(folder.join(MAKEFILE)).ok().and_then(|text| sdk_of(&text).map(str::to_owned));
    let place = place.unwrap_or_else(|| SDK.to_owned());
    let sdk = folder.join(&place);
    if !sdk.join("forebay.h").is_file() {
        let reason = "has no forebay.h: a project has the SDK beside the handler, as `forebay plugin new` makes it, and \
                      `SDK = FOLDER` in its Makefile names another folder that has it";
        return Err(Error::Package { path: sdk, reason: reason.to_owned() });
    }
    let target = folder.join(TARGET);
    let failed = |error| Error::File { act: "make the folder", path: target.clone(), error };
    fs::create_dir_all(&target).map_err(failed)?;
    let is_source = |name: &str| (name.ends_with(".c") && !name.ends_with("_test.c")) || name.ends_with(".h");
    let mut all = vec![Sources::of(folder, &is_source)?];
    // Beside the handler it is among the folder's own.
    if !real(&sdk).starts_with(real(folder)) {
        all.push(Sources::of(&sdk, &is_source)?);
    }
    let digests = all.iter().map(Sources::digest).collect::<Result<Vec<_>, _>>()?;
    let module = target.join("handler.core.wasm");

    let Compiler { program, args } = Compiler::find();
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).args(["-std=gnu11", "-Wall", "-gline-tables-only"]);
    command.arg(if profile == Profile::Release { "-O2" } else { "-O0" });
    // The component is the same wherever the folder lies.
    command.arg(format!("-ffile-prefix-map={}={SDK}", sdk.display()));
    command.arg(format!("-ffile-prefix-map={}=.", folder.display()));
    command.args(["-I", &place, &format!("-DFB_SOURCE=\"{}\"", digests.concat())]);
    command.args(["-mexec-model=reactor", "-Wl,-z,stack-size=131072"]);
    let files =
        all.iter().flat_map(|sources| &sources.files).filter(|path| path.extension().is_some_and(|end| end == "c"));
    command.args(files.map(|path| path.strip_prefix(folder).unwrap_or(path))).arg("-o").arg(&module);
    let step = Step { language: Language::C, doing: "compiling the C sources", advice: ADVICE, is_of_source: true };
    step.run(&mut command, say)?;

    let refused = |error| Error::Component { module: module.clone(), language: Language::C, error };
    let adapter = preview1::adapter().map_err(refused)?;
    let component = Component::of_core(&module, Language::C, Some(preview1::CONTRACT), Some(&adapter))?;
    Ok(Guest { name: name_of(folder), component })
}

/// Returns a folder without `..` and links, to see which one lies in another.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

/// Returns the folder of the SDK that a Makefile names, as in `SDK = ../sdk`.
fn sdk_of(makefile: &str) -> Option<&str> {
    makefile.lines().find_map(|line| {
        let value = line.strip_prefix("SDK")?.trim_start().trim_start_matches([':', '?']).strip_prefix('=')?;
        Some(value.split('#').next().unwrap_or_default().trim()).filter(|value| !value.is_empty())
    })
}

impl Compiler {
    /// Finds a compiler: of the WASI SDK if one is named, else Debian's newest that has all it needs, else zig's. Where there
    /// is none, the name of the first one to try is as good as any: it will not start.
    fn find() -> Self {
        if let Some(sdk) = env::var_os("WASI_SDK_PATH") {
            let program = Path::new(&sdk).join("bin/clang");
            return Self { program, args: vec!["--target=wasm32-wasip1".to_owned(), STACK_FIRST.to_owned()] };
        }
        let version = CLANGS.rev().find(|version| has_debian(*version));
        match version {
            Some(version) => Self { program: format!("clang-{version}").into(), args: debian() },
            None if has_program("zig") => {
                Self { program: "zig".into(), args: ["cc", "-target", "wasm32-wasi"].map(str::to_owned).to_vec() }
            }
            None => Self { program: format!("clang-{}", 19).into(), args: debian() },
        }
    }
}

/// Returns whether Debian's clang of this version is there, with its linker, its runtime and the C library.
fn has_debian(version: u32) -> bool {
    let runtime = format!("/usr/lib/llvm-{version}/lib/clang/{version}/lib/wasi/libclang_rt.builtins-wasm32.a");
    let programs = [format!("clang-{version}"), format!("wasm-ld-{version}")];
    Path::new(&runtime).is_file()
        && Path::new(DEBIAN_HEADERS).is_dir()
        && programs.iter().all(|program| has_program(program))
}

fn debian() -> Vec<String> {
    let args =
        ["--target=wasm32-wasi", "--sysroot=/usr", "-isystem", DEBIAN_HEADERS, "-L", DEBIAN_LIBRARIES, STACK_FIRST];
    args.map(str::to_owned).to_vec()
}

fn has_program(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makefile_may_name_the_sdk() {
        for line in ["SDK = ../c", "SDK=../c", "SDK := ../c # the checkout's", "SDK ?= ../c"] {
            assert_eq!(sdk_of(&format!("# SDK = x\ntest:\n\tcc\n{line}\n")), Some("../c"), "{line}");
        }
        for text in ["", "SDKS = x", "test:\n\tcc -Isdk", "SDK ="] {
            assert_eq!(sdk_of(text), None, "{text}");
        }
    }
}
