//! A WebAssembly-pluggable Kafka consumer runtime.
