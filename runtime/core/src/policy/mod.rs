//! Policies answer; only the lane waits. All of them are pure: no clock, no I/O, no randomness of their own.

pub mod alike;
pub mod backoff;
pub mod decide;
pub mod flood;
