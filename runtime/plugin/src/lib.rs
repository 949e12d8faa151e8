//! The plugin host: the only crate that knows wasmtime.
