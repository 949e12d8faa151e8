//! A compiler for the guests, installed where there is none: a user's machine is left alone, the project's own is not.

use std::path::Path;
use std::process::Command;

use forebay_guest_build::{DEBIAN_PACKAGES, Error, TARGET, Toolchain};

use crate::shell;

/// Finds a compiler for the target. Where neither this machine nor rustup has one, Debian's packages are installed.
///
/// # Errors
/// When none of these works; it says what to install.
pub(super) fn find(root: &Path) -> anyhow::Result<Toolchain> {
    // Nobody is left to tell when standard error itself is gone.
    let mut say = |line: &str| drop(shell::say(&format!("guests: {line}")));
    match Toolchain::find(root, &mut say) {
        Err(Error::NoTarget) if shell::find("apt-get").is_some() => {
            install()?;
            Ok(Toolchain::find(root, &mut say)?)
        }
        found => Ok(found?),
    }
}

/// Installs Debian's compiler, fetching the package lists first where the first try fails.
fn install() -> anyhow::Result<()> {
    shell::say(&format!("guests: no compiler for {TARGET}; installing {}", DEBIAN_PACKAGES.join(" ")))?;
    let wanted = [&["install", "-y", "--no-install-recommends"][..], &DEBIAN_PACKAGES].concat();
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
