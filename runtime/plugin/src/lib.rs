//! The plugin host: runs handlers as WebAssembly components. The only crate that knows wasmtime, and no type of it is
//! in the public interface.
//!
//! A [`Host`] owns the engine, its worker threads and its clock. [`Host::load`] makes a [`Plugin`] of a component:
//! checked, compiled in a process of its own (or taken from the cache) and initialised once, so that what is wrong with it is
//! known before the first record. [`Host::handle`] runs one [`Job`], a range of records, on one worker, synchronously,
//! one call per record. What goes wrong inside the guest is a [`Fault`](forebay_core::fault::Fault) of exactly one record;
//! what goes wrong around it is a [`HandleError`], which convicts no record.

mod assembly;
mod bindings;
pub mod builtin;
mod cache;
mod clock;
pub mod compile;
mod convert;
mod engine;
mod error;
mod host;
mod imports;
mod instance;
mod job;
mod limits;
mod loader;
mod log;
mod metrics;
#[cfg(feature = "native")]
pub mod native;
mod plugin;
mod pool;
mod queue;
mod trap;
mod watch;
mod worker;

pub use compile::{CompileError, Compiler};
pub use error::{HandleError, HostError, LoadError, LoadErrorKind, Names, Problem};
pub use host::{Host, HostSettings};
pub use job::{Check, Job};
pub use metrics::{Histogram, MetricsSnapshot};
pub use plugin::Plugin;

#[cfg(test)]
mod tests;
