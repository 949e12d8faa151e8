//! SQLite: one file, one thread that writes it, the ledger and the outbox beside the rows.

mod acquire;
mod bind;
mod catalogue;
mod connection;
mod decimal;
mod doubt;
mod file;
mod isolate;
mod letters;
mod moves;
mod redriven;
mod schema;
mod show;
mod sql;
mod verdict;
mod version;
mod wanted;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub use connection::Sqlite;
pub use schema::DDL;
