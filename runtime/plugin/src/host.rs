//! The host: the engine, its ticker, its workers and its loader. One per process.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use forebay_core::manifest::settings;
use parking_lot::Mutex;

use crate::cache::Cache;
use crate::compile::Compiler;
use crate::engine::{self, Ticker};
use crate::error::{HandleError, HostError, LoadError};
use crate::imports;
use crate::job::Job;
use crate::loader::Loader;
use crate::plugin::Plugin;
use crate::pool::Pool;
use forebay_core::outcome::Handled;

/// The engine, its worker threads and its epoch ticker; one per process.
///
/// Dropping it interrupts what runs and waits for the workers, which takes a few milliseconds.
pub struct Host {
    /// Ends first: while its workers stop, the ticker has to go on.
    pool: Pool,
    _ticker: Ticker,
    /// One load at a time: compiling is parallel in itself, and the pool has few slots beside the workers'.
    loader: Mutex<Loader>,
}

/// How a [`Host`] is set up.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// How many handlers run at the same time.
    pub threads: NonZeroUsize,
    /// The folder of the compile cache; without one nothing is kept on disk.
    pub cache_dir: Option<PathBuf>,
    /// How large it grows before what was unused for longest goes; [`HostSettings::CACHE_BYTES`] for most.
    pub cache_bytes: u64,
    /// Where components are compiled.
    pub compiler: Compiler,
}

impl HostSettings {
    /// Room for a dozen versions of an interpreter's component, or hundreds of others.
    pub const CACHE_BYTES: u64 = 1 << 30;
}

impl Host {
    /// Starts the engine and its threads.
    ///
    /// # Errors
    ///
    /// Fails where the engine refuses its settings or there is no thread to be had.
    pub fn start(settings: HostSettings) -> Result<Self, HostError> {
        let HostSettings { threads, cache_dir, cache_bytes, compiler } = settings;
        let engine = engine::engine(threads)?;
        let linker = imports::linker(&engine).map_err(|error| HostError::Engine { reason: format!("{error:#}") })?;
        let stopping = Arc::new(AtomicBool::new(false));
        let ticker = Ticker::start(&engine).map_err(|error| HostError::Thread { error })?;
        let pool = Pool::start(threads, Arc::clone(&stopping)).map_err(|error| HostError::Thread { error })?;
        let cache = cache_dir.and_then(|folder| Cache::open(folder, cache_bytes));
        let loader = Loader { engine, linker, cache, compiler, stopping };
        Ok(Self { pool, _ticker: ticker, loader: Mutex::new(loader) })
    }

    /// Reads and checks a component, compiles it in a process of its own or takes it from the cache, and runs its `init`
    /// once. Blocks meanwhile, for seconds where an interpreter is compiled.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file, the component or its configuration.
    pub fn load(&self, plugin: &settings::Plugin) -> Result<Arc<Plugin>, LoadError> {
        self.loader.lock().load(plugin).map(Arc::new)
    }

    /// Queues one batch; the answer comes when a worker has computed it: one [`Handled`] for each record of the range,
    /// in its order.
    ///
    /// Dropping the future drops the job.
    ///
    /// # Errors
    ///
    /// Fails only for reasons that are no record's fault.
    pub async fn handle(&self, plugin: &Arc<Plugin>, job: Job) -> Result<Vec<Handled>, HandleError> {
        self.pool.handle(Arc::clone(plugin), job).await
    }
}
