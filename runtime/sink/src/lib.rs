//! The SQL adapter: the only crate that knows SQL clients.
