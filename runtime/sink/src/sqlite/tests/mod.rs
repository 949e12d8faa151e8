//! Tests against real files, each in a folder of its own.

mod catalogue;
mod ledger;
mod letters;
mod oracle;
mod rows;
mod stage;
mod two;
mod watch;
