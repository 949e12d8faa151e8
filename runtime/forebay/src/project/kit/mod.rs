//! What a project has of one language: the handler with its tests, its package's files, and the SDK.
//!
//! Manifest, tables, samples and README are the same for all languages; see [`template`](super::template).

mod c;
mod go;
mod js;
mod python;
mod rust;

use forebay_guest_build::Language;

use crate::project::name::Name;
use crate::project::template::Template;

/// What a project has of one language.
pub(super) struct Kit {
    /// The handler's file, such as `src/lib.rs`.
    pub(super) source: &'static str,
    /// The command that runs the handler's tests without a host.
    pub(super) test: &'static str,
    /// The folder of the SDK's copy, such as `sdk`.
    pub(super) sdk: &'static str,
    /// What the SDK is, in a few words.
    pub(super) sdk_is: &'static str,
    /// What the manifest says of the plugin's instances, behind its other lines; nothing where the default does.
    pub(super) instances: &'static str,
    /// What its tools leave in the folder: lines for .gitignore.
    pub(super) made: &'static str,
    /// The handler, its tests, and its package's files.
    pub(super) templates: &'static [Template],
    /// The SDK's files and the contract: the path in the project, and what it says.
    pub(super) files: fn(&Name) -> Vec<(&'static str, String)>,
}

/// Files as they lie in the checkout.
macro_rules! files {
    ($($path:literal => $to:literal),* $(,)?) => {
        /// The path in the checkout, the path in the project, and what it says.
        const FILES: &[(&str, &str, &str)] = &[
            $(($path, $to, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path)))),*
        ];
    };
}
pub(super) use files;

/// For runtimes that start in a millisecond or several, which is the time of a hundred messages.
const REUSED: &str = "\ninstances = { reuse = 1000 }             # a runtime inside starts once for so many batches";

/// Returns what a project has of a language.
pub(super) fn of(language: Language) -> &'static Kit {
    match language {
        Language::Rust => &rust::KIT,
        Language::Js => &js::KIT,
        Language::Python => &python::KIT,
        Language::Go => &go::KIT,
        Language::C => &c::KIT,
    }
}

/// Returns files as they lie in the checkout.
fn as_they_are(files: &[(&str, &'static str, &str)]) -> Vec<(&'static str, String)> {
    files.iter().map(|(_, path, text)| (*path, (*text).to_owned())).collect()
}

/// Fails where a file below the folders of the checkout is not among the files that a project takes along.
#[cfg(test)]
fn assert_complete(files: &[(&str, &str, &str)], folders: &[&str]) {
    let checkout = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in folders {
        for entry in std::fs::read_dir(checkout.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            let is_folder = entry.file_type().unwrap().is_dir();
            let is_taken = files.iter().any(|(taken, _, _)| *taken == path);
            let is_listed = folders.contains(&path.as_str()) || path.ends_with("/__pycache__");
            assert!(if is_folder { is_listed } else { is_taken }, "not in the list: {path}");
        }
    }
}
