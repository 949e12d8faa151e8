//! The adapter against librdkafka's in-process cluster.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    reason = "all of this is test code"
)]

mod group;
mod pressure;
mod producer;
mod scan;
mod support;
