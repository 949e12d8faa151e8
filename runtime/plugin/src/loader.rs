//! From a file to a [`Plugin`]: read, pin, kind, code, exports, imports, and one `init`. The first thing that is wrong
//! is said in a sentence; imports are all named at once.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use forebay_core::manifest::settings::{self, Component as Source};
use sha2::{Digest, Sha256};
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::bindings::v0_1::HandlingIndices;
use crate::builtin;
use crate::cache::{Cache, Key};
use crate::compile::Compiler;
use crate::error::{LoadError, Names, Problem};
use crate::imports;
use crate::instance::{Instance, StartError, State, Template};
use crate::log::{self, Lines};
use crate::plugin::Plugin;
use crate::watch::TimeLimits;

/// The interface that a handler exports, without its version.
const HANDLER: &str = "forebay:handler/handler";
/// The versions of it that load. Another one gets its own bindings and a conversion.
const VERSIONS: [&str; 1] = ["0.1.0"];
/// The world of version 0.1.
const WORLD: &str = "forebay:handler/pure@0.1.0";

/// The largest component that is read: many times what an interpreter with its libraries has.
const COMPONENT_BYTES_MAX: u64 = if cfg!(test) { 32 << 20 } else { 256 << 20 };

/// What every load needs.
pub(crate) struct Loader {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) cache: Option<Cache>,
    pub(crate) compiler: Compiler,
    /// Set once when the host stops.
    pub(crate) stopping: Arc<AtomicBool>,
}

impl Loader {
    /// Makes a plugin of a component file.
    pub(crate) fn load(&self, plugin: &settings::Plugin) -> Result<Plugin, LoadError> {
        let loaded = match &plugin.component {
            Source::File(path) => read(path).and_then(|bytes| self.load_bytes(plugin, &bytes, path)),
            Source::BuiltIn(built_in) => self.load_bytes(plugin, builtin::bytes(*built_in), Path::new(built_in.name())),
        };
        loaded.map_err(|problem| LoadError {
            plugin: plugin.name.clone(),
            component: plugin.component.clone(),
            problem,
        })
    }

    fn load_bytes(&self, plugin: &settings::Plugin, bytes: &[u8], path: &Path) -> Result<Plugin, Problem> {
        let digest = hex(&Sha256::digest(bytes));
        check_pin(&digest, plugin.sha256.as_deref())?;
        check_kind(bytes, path)?;
        let component = self.compile(bytes, &digest)?;
        check_exports(&self.engine, &component)?;
        check_imports(&self.engine, &component)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| unlinked(&error))?;
        let template = self.template(plugin, pre)?;
        let mut first = Instance::start(&template, log::BATCH_LINES_MAX).map_err(|error| not_started(error, plugin))?;
        let loaded = Plugin::new(template, plugin.instances, format!("sha256:{digest}"), WORLD);
        loaded.settle(&mut first);
        Ok(loaded)
    }

    fn template(&self, plugin: &settings::Plugin, pre: InstancePre<State>) -> Result<Template, Problem> {
        let indices = HandlingIndices::new(&pre).map_err(|error| shape(&error))?;
        Ok(Template {
            name: plugin.name.as_str().into(),
            pre,
            indices,
            config: plugin.config.clone(),
            memory: plugin.limits.memory,
            time: TimeLimits::of(plugin.limits.cpu),
            stopping: Arc::clone(&self.stopping),
            log: Lines::new(plugin.name.as_str().into(), Instant::now()),
        })
    }

    fn compile(&self, bytes: &[u8], digest: &str) -> Result<Component, Problem> {
        let key = Key::new(&self.engine, digest);
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, &key)) {
            debug!(digest, "component taken from the compile cache");
            return Ok(component);
        }
        let compiled = self.compiler.compile(&self.engine, bytes)?;
        if let Some(cache) = &self.cache {
            cache.store(&key, &compiled.code);
        }
        Ok(compiled.component)
    }
}

/// Reads a component, and no more than is taken of one.
fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > COMPONENT_BYTES_MAX => Err(Problem::Size { limit: COMPONENT_BYTES_MAX }),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Problem::Read { error }),
    }
}

fn check_pin(found: &str, pinned: Option<&str>) -> Result<(), Problem> {
    match pinned {
        Some(pinned) if !pinned.eq_ignore_ascii_case(found) => {
            Err(Problem::Digest { found: found.to_owned(), pinned: pinned.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Looks at the first bytes: magic number, then version and layer, which tell a core module from a component.
fn check_kind(bytes: &[u8], path: &Path) -> Result<(), Problem> {
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(Problem::Precompiled);
    }
    let reason = match bytes.strip_prefix(b"\0asm") {
        Some([0x01, 0x00, 0x00, 0x00, ..]) => {
            let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            return Err(Problem::CoreModule { file });
        }
        Some([_, _, 0x01, 0x00, ..]) => return Ok(()),
        Some(_) => "its version is unknown",
        None if bytes.is_empty() => "the file is empty",
        None if bytes.trim_ascii_start().starts_with(b"(") => "it is WebAssembly text, which is not loaded",
        None => "it does not begin like one",
    };
    Err(Problem::NotComponent { reason: reason.to_owned() })
}

fn check_exports(engine: &Engine, component: &Component) -> Result<(), Problem> {
    let exported: Vec<_> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    let mut handlers = exported.iter().filter(|name| is_interface(name, HANDLER)).peekable();
    let Some(first) = handlers.peek().map(|name| (*name).clone()) else {
        let expected = format!("{HANDLER}@{}", VERSIONS[0]);
        return Err(Problem::NoHandler { expected, found: Names(exported) });
    };
    let known: Vec<_> = VERSIONS.iter().map(|version| format!("{HANDLER}@{version}")).collect();
    if handlers.any(|name| known.contains(name)) {
        return Ok(());
    }
    Err(Problem::Version { found: first, known: Names(known) })
}

fn is_interface(name: &str, interface: &str) -> bool {
    name.split_once('@').map_or(name, |(before, _)| before) == interface
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), Problem> {
    let imported = component.component_type();
    let refused: Vec<_> =
        imported.imports(engine).map(|(name, _)| name.to_owned()).filter(|name| !imports::is_allowed(name)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let advice = if refused.iter().any(|name| name.starts_with("wasi:")) {
        "build it without WASI, as the SDK of its language does (for Rust: target `wasm32-unknown-unknown`)"
    } else if refused.iter().any(|name| name.starts_with("forebay:handler/")) {
        "build it against the WIT package `forebay:handler@0.1.0`, or update the host"
    } else {
        "take these imports out: a handler is a pure function of one message"
    };
    Err(Problem::Imports { refused: Names(refused), advice })
}

/// Everything it imports by name is there, but not with these functions and types.
fn unlinked(error: &wasmtime::Error) -> Problem {
    Problem::Link { reason: format!("{error:#}") }
}

fn shape(error: &wasmtime::Error) -> Problem {
    Problem::Shape { interface: format!("{HANDLER}@{}", VERSIONS[0]), reason: format!("{error:#}") }
}

fn not_started(error: StartError, plugin: &settings::Plugin) -> Problem {
    match error {
        StartError::Shape(reason) => Problem::Shape { interface: format!("{HANDLER}@{}", VERSIONS[0]), reason },
        StartError::Memory => Problem::Memory { limit: plugin.limits.memory },
        StartError::Init { code, message } => Problem::Init { code, message, is_trap: false },
        StartError::Fault(fault) => Problem::Init { code: fault.code, message: fault.message, is_trap: true },
        StartError::Host(error) => Problem::Host { reason: error.to_string() },
    }
}

/// Writes bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
