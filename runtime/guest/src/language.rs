//! The languages that a handler can be written in, and which of them a package's folder holds.

use std::fmt::{self, Display};
use std::path::Path;

use crate::cargo::Profile;
use crate::component::Component;
use crate::error::Error;
use crate::{c, cargo, go, js, python};

/// What a handler is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust, with cargo.
    Rust,
    /// JavaScript, with QuickJS inside the component.
    Js,
    /// Python, with CPython inside the component.
    Python,
    /// Go, with the stock compiler.
    Go,
    /// C, with clang.
    C,
}

/// What was made of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The package's name, after which the component is called where no manifest says its name.
    pub name: String,
    /// The component.
    pub component: Component,
}

impl Language {
    /// All of them. Where a folder has the marks of two, the first one counts.
    pub const ALL: [Self; 5] = [Self::Rust, Self::Js, Self::Python, Self::Go, Self::C];

    /// Returns the file that a package of this language has in its folder.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Js => "package.json",
            Self::Python => "pyproject.toml",
            Self::Go => "go.mod",
            Self::C => "handler.c",
        }
    }

    /// Returns what it is called on the command line: `--lang NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// Returns the language of the package in a folder, if there is one.
    pub fn of_folder(folder: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|language| folder.join(language.mark()).is_file())
    }
}

impl Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::C => "C",
        })
    }
}

/// Makes the component of the package in `folder`. What it does meanwhile is told to `say`; what the tools have to say
/// goes to standard error.
///
/// # Errors
/// Where a tool is missing and can not be had, or the source is refused.
pub fn build(language: Language, folder: &Path, profile: Profile, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    let guest = match language {
        // Its compiler and its bindings sign by themselves.
        Language::Rust => return cargo::build(folder, profile, say),
        Language::Js => js::build(folder, say),
        Language::Python => python::build(folder, say),
        Language::Go => go::build(folder, profile, say),
        Language::C => c::build(folder, profile, say),
    }?;
    Ok(Guest { component: guest.component.signed(language), ..guest })
}

/// Returns what a package is called that does not say it: as its folder.
pub(crate) fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "handler".to_owned(), |name| name.to_string_lossy().into_owned())
}
