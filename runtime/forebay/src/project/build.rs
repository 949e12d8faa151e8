//! `forebay plugin build`: from a project's source to the components that its manifest names.

use camino::{Utf8Path, Utf8PathBuf};
use forebay_guest_build::{Guest, Part, replace};

use crate::error::{Error, ErrorKind};
use crate::telemetry;

pub use forebay_guest_build::{Language, Profile};

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The plugin's name in the manifest; `None` where no manifest names it.
    pub plugin: Option<String>,
    /// Its file.
    pub path: Utf8PathBuf,
    /// Its size in bytes.
    pub size: usize,
    /// Its digest: `sha256:` and 64 hex digits.
    pub digest: String,
    /// Whether the file has other bytes than before.
    pub is_changed: bool,
}

/// Builds all that is to be built in a folder: a project's, or one plugin's. What its tools say goes to
/// standard error.
///
/// # Errors
/// Where there is nothing to build or nothing to build it with, or the source is refused.
pub fn build(folder: &Utf8Path, profile: Profile) -> Result<Vec<Built>, Error> {
    let parts = Part::of_folder(folder.as_std_path()).map_err(|error| of_guest(&error))?;
    parts.into_iter().map(|part| one(part, profile).map_err(|error| of_guest(&error))).collect()
}

fn one(part: Part, profile: Profile) -> Result<Built, forebay_guest_build::Error> {
    let Part { plugin, language, package, component: path } = part;
    let Guest { name, component } = forebay_guest_build::build(language, &package, profile, &mut telemetry::warn)?;
    let path = path.unwrap_or_else(|| package.join(name).with_extension("wasm"));
    let is_changed = replace(&path, component.bytes())?;
    let path = Utf8PathBuf::from(path.to_string_lossy().into_owned());
    Ok(Built { plugin, path, size: component.bytes().len(), digest: component.digest(), is_changed })
}

fn of_guest(error: &forebay_guest_build::Error) -> Error {
    let kind = if error.is_of_source() { ErrorKind::Plugin } else { ErrorKind::Config };
    Error::new(kind, error.to_string())
}
