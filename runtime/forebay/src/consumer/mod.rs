//! Groups and lanes at work: the shells around what the core decides.

mod acquire;
mod binding;
mod compute;
mod fetched;
mod registry;
mod runner;
mod send;
mod shell;
mod terminal;
mod topics;
mod write;

pub use binding::{Binding, Needs};
pub use registry::Registry;
pub use runner::Runner;
