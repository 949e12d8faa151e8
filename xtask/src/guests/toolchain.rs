//! A compiler that makes WebAssembly without WASI: the one that is there, or one that can be had.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::shell;

/// What the guests are compiled for: no operating system, so nothing to import.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Where rustup's server is out of reach it hangs rather than fails.
const RUSTUP_LIMIT: Duration = Duration::from_secs(20);

/// Debian's newest compiler, and the source of the standard library that fits it.
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];
const DEBIAN_COMPILER: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// How guests are compiled.
pub(super) enum Toolchain {
    /// With the compiler that builds everything else, which has the target.
    Installed,
    /// With Debian's compiler, the standard library built from its source, and linked with `linker`.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// Returns what cargo is told beside the target.
    pub(super) fn args(&self) -> &'static [&'static str] {
        match self {
            Self::Installed => &[],
            Self::Debian { .. } => &["-Zbuild-std=std,panic_abort"],
        }
    }

    /// Returns what cargo's environment needs.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
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

/// Finds a compiler for the target, and installs one where there is none: what is there already comes first, then
/// rustup, then Debian's packages.
///
/// # Errors
/// When none of these works; it says what to install.
pub(super) fn find(root: &Path) -> anyhow::Result<Toolchain> {
    let sysroot = sysroot(root)?;
    if has_target(&sysroot) {
        return Ok(Toolchain::Installed);
    }
    if has_debian() {
        return debian(&sysroot);
    }
    if add_target()? && has_target(&sysroot) {
        return Ok(Toolchain::Installed);
    }
    if shell::find("apt-get").is_some() {
        install()?;
        if has_debian() {
            return debian(&sysroot);
        }
    }
    anyhow::bail!(
        "there is no Rust compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
        PACKAGES.join(" ")
    )
}

fn sysroot(root: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root).output();
    let output = output.context("start `rustc --print sysroot`")?;
    anyhow::ensure!(output.status.success(), "`rustc --print sysroot` failed ({})", output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn has_debian() -> bool {
    Path::new(DEBIAN_COMPILER).is_file() && Path::new(DEBIAN_SOURCE).is_file()
}

/// Debian's compiler comes without a linker for the target; the one of the installed toolchain serves.
fn debian(sysroot: &Path) -> anyhow::Result<Toolchain> {
    let hosts = sysroot.join("lib/rustlib");
    let entries = hosts.read_dir().with_context(|| format!("read the folder `{}`", hosts.display()))?;
    let mut linkers = entries.flatten().map(|host| host.path().join("bin/rust-lld"));
    let linker = linkers.find(|linker| linker.is_file()).or_else(|| shell::find("wasm-ld"));
    let linker = linker.with_context(|| {
        format!(
            "there is no linker for {TARGET}: neither `rust-lld` below `{}` nor `wasm-ld` (Debian's `lld`)",
            hosts.display()
        )
    })?;
    Ok(Toolchain::Debian { linker })
}

/// Asks rustup for the target. Returns whether it succeeded within its time.
fn add_target() -> anyhow::Result<bool> {
    if shell::find("rustup").is_none() {
        return Ok(false);
    }
    shell::say(&format!("guests: rustup target add {TARGET}"))?;
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("start `rustup target add`")?;
    let mut words = child.stderr.take().context("read what `rustup` says")?;
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        words.read_to_end(&mut text).ok();
        // Nobody listens any more once the time is over.
        ended.send(()).ok();
    });
    if end.recv_timeout(RUSTUP_LIMIT).is_err() {
        shell::say(&format!("guests: rustup did not answer within {} s", RUSTUP_LIMIT.as_secs()))?;
        child.kill().context("stop `rustup`")?;
    }
    Ok(child.wait()?.success())
}

/// Installs Debian's compiler, fetching the package lists first where the first try fails.
fn install() -> anyhow::Result<()> {
    shell::say(&format!("guests: no compiler for {TARGET}; installing {}", PACKAGES.join(" ")))?;
    let wanted = [&["install", "-y", "--no-install-recommends"][..], &PACKAGES].concat();
    if shell::run(&mut apt_get(&wanted)).is_ok() {
        return Ok(());
    }
    shell::run(&mut apt_get(&["update"]))?;
    shell::run(&mut apt_get(&wanted))
}

fn apt_get(args: &[&str]) -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let mut command = Command::new(if is_root { "env" } else { "sudo" });
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(args);
    command
}
