//! `forebay plugin test` and `bench`: a handler by itself. Samples go in, outcomes come out as values; they are compared with
//! what is expected, with themselves in other instances and other orders, and counted against the clock.

mod bench;
mod golden;
mod ground;
mod purity;
mod sample;
mod spelled;
mod test;

pub use bench::{Figures, Measured, bench};
pub use golden::Expected;
pub use purity::Violation;
pub use test::{Report, Wish, test};
