//! The plugin host of this process: its threads, its cache, and who compiles for it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use forebay_core::manifest::settings::Manifest;
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

/// Says whether this machine has the memory that handlers may take: one instance for each thread, as large as its limit, beside
/// everything that is buffered.
///
/// # Errors
/// Where it has not.
pub fn has_room(manifest: &Manifest) -> Result<(), Error> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    machine_memory().map_or(Ok(()), |memory| fits(manifest, threads, memory))
}

fn fits(manifest: &Manifest, threads: NonZeroUsize, memory: u64) -> Result<(), Error> {
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let threads = bytes(threads.get());
    let buffered = bytes(manifest.buffered_bytes);
    let mib = |bytes: u64| bytes >> 20;
    let too_large = manifest.plugins.iter().filter_map(|(name, plugin)| {
        let limit = bytes(plugin.limits.memory);
        let all = limit.saturating_mul(threads);
        (all.saturating_add(buffered) > memory).then(|| {
            let message = format!(
                "plugin `{name}`: `limits.memory` of {} MiB for each of {threads} threads is {} MiB, and with {} MiB of \
                 `limits.buffered-bytes` more than the {} MiB of this machine; lower one of them, or give the process more memory",
                mib(limit), mib(all), mib(buffered), mib(memory)
            );
            Error::new(ErrorKind::Config, message)
        })
    });
    Error::join(too_large.collect()).map_or(Ok(()), Err)
}

/// Returns the memory that this process may use: the machine's, or less where a control group says so.
fn machine_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
    });
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = groups.into_iter().filter_map(|path| read(path)?.trim().parse::<u64>().ok());
    limits.chain(total).min()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use forebay_core::manifest::{Origin, parse};
    use forebay_sink::Process;

    use super::*;

    #[test]
    fn handlers_may_not_have_more_than_the_machine() {
        let text = "manifest-version = 1\nkafka.bootstrap-servers = [\"k:9092\"]\nlimits.buffered-bytes = \"1GiB\"\n\
            [plugins.a]\ncomponent = \"a.wasm\"\nlimits = { memory = \"2GiB\" }\n\
            [[bindings]]\ntopic = \"t\"\ngroup = \"g\"\nplugin = \"a\"\ndead-letter = \"drop\"\n";
        let manifest = parse(text, &Origin::new("forebay.toml", Path::new("")), &Process).unwrap();
        let threads = |threads| NonZeroUsize::new(threads).unwrap();
        assert!(fits(&manifest, threads(2), 5 << 30).is_ok());
        let said = fits(&manifest, threads(4), 5 << 30).unwrap_err().to_string();
        assert!(said.contains("plugin `a`: `limits.memory` of 2048 MiB for each of 4 threads is 8192 MiB"), "{said}");
        assert!(machine_memory().is_some_and(|memory| memory > 1 << 30));
    }
}
