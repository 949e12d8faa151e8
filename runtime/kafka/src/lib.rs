//! The Kafka adapter: the only crate that knows rdkafka.
