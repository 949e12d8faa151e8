//! The adapter against librdkafka's in-process cluster.

mod group;
mod pressure;
mod producer;
mod support;
