//! Forebay's decisions: pure, without I/O, clock, async or randomness, so that simulation, property tests and fuzzing
//! reach them without building wasmtime or librdkafka.

pub mod budget;
pub mod dead_letter;
pub mod fault;
pub mod lane;
pub mod letter;
pub mod manifest;
pub mod outbox;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod record;
pub mod records;
pub mod verdict;
