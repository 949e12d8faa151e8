//! The thin layer over librdkafka's C interface: everything that is `unsafe` in this crate, and nothing that decides.
//!
//! Messages, lists and events are read as bytes and integers. The client library's own wrapper is not used for them: it
//! panics on header names and commit metadata that are not UTF-8, loses the partition of a partition's error, and takes
//! error codes of newer brokers for values that its enumeration does not have.

mod admin;
mod client;
mod code;
mod consumer;
mod event;
mod list;
mod message;
mod mock;
mod produce;

pub(crate) use admin::topic_id;
pub(crate) use client::{Client, Role};
pub(crate) use code::describe_code;
pub(crate) use consumer::{Assignment, Protocol};
pub(crate) use event::{Event, EventKind, Queue, Waker};
pub(crate) use list::{BEGINNING, END, Item, NO_OFFSET};
pub(crate) use message::Message;
pub(crate) use mock::MockCluster;
pub(crate) use produce::{Delivery, Outbound};
