//! The SQL adapter: the only crate that knows SQL clients. It keeps ledger, outbox and rows in one transaction, and
//! answers every failure with one verdict.

pub mod failpoint;
pub mod postgres;

pub use postgres::{AcquireRequest, Committed, LaneKey, Postgres, WriteContext};
