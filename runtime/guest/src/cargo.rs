//! Running cargo for the guests' target, and reading which modules it made.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::component::Component;
use crate::error::Error;
use crate::language::Guest;
use crate::toolchain::{TARGET, Toolchain};

/// How a guest is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is to run.
    Release,
    /// As quickly as it compiles.
    Debug,
}

/// Makes the component of the package in `folder`.
///
/// # Errors
/// Where there is no compiler, or the package does not build or is no handler.
pub(crate) fn build(folder: &Path, profile: Profile, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    let toolchain = Toolchain::find(folder, say)?;
    // What lies in the package's folder is known to the compiler by its path in there: no name is needed for that.
    let build = Build { folder, toolchain: &toolchain, profile, target: None, names: &[], args: &[] };
    let module = build.run_one()?;
    let component = Component::of_module(&module.path)?;
    Ok(Guest { name: module.package, component })
}

/// What cargo is asked for.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// The folder of a package or a workspace.
    pub folder: &'a Path,
    /// The compiler.
    pub toolchain: &'a Toolchain,
    /// How it is optimised.
    pub profile: Profile,
    /// The folder that cargo builds into; cargo's own choice if `None`.
    pub target: Option<&'a Path>,
    /// What folders of this machine are called in the component, so that its digest is the same on every machine with
    /// this compiler. Cargo's own folder is always one of them.
    pub names: &'a [(&'a Path, &'a str)],
    /// Further arguments of cargo's, such as `--locked`.
    pub args: &'a [&'a str],
}

/// A core module that cargo made, with its component type inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The library's name, with `-` for `_`: its package's name, where that is not changed.
    pub package: String,
    /// The package's `Cargo.toml`.
    pub manifest: PathBuf,
    /// The file.
    pub path: PathBuf,
}

impl Build<'_> {
    /// Builds, and returns all modules that were made or are up to date. What cargo has to say goes to standard error.
    ///
    /// # Errors
    /// Where it does not build; cargo has said why by then.
    pub fn run(&self) -> Result<Vec<Module>, Error> {
        let mut command = self.command();
        let line = line_of(&command);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::NoRust { program: command.get_program().to_string_lossy().into_owned(), error })?;
        let words = |reason: String| Error::Words { line: line.clone(), reason };
        let mut modules = Vec::new();
        // A build script or a macro may print, too: what is no message of cargo's is passed over.
        for message in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
            let message = message.map_err(|error| words(error.to_string()))?;
            modules.extend(serde_json::from_str(&message).ok().and_then(|message| module(&message)));
        }
        let status = child.wait().map_err(|error| words(error.to_string()))?;
        if !status.success() {
            return Err(Error::Cargo { line, folder: self.folder.to_owned(), status });
        }
        Ok(modules)
    }

    /// Builds a package that is one plugin.
    ///
    /// # Errors
    /// As [`run`](Self::run) does, and where the package makes no module, or several.
    pub fn run_one(&self) -> Result<Module, Error> {
        let modules = self.run()?;
        let own = self.folder.join("Cargo.toml").canonicalize().ok();
        let is_own = |module: &&Module| own.is_some() && module.manifest.canonicalize().ok() == own;
        // A dependency may be a `cdylib`, too.
        match modules.iter().find(is_own).or(modules.first().filter(|_| modules.len() == 1)) {
            Some(module) => Ok(module.clone()),
            None => {
                let names: Vec<String> = modules.iter().map(|module| format!("`{}`", module.package)).collect();
                let found = if names.is_empty() { "no module".to_owned() } else { names.join(", ") };
                Err(Error::NotOneModule { folder: self.folder.to_owned(), found })
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(self.folder).arg("build").args(self.args);
        match self.profile {
            Profile::Release => command.arg("--release"),
            Profile::Debug => &mut command,
        };
        command.args(["--target", TARGET, "--message-format=json-render-diagnostics"]).args(self.toolchain.args());
        if let Some(target) = self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        // Flags from the environment are meant for this machine; those that a folder sets for the target still hold.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
        command.arg("--config").arg(self.flags());
        command.envs(self.toolchain.environment());
        command
    }

    fn flags(&self) -> String {
        let own = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        // Of two that fit the later one counts: names that are asked for may lie within cargo's own folder.
        let names = self.names.iter().map(|(folder, name)| ((*folder).to_owned(), *name));
        let flags = own.map(|folder| (folder, "cargo")).into_iter().chain(names).map(|(folder, name)| {
            toml::Value::String(format!("--remap-path-prefix={}={name}", folder.display())).to_string()
        });
        format!("target.{TARGET}.rustflags=[{}]", flags.collect::<Vec<_>>().join(","))
    }
}

/// Returns the command as one would type it, without what only programs say.
fn line_of(command: &Command) -> String {
    let is_for_people = |arg: &&OsString| {
        let arg = arg.to_string_lossy();
        !arg.starts_with("--message-format") && !arg.starts_with("target.") && arg != "--config"
    };
    let args: Vec<OsString> = command.get_args().map(OsString::from).collect();
    let args = args.iter().filter(is_for_people);
    args.fold("cargo".to_owned(), |line, arg| format!("{line} {}", arg.to_string_lossy()))
}

/// Returns the module that one of cargo's messages announces, if it does.
fn module(message: &serde_json::Value) -> Option<Module> {
    let target = message.get("target")?;
    let is_library = target.get("crate_types")?.as_array()?.iter().any(|kind| kind == "cdylib");
    let files = message.get("filenames")?.as_array()?;
    let file = files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm"))?;
    // A library's own name has underscores; the guests are known by their packages' names.
    let name = target.get("name")?.as_str()?.replace('_', "-");
    let manifest = message.get("manifest_path")?.as_str()?;
    is_library.then(|| Module { package: name, manifest: manifest.into(), path: file.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cdylib_is_a_module() {
        let message = |kind: &str| {
            let text = format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{{"name":"bad_utf8","crate_types":["{kind}"]}},"filenames":["/t/bad_utf8.wasm"]}}"#
            );
            module(&serde_json::from_str(&text).unwrap()).map(|module| module.package)
        };
        assert_eq!(message("cdylib").as_deref(), Some("bad-utf8"));
        assert_eq!(message("lib"), None);
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let build = Build {
            folder: Path::new("/p"),
            toolchain: &Toolchain::Installed,
            profile: Profile::Release,
            target: None,
            names: &[(Path::new("/p \"x\""), "p")],
            args: &["--locked"],
        };
        let shown = line_of(&build.command());
        assert_eq!(shown, "cargo build --locked --release --target wasm32-unknown-unknown");
        let flags: toml::Table = toml::from_str(&build.flags()).unwrap();
        let flags = flags["target"][TARGET]["rustflags"].as_array().unwrap();
        assert_eq!(flags.last().unwrap().as_str(), Some("--remap-path-prefix=/p \"x\"=p"));
    }
}
