//! The harness: Forebay as the outside sees it, with real servers and the real binary.
//!
//! A scenario starts servers ([`kafka`], [`postgres`]), writes a [`manifest`], produces records and remembers what the
//! broker acknowledged ([`producer`]), runs and kills the binary ([`forebay`]), waits for conditions and never for time
//! ([`wait`]), and in the end lets the [`oracle`] compare what went in with what came out.
//!
//! Everything it starts lives in `target/tmp`, listens below the kernel's ephemeral ports, and dies with the test
//! process, however that ends.

pub mod forebay;
pub mod groups;
pub mod http;
pub mod kafka;
pub mod location;
pub mod manifest;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod oracle;
pub mod place;
pub mod pooler;
pub mod port;
pub mod postgres;
pub mod process;
pub mod producer;
pub mod proxy;
pub mod reader;
pub mod record;
pub mod scratch;
pub mod throttle;
pub mod tools;
pub mod wait;
