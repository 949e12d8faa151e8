//! The Kafka adapter: the only crate that knows rdkafka.
//!
//! A [`Group`] is one consumer group: a thread that polls and never waits for a handler or a database, and gives each
//! assigned partition's records to a [`Feed`]. A [`Producer`] sends and answers once all replicas have acknowledged.
//! [`Admin`] asks questions. A [`Scan`] reads what a topic holds, outside of every group. None of librdkafka's types leave
//! this crate, and `unsafe` stays in `raw`.

mod admin;
mod commands;
mod commits;
mod config;
mod error;
mod event;
mod feed;
mod group;
pub mod mock;
mod producer;
mod raw;
mod reader;
mod scan;
mod verdict;
mod watermarks;

pub use admin::{Admin, TopicFacts};
pub use error::{Error, Kind};
pub use event::{Assigned, Commit, Committed, Fetched, GroupEvent, Partition, Start, StopCause};
pub use feed::Feed;
pub use group::{Group, GroupSettings};
pub use producer::{Landed, Outgoing, Producer, SendError};
pub use scan::{Progress, Scan, Stretch};
pub use verdict::{Code, Mend, Verdict, verdict};
pub use watermarks::Watermark;
