//! Scenarios against real servers and the real binary: one binary, so that it links once.

mod harness;
mod orders;
mod spine;
