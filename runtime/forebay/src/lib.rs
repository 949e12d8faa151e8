//! Forebay: ties core and adapters together. The binary is a thin shell over this library.

pub mod admin;
pub mod app;
pub mod cli;
pub mod consumer;
pub mod dev;
pub mod error;
pub mod host;
pub mod load;
pub mod metrics;
pub(crate) mod paint;
pub mod project;
pub mod proof;
pub mod reloader;
pub(crate) mod samples;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod watch;
pub mod watchdog;
