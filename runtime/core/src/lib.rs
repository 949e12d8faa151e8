//! Forebay's decisions: pure, without I/O, clock, async or randomness, so that simulation, property tests and fuzzing
//! reach them without building wasmtime or librdkafka.

pub mod budget;
pub mod fault;
pub mod outcome;
pub mod record;
