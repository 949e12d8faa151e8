//! The SQL adapter: the only crate that knows SQL clients. It keeps ledger, outbox and rows in one transaction, and
//! answers every failure with one verdict.

pub mod failpoint;
pub mod postgres;
pub mod sqlite;
pub mod statement;

mod change;
mod committed;
mod database;
mod kept;
mod ledger;
mod moves;
mod named;
mod position;
mod process;
mod redriven;
mod table;
mod version;
mod wanted;

pub use change::Change;
pub use committed::{Committed, WriteContext};
pub use database::{Database, InvalidSink};
pub use ledger::{AcquireRequest, LaneKey};
pub use moves::{Move, PositionRow};
pub use postgres::Postgres;
pub use process::Process;
pub use redriven::{Redriven, Unsent};
pub use sqlite::Sqlite;
pub use table::TableReport;
pub use version::VersionAt;
pub use wanted::{BindingKey, Pause, Wanted, Wish};
