//! Groups and lanes at work: the shells around what the core decides.

mod access;
mod acquire;
mod binding;
mod compute;
mod consumers;
mod doubt;
mod fetched;
mod heard;
mod join;
mod live;
mod observer;
mod pace;
mod positions;
mod reach;
mod reload;
mod report;
mod room;
mod runner;
pub mod send;
mod shell;
mod steering;
mod surroundings;
mod terminal;
mod topics;
mod wanted;
mod write;

pub use access::{Access, Accesses};
pub use binding::{Binding, Needs, Prepared};
pub use consumers::{Consumers, Parts, host_name};
pub use live::Live;
pub use observer::{Ended, Observer, Published, Terminal};
pub use pace::Pace;
pub use reload::Reload;
pub use runner::{Ground, Runner};
pub use steering::Steering;
