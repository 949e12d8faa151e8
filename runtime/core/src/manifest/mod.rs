//! The manifest: text in, settings out, every error at once and with its place.
//!
//! `parse` walks the spanned tree that the `toml` crate makes. It does no I/O of its own: `${env:…}` and `${file:…}` are
//! looked up through an [`Environment`].

mod admin;
mod binding;
mod config;
pub mod defaults;
pub mod difference;
mod error;
mod kafka;
mod links;
mod node;
mod origin;
mod parse;
mod plugin;
mod property;
mod reader;
mod reference;
mod refused;
mod schema;
mod secret;
mod section;
pub mod settings;
mod sink;
mod suggest;
mod target;
#[cfg(test)]
mod tests;
mod units;

pub use defaults::DEFAULT_MANIFEST;
pub use error::{Errors, Problem};
pub use origin::{Environment, Origin};
pub use parse::parse;
