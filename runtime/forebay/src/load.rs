//! Reads a manifest from disk, with the process's own environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::manifest::settings::{Manifest, Plugin};
use forebay_core::manifest::{Environment, Origin, parse};
use forebay_plugin_host::{Host, LoadErrorKind, Plugin as Loaded};
use forebay_sink::{Database, Process};

use crate::error::{Error, ErrorKind};

/// Reads and checks a manifest.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn manifest(path: &Utf8Path) -> Result<Manifest, Error> {
    manifest_in(path, &Process)
}

/// Reads and checks a manifest in another environment than the process's own.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn manifest_in(path: &Utf8Path, environment: &dyn Environment) -> Result<Manifest, Error> {
    let path = file(path);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let hint = "name the manifest's file, or run this in its folder";
        Error::new(ErrorKind::Config, format!("read manifest `{path}`: {error}; {hint}"))
    })?;
    let folder = path.parent().map(Utf8Path::as_std_path).unwrap_or(Path::new(""));
    parse(&text, &Origin::new(path.as_str(), folder), environment)
        .map_err(|errors| Error::new(ErrorKind::Config, errors.to_string()))
}

/// Returns the manifest's file where a folder is named.
pub fn file(path: &Utf8Path) -> Utf8PathBuf {
    if path.is_dir() { path.join("forebay.toml") } else { path.to_owned() }
}

/// Returns every sink's database; opens none yet.
///
/// # Errors
/// Every connection string that can not be used.
pub fn sinks(manifest: &Manifest) -> Result<BTreeMap<String, Database>, Error> {
    let mut sinks = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, sink) in &manifest.sinks {
        match Database::new(sink) {
            Ok(sink) => {
                sinks.insert(name.clone(), sink);
            }
            Err(error) => errors.push(Error::new(ErrorKind::Config, error.to_string())),
        }
    }
    Error::join(errors).map_or(Ok(sinks), Err)
}

/// Loads every plugin that a binding uses: read, checked, compiled, initialised once.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn plugins(manifest: &Manifest, host: &Host) -> Result<BTreeMap<String, Arc<Loaded>>, Error> {
    let mut loaded = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, settings) in &manifest.plugins {
        match plugin(settings, host) {
            Ok(plugin) => {
                loaded.insert(name.clone(), plugin);
            }
            Err(error) => errors.push(error),
        }
    }
    Error::join(errors).map_or(Ok(loaded), Err)
}

/// Loads one plugin.
///
/// # Errors
/// What is wrong with it.
pub fn plugin(settings: &Plugin, host: &Host) -> Result<Arc<Loaded>, Error> {
    host.load(settings).map_err(|error| {
        let kind = match error.kind() {
            LoadErrorKind::Missing => ErrorKind::Config,
            LoadErrorKind::Refused => ErrorKind::Plugin,
        };
        Error::new(kind, error.to_string())
    })
}
