//! Scenarios against real servers and the real binary: one binary, so that it links once.

mod alike;
mod harness;
mod letters;
mod orders;
mod poison;
mod spine;
