//! Policies answer; only the lane waits. All of them are pure: no clock, no I/O, no randomness of their own.

pub mod alike;
pub mod backoff;
pub mod breaker;
pub mod decide;
pub mod fair;
pub mod flood;
pub mod governor;
pub mod rate;
