//! A TCP proxy between the runtime and PostgreSQL: it passes bytes, refuses or swallows connections, and takes away the
//! answer to a COMMIT.
//!
//! It works on a thread of its own, so that a test that blocks does not hold it up. What is swallowed is lost: such a
//! connection never carries a byte again, and neither of its ends hears that the other one is gone.

mod connection;
mod handle;
mod search;
mod shared;

pub use handle::Proxy;
