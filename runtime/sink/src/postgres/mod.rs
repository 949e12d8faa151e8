//! PostgreSQL: a pool, the ledger and the outbox beside the rows, and the server's answers as verdicts.

mod acquire;
mod bind;
mod catalogue;
mod connection;
mod copy;
mod dial;
mod doubt;
mod flush;
mod function;
mod isolate;
mod join;
mod letters;
mod moves;
mod numeric;
mod part;
mod redriven;
mod rowwise;
mod schema;
mod sql;
mod tls;
mod url;
mod verdict;
mod version;
mod wanted;
mod watch;
mod write;

pub use connection::Postgres;
pub use schema::DDL;
pub use url::InvalidUrl;
