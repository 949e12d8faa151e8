//! Handlers in Python: componentize-py makes a component of the modules, with CPython inside.
//!
//! It comes from the package's own dependency group `build`, into a virtual environment in the package's folder, `.venv`;
//! the package's dependencies go into a folder beside it. Both are made anew when pyproject.toml names others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::Value;

use crate::component::Component;
use crate::error::Error;
use crate::inputs;
use crate::language::{Guest, Language, name_of};
use crate::step::Step;

const ADVICE: &str = "on Debian run `apt-get install python3 python3-venv`; it wants version 3.10 or later";
const ENVIRONMENT: &str = ".venv";
/// The package's dependencies, as the component gets them.
const PACKAGES: &str = ".venv/forebay/packages";
/// What was installed, so that it is known when that changes.
const STAMP: &str = ".venv/forebay/installed";
const PATH: &str = ".venv/forebay/handler.wasm";
/// Of which inputs the component was made. The tool makes other bytes each time, and a digest is to be the source's.
const MADE: &str = ".venv/forebay/made";
/// The SDK's module that is the component, with the module `handler` behind it.
const APP: &str = "forebay_plugin.guest.component";
const SDK: &str = "forebay_plugin/guest/component.py";
/// Where the contract lies, seen from the SDK: its copy has one of its own.
const CONTRACTS: [&str; 2] = ["forebay_plugin/wit", "../../wit"];

/// What a pyproject.toml says of the build.
#[derive(Debug, PartialEq, Eq)]
struct Project {
    /// The folder that has the SDK, seen from the package's.
    sdk: String,
    /// The tools, by their names and versions.
    tools: Vec<String>,
    /// What the handler imports from elsewhere.
    dependencies: Vec<String>,
}

/// Makes the component of the package in `folder`. What that needs is installed first where it is not.
///
/// # Errors
/// Where Python is missing, what is needed can not be had, or the source is refused.
pub(crate) fn build(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    let project = Project::of_folder(folder)?;
    let sdk = if project.sdk == "." { folder.to_owned() } else { folder.join(&project.sdk) };
    let refused =
        |reason: &str| Error::Package { path: folder.join(Language::Python.mark()), reason: reason.to_owned() };
    let contract = CONTRACTS.into_iter().map(|path| sdk.join(path)).find(|path| path.is_dir());
    let Some(contract) = contract.filter(|_| sdk.join(SDK).is_file()) else {
        return Err(refused(
            "stands beside no folder `forebay_plugin`, the SDK: `forebay plugin new` makes one, and `sdk = \"FOLDER\"` \
             under [tool.forebay] names another folder that has it",
        ));
    };
    if !folder.join("handler.py").is_file() {
        return Err(refused("stands beside no `handler.py`, which is the handler"));
    }
    install(folder, &project, say)?;
    let (path, made) = (folder.join(PATH), folder.join(MADE));
    let inputs = format!("{}{}", project.stamp(), inputs::digest(&[folder, &sdk.join("forebay_plugin"), &contract])?);
    let take = || Component::of_component(&path, Language::Python);
    if fs::read_to_string(&made).is_ok_and(|there| there == inputs) && path.is_file() {
        return Ok(Guest { name: name_of(folder), component: take()? });
    }
    fs::remove_file(&made).ok();
    let mut command = Command::new(folder.join(ENVIRONMENT).join("bin/componentize-py"));
    command.current_dir(folder).arg("--quiet").arg("-d").arg(&contract).args(["-w", "pure", "componentize"]);
    // The first folder is known as `/0` in the component: the plugin's own.
    command.args(["--stub-wasi", "-p", ".", "-p", PACKAGES, "-p", &project.sdk, APP, "-o", PATH]);
    // Its own backtrace says nothing of the plugin; and an environment that is active is not the plugin's.
    command.env("RUST_BACKTRACE", "0").env_remove("RUST_LIB_BACKTRACE").env_remove("PYTHONPATH");
    command.env("VIRTUAL_ENV", folder.join(ENVIRONMENT));
    step("putting the handler and CPython into a component, which takes a while", true)
        .read(&mut command, say)
        .map_err(of_the_plugin)?;
    let component = take()?;
    fs::write(&made, inputs).map_err(|error| Error::File { act: "write", path: made, error })?;
    Ok(Guest { name: name_of(folder), component })
}

/// A step of a build in Python.
fn step(doing: &str, is_of_source: bool) -> Step<'_> {
    Step { language: Language::Python, doing, advice: ADVICE, is_of_source }
}

/// Leaves the tool's own frames out of what it says: the traceback of the plugin's modules stands between them.
fn of_the_plugin(error: Error) -> Error {
    let Error::Step { line, folder, status, words, is_of_source } = error else { return error };
    let plugins = words.split_once("AssertionError: ").map_or(&*words, |(_, after)| after);
    let plugins = plugins.split_once("\n\nCaused by").map_or(plugins, |(before, _)| before);
    let words = plugins.trim().replace("File \"/0/", "File \"");
    Error::Step { line, folder, status, words, is_of_source }
}

