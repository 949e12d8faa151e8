//! The engine with its settings, and the thread that moves its epoch.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::warn;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use crate::error::HostError;
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

/// How often the watch looks at a running guest.
const TICK: Duration = Duration::from_millis(5);
/// The most frames of a guest's backtrace.
const BACKTRACE_FRAMES: Option<NonZeroUsize> = NonZeroUsize::new(20);
/// How many live instances a worker may hold: those it keeps for reuse, the one that runs, and one more.
const INSTANCES_PER_WORKER: usize = crate::worker::KEPT_MAX + 2;

/// Returns an engine for `threads` workers.
///
/// Instances live in a pool of reserved address space. Where so much can not be reserved (a limit on virtual memory, a
/// small machine), each instance is mapped when it is made, which costs some ten microseconds a batch.
pub(crate) fn engine(threads: NonZeroUsize) -> Result<Engine, HostError> {
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            warn!(
                error = format!("{error:#}"),
                "no address space for a pool of instances; each one is mapped when it is made"
            );
            let mut config = settings();
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(|error| HostError::Engine { reason: format!("{error:#}") })
        }
    }
}

/// Returns an engine that only compiles: what it makes runs in every engine of this program, and it reserves nothing.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}

fn settings() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift).cranelift_opt_level(OptLevel::Speed);
    config.wasm_component_model(true);
    // The largest single setting: 17 % of a JSON handler's time, 35 % of an empty one's.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // The same message has the same outcome on every machine.
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    config.wasm_threads(false).wasm_memory64(false).wasm_gc(false);
    config.wasm_backtrace_max_frames(BACKTRACE_FRAMES);
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config.max_wasm_stack(512 << 10);
    // An interpreter's heap image is larger than the default of 16 MiB.
    config.memory_init_cow(true).memory_guaranteed_dense_image_size(32 << 20);
    config
}

fn pool(threads: NonZeroUsize) -> PoolingAllocationConfig {
    // A few more than the workers need: `load` starts an instance of its own.
    let instances = threads.get().saturating_mul(INSTANCES_PER_WORKER).saturating_add(4);
    let instances = u32::try_from(instances).unwrap_or(u32::MAX).min(4_096);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(16))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        // The proposal is off; a module that only mentions references still asks for one.
        .total_gc_heaps(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(2)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(512 << 10)
        .max_unused_warm_slots(instances)
        .decommit_batch_size(16)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The thread that moves the engine's epoch until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    stopped: Arc<AtomicBool>,
    /// Taken when it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("plugin-ticker".to_owned()).spawn({
            let (engine, stopped) = (engine.clone(), Arc::clone(&stopped));
            move || {
                while !stopped.load(Ordering::Acquire) {
                    thread::park_timeout(TICK);
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { stopped, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                warn!("the plugin ticker ended in a panic");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn hash(engine: &Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn compiles_for_every_engine_alike() {
        assert_eq!(hash(&compiling().unwrap()), hash(&engine(NonZeroUsize::MIN).unwrap()));
    }
}
