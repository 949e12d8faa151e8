//! What can go wrong around a handler: starting the host, loading a component, running a batch. What goes wrong inside
//! a handler is a fault of one record and no error here.
//!
//! Every text is complete by itself: what is wrong, where, and what to do.

use forebay_core::manifest::settings::Component;
use forebay_core::verdict::{Cause, Reason, Verdict};
use std::fmt;
use std::io;
use std::time::Duration;

use crate::compile::CompileError;
use crate::imports::cut;

/// Why a [`Host`](crate::Host) does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The engine refuses its settings.
    #[error("start the WebAssembly engine: {reason}")]
    Engine {
        /// The engine's own words.
        reason: String,
    },
    /// The operating system gives no thread.
    #[error("start a thread for plugins: {error}; raise the limit of threads or lower their number")]
    Thread {
        /// The operating system's answer.
        error: io::Error,
    },
}

/// Why a component is not loaded.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}`: component `{component}` {problem}")]
pub struct LoadError {
    /// The plugin's name in the manifest.
    pub plugin: String,
    /// Where the component is.
    pub component: Component,
    /// What is wrong.
    pub problem: Problem,
}

/// What the operator has to mend after a [`LoadError`]; exit statuses rest on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// The file is not there or can not be read: the manifest or its surroundings are wrong.
    Missing,
    /// The file was read and is refused: the plugin is wrong.
    Refused,
}

/// What is wrong with a component.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file can not be read.
    #[error("can not be read: {error}; build it, or correct `component` in the manifest")]
    Read {
        /// The operating system's answer.
        error: io::Error,
    },
    /// The digest differs from the pin.
    #[error(
        "has the digest sha256 {found}, but the manifest pins {pinned}; correct `sha256`, or bring back the file that was pinned"
    )]
    Digest {
        /// The file's digest in hex.
        found: String,
        /// The manifest's `sha256`.
        pinned: String,
    },
    /// The file is a core module.
    #[error(
        "is a core module, not a component; turn it into one, for example with `wasm-tools component new {file} -o component.wasm`"
    )]
    CoreModule {
        /// The file's name.
        file: String,
    },
    /// The file is machine code made by wasmtime.
    #[error(
        "is precompiled machine code, which is never loaded because it can not be checked; name the component it was made from"
    )]
    Precompiled,
    /// The file is something else.
    #[error("is not a WebAssembly component: {reason}; build the plugin and name the resulting `.wasm` file")]
    NotComponent {
        /// How one sees it.
        reason: String,
    },
    /// No handler is exported.
    #[error("does not export `{expected}` (it exports {found}); build it for the world `forebay:handler/pure`")]
    NoHandler {
        /// The interface a handler exports.
        expected: String,
        /// What is exported instead.
        found: Names,
    },
    /// A handler of a version that this host does not know.
    #[error("exports `{found}`, but this host loads {known} only; build it against one of these, or update the host")]
    Version {
        /// The exported interface.
        found: String,
        /// The interfaces that load.
        known: Names,
    },
    /// The handler's functions have other types than the world of that version.
    #[error(
        "exports `{interface}` with other types than that version has ({reason}); build it against the published WIT"
    )]
    Shape {
        /// The interface.
        interface: String,
        /// The engine's own words.
        reason: String,
    },
    /// Imports that no handler gets.
    #[error(
        "imports {refused}, which a handler does not get: it may import `forebay:handler/log` and `forebay:handler/metrics` only; {advice}"
    )]
    Imports {
        /// Every refused import.
        refused: Names,
        /// What to do about them.
        advice: &'static str,
    },
    /// An interface of the contract has no such function, or one of other types.
    #[error("imports functions that the contract does not have ({reason}); build it against the published WIT")]
    Link {
        /// The engine's own words.
        reason: String,
    },
    /// The component is larger than any that is read.
    #[error(
        "has more than {} MiB, the most that is taken; build it smaller: optimised, without what it does not use",
        .limit >> 20
    )]
    Size {
        /// The bytes that are taken.
        limit: u64,
    },
    /// The engine refuses the code.
    #[error("does not compile: {reason}")]
    Compile {
        /// The engine's own words.
        reason: String,
    },
    /// Compiling it went wrong, for all that is known of it.
    #[error(transparent)]
    Compiler(#[from] CompileError),
    /// The instance is larger than its limit before it has done anything.
    #[error(
        "needs more memory to start than `limits.memory` allows ({limit} bytes); raise the limit or build it with a smaller memory"
    )]
    Memory {
        /// The plugin's limit in bytes.
        limit: usize,
    },
    /// The handler refused its configuration, or trapped over it.
    #[error("failed in `init` ({code}): {message}; correct the plugin's `config`")]
    Init {
        /// The handler's own code, or the trap's name.
        code: String,
        /// The handler's own message, or what is known of the trap.
        message: String,
        /// Whether it trapped or overran a limit instead of answering.
        is_trap: bool,
    },
    /// Nothing of the component's doing.
    #[error("could not be started: {reason}")]
    Host {
        /// What happened.
        reason: String,
    },
}

/// Why a batch has no answers. No record is to blame for any of these.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// `init` failed or trapped in a fresh instance: a configuration fault.
    #[error("`init` failed in a fresh instance ({code}): {message}")]
    Init {
        /// The handler's own code, or the trap's name.
        code: String,
        /// The handler's own message, or what is known of the trap.
        message: String,
    },
    /// A message was not done long after its budget of CPU time would have passed on an idle machine.
    #[error("a message was not done after {} s, though it used less CPU time than its limit; this machine is starved", .after.as_secs())]
    WallClock {
        /// How long it was waited for.
        after: Duration,
    },
    /// The host is being stopped.
    #[error("the plugin host is being stopped")]
    Stopped,
    /// The host's own surroundings failed: instance slots, memory, a panic of its own.
    #[error("the plugin host failed: {0}")]
    Internal(String),
}

impl HandleError {
    /// Says whose fault it is: never a record's.
    pub fn verdict(&self, plugin: &str) -> Verdict {
        let message = format!("plugin `{plugin}`: {self}");
        match self {
            Self::Init { .. } => Verdict::Misconfigured(Cause::new(Reason::Plugin, message)),
            Self::WallClock { .. } => Verdict::Unavailable(Cause::new(Reason::Machine, message)),
            Self::Stopped | Self::Internal(_) => Verdict::Unavailable(Cause::new(Reason::Plugin, message)),
        }
    }
}

/// The most names that a sentence quotes, and the most bytes of one.
const NAMES_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 200;

/// A list of names as a sentence quotes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl LoadError {
    /// Returns what the operator has to mend.
    pub fn kind(&self) -> LoadErrorKind {
        match &self.problem {
            Problem::Read { .. } => LoadErrorKind::Missing,
            _ => LoadErrorKind::Refused,
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, name) in self.0.iter().take(NAMES_MAX).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}`{}`", cut(name, NAME_BYTES_MAX))?;
        }
        match self.0.len().saturating_sub(NAMES_MAX) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}