impl Project {
    fn of_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(Language::Python.mark());
        let text = fs::read_to_string(&path).map_err(|error| Error::File { act: "read", path: path.clone(), error })?;
        Self::of_text(&text).map_err(|reason| Error::Package { path, reason })
    }

    fn of_text(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("is no TOML: {error}"))?;
        let list = |section: &str, key: &str| -> Vec<String> {
            let list = table.get(section).and_then(|section| section.get(key)).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let sdk = table.get("tool").and_then(|tool| tool.get("forebay")).and_then(|own| own.get("sdk"));
        let sdk = sdk.and_then(Value::as_str).unwrap_or(".").to_owned();
        let tools = list("dependency-groups", "build");
        if !tools.iter().any(|tool| tool.starts_with("componentize-py")) {
            let wanted = "does not say what makes the component: it wants `build = [\"componentize-py==0.25.1\"]` under \
                          [dependency-groups]";
            return Err(wanted.to_owned());
        }
        Ok(Self { sdk, tools, dependencies: list("project", "dependencies") })
    }

    /// Returns a text that changes when something else is to be installed.
    fn stamp(&self) -> String {
        format!("{}\n\n{}\n", self.tools.join("\n"), self.dependencies.join("\n"))
    }
}

fn install(folder: &Path, project: &Project, say: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let path = |name: &str| folder.join(name);
    let stamp = project.stamp();
    if fs::read_to_string(path(STAMP)).is_ok_and(|there| there == stamp) {
        return Ok(());
    }
    // What a failed attempt left is no environment: its interpreter is there before its pip.
    if !path(".venv/bin/pip").is_file() {
        let mut venv = Command::new("python3");
        venv.current_dir(folder).args(["-m", "venv", "--clear", ENVIRONMENT]);
        step("making the virtual environment `.venv`", false).read(&mut venv, say)?;
    }
    let pip = || {
        let mut pip = Command::new(path(".venv/bin/pip"));
        pip.current_dir(folder).args(["install", "--quiet", "--disable-pip-version-check"]);
        pip
    };
    step("fetching what makes the component: `pip install`", false).read(pip().args(&project.tools), say)?;
    emptied(&path(PACKAGES))?;
    if !project.dependencies.is_empty() {
        let mut command = pip();
        command.args(["--target", PACKAGES]).args(&project.dependencies);
        step("fetching what pyproject.toml names: `pip install`", false).read(&mut command, say)?;
    }
    fs::write(path(STAMP), stamp).map_err(|error| Error::File { act: "write", path: path(STAMP), error })
}

/// Makes an empty folder, whatever was there.
fn emptied(folder: &PathBuf) -> Result<(), Error> {
    if folder.is_dir() {
        fs::remove_dir_all(folder).map_err(|error| Error::File { act: "empty", path: folder.clone(), error })?;
    }
    fs::create_dir_all(folder).map_err(|error| Error::File { act: "make the folder", path: folder.clone(), error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_package_says_what_is_to_be_installed() {
        let text = r#"
[project]
dependencies = ["six==1.17"]
[dependency-groups]
build = ["componentize-py==0.25.1"]
[tool.forebay]
sdk = "../sdk"
"#;
        let project = Project::of_text(text).unwrap();
        let (tools, dependencies) = (vec!["componentize-py==0.25.1".to_owned()], vec!["six==1.17".to_owned()]);
        assert_eq!(project, Project { sdk: "../sdk".to_owned(), tools, dependencies });
        let other = Project::of_text(&text.replace("1.17", "1.16")).unwrap();
        assert_ne!(project.stamp(), other.stamp());
        assert!(Project::of_text("[project]").unwrap_err().contains("componentize-py=="));
        assert!(Project::of_text("a b").unwrap_err().starts_with("is no TOML"));
    }

    #[test]
    fn of_a_failed_build_the_plugins_own_traceback_is_told() {
        let words = "Traceback (most recent call last):\n  File \"x\", line 8\nAssertionError: Traceback (most recent call last):\n  File \
                     \"/0/handler.py\", line 1, in <module>\nNameError: name 'x' is not defined\n\n\nCaused by:\n    NameError: x";
        let status = ExitStatus::from_raw(256);
        let (line, folder) = ("componentize-py".to_owned(), "/p".into());
        let error = Error::Step { line, folder, status, words: words.to_owned(), is_of_source: true };
        let shown = of_the_plugin(error).to_string();
        assert!(
            shown.contains("  File \"handler.py\", line 1, in <module>\nNameError: name 'x' is not defined"),
            "{shown}"
        );
        assert!(!shown.contains("Caused by") && !shown.contains("AssertionError"), "{shown}");
    }
}
