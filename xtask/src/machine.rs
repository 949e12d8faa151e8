//! Debian packages: which are wanted, which are missing, and how they get there.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::shell;

/// Something the machine must offer, and the packages that bring it.
pub(crate) struct Need {
    what: &'static str,
    packages: &'static [&'static str],
    is_met: fn() -> bool,
}

/// What building the runtime needs: the C libraries inside it are compiled from source.
pub(crate) const BUILD: &[Need] = &[
    Need { what: "a C compiler", packages: &["gcc", "libc6-dev"], is_met: || shell::find("cc").is_some() },
    Need { what: "make", packages: &["make"], is_met: || shell::find("make").is_some() },
    Need { what: "pkg-config", packages: &["pkg-config"], is_met: || shell::find("pkg-config").is_some() },
    Need { what: "OpenSSL's headers", packages: &["libssl-dev"], is_met: || has_library("openssl") },
    Need { what: "zstd's headers", packages: &["libzstd-dev"], is_met: || has_library("libzstd") },
    Need { what: "zlib's headers", packages: &["zlib1g-dev"], is_met: || has_library("zlib") },
];

/// What the servers need that tests and benchmarks start.
pub(crate) const SERVERS: &[Need] = &[
    Need { what: "PostgreSQL's server programs", packages: &["postgresql"], is_met: has_postgres },
    Need { what: "PgBouncer", packages: &["pgbouncer"], is_met: has_pgbouncer },
    Need { what: "Java", packages: &["default-jre-headless"], is_met: || shell::succeeds("java", &["-version"]) },
    // A test runs a program from its source.
    Need { what: "Java's compiler", packages: &["default-jdk-headless"], is_met: || shell::find("javac").is_some() },
];

/// What handlers in other languages are built and tested with; Go comes by itself.
pub(crate) const LANGUAGES: &[Need] = &[
    Need { what: "Node.js", packages: &["nodejs"], is_met: || shell::find("node").is_some() },
    Need { what: "npm", packages: &["npm"], is_met: || shell::find("npm").is_some() },
    Need { what: "Python with venv", packages: &["python3", "python3-venv"], is_met: has_venv },
    Need {
        what: "clang for WebAssembly",
        packages: &["clang-19", "lld-19", "wasi-libc", "libclang-rt-19-dev-wasm32"],
        is_met: || shell::find("clang-19").is_some() && Path::new("/usr/include/wasm32-wasi").is_dir(),
    },
];

/// What fetching Kafka's jars needs.
pub(crate) const MAVEN: Need = Need { what: "Maven", packages: &["maven"], is_met: || shell::find("mvn").is_some() };

/// Installs the packages of every need that is not met, and says so.
///
/// # Errors
/// When something is missing and this is no machine with `apt-get`, or the installation fails.
pub(crate) fn ensure<'a>(needs: impl IntoIterator<Item = &'a Need>) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.into_iter().filter(|need| !(need.is_met)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let whats = missing.iter().map(|need| need.what).collect::<Vec<_>>().join(", ");
    anyhow::ensure!(
        shell::find("apt-get").is_some(),
        "missing: {whats}. There is no `apt-get` to install it with; on Debian it is {}",
        packages.join(" ")
    );
    shell::say(&format!("setup: missing: {whats}; installing {}", packages.join(" ")))?;
    install(&packages)?;
    let still: Vec<&str> = missing.iter().filter(|need| !(need.is_met)()).map(|need| need.what).collect();
    anyhow::ensure!(still.is_empty(), "still missing after installing the packages: {}", still.join(", "));
    Ok(())
}

/// A machine that never asked for its package lists cannot install: they are fetched once, on the first failure.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let install = || -> anyhow::Result<Command> {
        let mut command = apt_get(&["install", "-y", "--no-install-recommends"])?;
        command.args(packages);
        Ok(command)
    };
    if shell::run(&mut install()?).is_ok() {
        return Ok(());
    }
    shell::say("setup: fetching the package lists")?;
    shell::run(&mut apt_get(&["update"])?)?;
    shell::run(&mut install()?)
}

fn apt_get(args: &[&str]) -> anyhow::Result<Command> {
    let mut command = if is_root()? {
        Command::new("env")
    } else {
        anyhow::ensure!(
            shell::find("sudo").is_some(),
            "packages must be installed, but this is not root and there is no `sudo`: run `apt-get install` as root"
        );
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(args);
    Ok(command)
}

fn is_root() -> anyhow::Result<bool> {
    let output = Command::new("id").arg("-u").output().context("ask `id -u` who runs this")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

fn has_library(name: &str) -> bool {
    shell::succeeds("pkg-config", &["--exists", name])
}

/// Debian's Python comes without it.
fn has_venv() -> bool {
    shell::succeeds("python3", &["-c", "import ensurepip, venv"])
}

/// Debian keeps it where only root looks.
fn has_pgbouncer() -> bool {
    shell::find("pgbouncer").is_some() || Path::new("/usr/sbin/pgbouncer").is_file()
}

/// Debian keeps the server's programs out of `PATH`, one folder for each major version.
fn has_postgres() -> bool {
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    shell::find("initdb").is_some() || versions.into_iter().any(|version| version.path().join("bin/initdb").is_file())
}
