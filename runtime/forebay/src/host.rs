//! The plugin host of this process: its threads, its cache, and who compiles for it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use forebay_plugin_host::{Compiler, Host, HostSettings};

use crate::error::{Error, ErrorKind};

/// Starts the plugin host with a thread for each core.
///
/// # Errors
/// Where the machine does not allow it.
pub fn start() -> Result<Host, Error> {
    start_with(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN), cache_dir())
}

/// Starts the plugin host with so many threads and this folder for what it compiles.
///
/// # Errors
/// Where the machine does not allow it.
pub fn start_with(threads: NonZeroUsize, cache_dir: Option<PathBuf>) -> Result<Host, Error> {
    let settings = HostSettings { threads, cache_dir, cache_bytes: HostSettings::CACHE_BYTES, compiler: compiler()? };
    Host::start(settings).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

/// Components are compiled by this program itself, as a process of its own: `forebay compile-component`.
fn compiler() -> Result<Compiler, Error> {
    // Stays this program while another version of it takes its place on disk.
    let program = if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() };
    let program = program.map_err(|error| Error::new(ErrorKind::Internal, format!("find this program: {error}")))?;
    Ok(Compiler::Process { program, arguments: vec!["compile-component".into()] })
}

/// Compiled components are kept where the system keeps caches.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the convention of the XDG base directories")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("forebay"))
}
