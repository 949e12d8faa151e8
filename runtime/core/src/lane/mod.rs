//! A lane: the worker of one assigned partition, as a state machine without I/O.

mod batch;
mod event;
mod fate;
mod judge;
mod machine;
mod outstanding;
pub mod position;
mod queue;

pub use event::{
    Acquired, Action, AfterDeath, Authority, Command, Event, Pending, Resend, Settings, Settled, State, Status, Stop,
    Write, Written,
};
pub use fate::{Fate, fate};
pub use judge::{Judge, Judgement};
pub use machine::Lane;
