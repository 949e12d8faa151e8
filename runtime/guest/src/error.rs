//! What goes wrong between a source and its component, and who can mend it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::language::Language;
use crate::toolchain::{DEBIAN_PACKAGES, TARGET};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no compiler at all.
    #[error("start `{program}`: {error}; a plugin in Rust is compiled here: install Rust, as https://rustup.rs says")]
    NoRust {
        /// `rustc` or `cargo`.
        program: String,
        /// Why it does not start.
        error: io::Error,
    },
    /// The compiler does not say where it lies.
    #[error("`rustc --print sysroot` failed ({status}): {words}; see whether `rustc --version` works in this folder")]
    NoSysroot {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        words: String,
    },
    /// There is a compiler, but not for the target.
    #[error(
        "there is no Rust compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
        DEBIAN_PACKAGES.join(" ")
    )]
    NoTarget,
    /// Debian's compiler is there, and nothing to link with.
    #[error(
        "there is no linker for {TARGET}: neither `rust-lld` below `{}` nor `wasm-ld` in PATH; on Debian run `apt-get install lld`",
        .below.display()
    )]
    NoLinker {
        /// Where it was looked for.
        below: PathBuf,
    },
    /// A file or folder can not be read or written.
    #[error("{act} `{}`: {error}", .path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// Cargo says what is no message of its own.
    #[error("read what `{line}` says: {reason}")]
    Words {
        /// The command.
        line: String,
        /// What is wrong.
        reason: String,
    },
    /// The source does not compile, or its dependencies can not be had. Cargo has said why.
    #[error("`{line}` in `{}` failed ({status}); cargo says why above", .folder.display())]
    Cargo {
        /// The command.
        line: String,
        /// Where it ran.
        folder: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// The package is not one plugin.
    #[error(
        "`{}` makes {found}, and a plugin is one library: its Cargo.toml wants `crate-type = [\"cdylib\"]` under [lib]",
        .folder.display()
    )]
    NotOneModule {
        /// The package's folder.
        folder: PathBuf,
        /// What it makes.
        found: String,
    },
    /// The module is no handler.
    #[error("`{}` {error}; {}", .module.display(), .error.advice(*.language))]
    Component {
        /// The module, or the component.
        module: PathBuf,
        /// What it was made of.
        language: Language,
        /// What is wrong with it.
        error: ComponentError,
    },
    /// A program that the language is built with is not there.
    #[error("start `{program}`: {error}; a plugin in {language} is built with it: {advice}")]
    NoProgram {
        /// The program.
        program: String,
        /// Why it does not start.
        error: io::Error,
        /// The language that needs it.
        language: Language,
        /// Where it is to be had, as a command to type.
        advice: String,
    },
    /// A command of the build failed.
    #[error("`{line}` in `{}` failed ({status}){}", .folder.display(), said(.words))]
    Step {
        /// The command.
        line: String,
        /// Where it ran.
        folder: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said; nothing if that stands on standard error already.
        words: String,
        /// Whether the plugin's source is to be mended.
        is_of_source: bool,
    },
    /// The package's own files do not say what is needed.
    #[error("`{}` {reason}", .path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would mend it.
        reason: String,
    },
    /// The manifest is no TOML.
    #[error("parse `{}`: {reason}; `forebay check` says more", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to build.
    #[error(
        "nothing to build in `{}`: there is none of {}, and no manifest that names a component in a folder with one; name a \
         project's folder, or make a project: `forebay plugin new NAME`",
        .folder.display(),
        Language::ALL.map(|language| format!("`{}`", language.mark())).join(", ")
    )]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
}

/// What is wrong with a core module that is to be a handler.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It asks for something that a handler does not get.
    #[error("imports {}: a handler may import log and metrics only", .imports.join(", "))]
    Imports {
        /// What it asks for.
        imports: Vec<String>,
    },
    /// It has no handler inside.
    #[error("exports no `{}`", crate::component::HANDLER)]
    NoHandler,
    /// It is no module of which a component can be made.
    #[error("can not be made a component: {0}")]
    Encode(String),
}

impl ComponentError {
    /// Returns what would mend it.
    fn advice(&self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Imports { .. }, Language::Rust) => {
                "look for what in it asks for a clock, randomness, files, the environment or a host in JavaScript (`cargo tree` \
                 shows all dependencies), and take it out"
            }
            (Self::Imports { .. }, _) => {
                "look for what in it asks for a clock, randomness, files, the environment or the network, and take it out"
            }
            (Self::NoHandler, Language::Rust) => "a plugin says once `forebay_plugin::handler!(FUNCTION);`",
            (Self::NoHandler, Language::Js) => "a plugin's file says once `export default handler(FUNCTION)`",
            (Self::NoHandler, Language::Python) => "a plugin's handler.py has a function `handle(message, settings)`",
            (Self::NoHandler, Language::Go | Language::C) => "see what the README of the SDK says of the handler",
            (Self::Encode(_), _) => "see whether the SDK beside the handler is as `forebay plugin new` made it",
        }
    }
}

/// Returns a command's words, or where they are.
fn said(words: &str) -> String {
    if words.is_empty() { "; what it says stands above".to_owned() } else { format!(": {words}") }
}

impl Error {
    /// Returns whether the plugin's source is to be mended, rather than the machine or the command.
    pub fn is_of_source(&self) -> bool {
        match self {
            Self::Cargo { .. } | Self::NotOneModule { .. } | Self::Component { .. } | Self::Package { .. } => true,
            Self::Step { is_of_source, .. } => *is_of_source,
            Self::NoRust { .. }
            | Self::NoSysroot { .. }
            | Self::NoTarget
            | Self::NoLinker { .. }
            | Self::File { .. }
            | Self::Words { .. }
            | Self::NoProgram { .. }
            | Self::Manifest { .. }
            | Self::Nothing { .. } => false,
        }
    }
}
