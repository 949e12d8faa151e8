//! Groups and lanes at work: the shells around what the core decides.

mod acquire;
mod binding;
mod compute;
mod consumers;
mod fetched;
mod observer;
mod positions;
mod registry;
mod report;
mod room;
mod runner;
mod send;
mod shell;
mod terminal;
mod topics;
mod write;

pub use binding::{Binding, Needs};
pub use consumers::{Consumers, Parts, host_name};
pub use observer::{Ended, Observer, Published, Terminal};
pub use registry::Registry;
pub use runner::Runner;
