//! A compiler that makes WebAssembly without WASI: the one that is there, or one that rustup can complete.

use std::env;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::Error;

/// What guests are compiled for: no operating system, so nothing to import.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's newest compiler, and the source of the standard library that fits it.
pub const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

const DEBIAN_COMPILER: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// Where rustup's server is out of reach it hangs rather than fails.
const RUSTUP_LIMIT: Duration = Duration::from_secs(20);

/// How guests are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// With the compiler that builds everything else, which has the target.
    Installed,
    /// With Debian's compiler, the standard library built from its source, and linked with `linker`.
    Debian {
        /// The linker's path.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a compiler for the target that serves in `folder`: what is there comes first, then Debian's packages if they
    /// are installed, then what rustup can fetch in a short while. What takes its time is told to `say`.
    ///
    /// # Errors
    /// Where there is none; it says what to install.
    pub fn find(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let sysroot = sysroot(folder)?;
        if has_target(&sysroot) {
            return Ok(Self::Installed);
        }
        if has_debian() {
            return debian(&sysroot);
        }
        if add_target(folder, say) && has_target(&sysroot) {
            return Ok(Self::Installed);
        }
        Err(Error::NoTarget)
    }

    /// Returns what cargo is told beside the target.
    pub(crate) fn args(&self) -> &'static [&'static str] {
        match self {
            Self::Installed => &[],
            Self::Debian { .. } => &["-Zbuild-std=std,panic_abort"],
        }
    }

    /// Returns what cargo's environment needs.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Installed => Vec::new(),
            Self::Debian { linker } => vec![
                ("RUSTC", DEBIAN_COMPILER.into()),
                // Building the standard library is not stable yet.
                ("RUSTC_BOOTSTRAP", "1".into()),
                ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()),
            ],
        }
    }
}

/// A folder may choose its own toolchain, so rustc is asked there.
fn sysroot(folder: &Path) -> Result<PathBuf, Error> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(folder).output();
    let output = output.map_err(|error| Error::NoRust { program: "rustc".to_owned(), error })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(output.stderr.trim_ascii()).into_owned();
        return Err(Error::NoSysroot { status: output.status, words });
    }
    Ok(PathBuf::from(String::from_utf8_lossy(output.stdout.trim_ascii()).into_owned()))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn has_debian() -> bool {
    Path::new(DEBIAN_COMPILER).is_file() && Path::new(DEBIAN_SOURCE).is_file()
}

/// Debian's compiler comes without a linker for the target; the one of the installed toolchain serves.
fn debian(sysroot: &Path) -> Result<Toolchain, Error> {
    let below = sysroot.join("lib/rustlib");
    let hosts = below.read_dir().into_iter().flatten().flatten();
    let mut linkers = hosts.map(|host| host.path().join("bin/rust-lld"));
    let linker = linkers.find(|linker| linker.is_file()).or_else(|| in_path("wasm-ld"));
    linker.map(|linker| Toolchain::Debian { linker }).ok_or(Error::NoLinker { below })
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Asks rustup for the target. Returns whether it succeeded within its time.
fn add_target(folder: &Path, say: &mut dyn FnMut(&str)) -> bool {
    if in_path("rustup").is_none() {
        return false;
    }
    say(&format!("rustup target add {TARGET}"));
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return false };
    let Some(mut words) = child.stderr.take() else { return false };
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = words.read_to_end(&mut text).map(|_| text).unwrap_or_default();
        // Nobody listens any more once the time is over.
        ended.send(read).ok();
    });
    let words = end.recv_timeout(RUSTUP_LIMIT);
    if words.is_err() {
        say(&format!("rustup did not answer within {} s", RUSTUP_LIMIT.as_secs()));
        child.kill().ok();
    }
    let is_done = child.wait().is_ok_and(|status| status.success());
    if let Some(words) = words.ok().filter(|_| !is_done) {
        say(String::from_utf8_lossy(words.trim_ascii()).as_ref());
    }
    is_done
}
