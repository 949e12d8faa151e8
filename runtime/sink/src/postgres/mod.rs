//! PostgreSQL: a pool, the ledger and the outbox beside the rows, and the server's answers as verdicts.

mod acquire;
mod bind;
mod catalogue;
mod connection;
mod flush;
mod isolate;
mod schema;
mod sql;
mod tls;
mod url;
mod verdict;
mod write;

pub use acquire::AcquireRequest;
pub use catalogue::TableReport;
pub use connection::Postgres;
pub use schema::DDL;
pub use url::InvalidUrl;
pub use write::{Committed, WriteContext};

/// A partition's key in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// `kafka.name` of the manifest.
    pub source: String,
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}
