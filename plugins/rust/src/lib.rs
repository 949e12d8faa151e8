//! Write a Forebay handler in Rust: one function of one message.
//!
//! A handler gets a [`Message`] and answers with an [`Outcome`]: rows to write and messages to publish, as values. It
//! does no I/O and sees no clock; Forebay does the reading, writing, retrying and committing around it.
//!
//! ```
//! use forebay_plugin::prelude::*;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Payment {
//!     id: String,
//!     amount: Decimal,
//!     paid_at: i64,
//! }
//!
//! fn handle(message: &Message) -> Result<Outcome> {
//!     if message.is_tombstone() {
//!         return Ok(skip("tombstone"));
//!     }
//!     let payment: Payment = message.json()?;
//!     let row = Row::new("payments")
//!         .set("id", payment.id)
//!         .set("amount", payment.amount)
//!         .set("paid_at", Timestamp::from_millis(payment.paid_at));
//!     Ok(apply().upsert(row))
//! }
//!
//! forebay_plugin::handler!(handle);
//! # fn main() {}
//! ```
//!
//! Natively the same function is plain Rust: call it from a `#[test]` with a [`Message`] made by hand.

#[doc(hidden)]
pub mod bindings;
mod columns;
mod decimal;
mod failure;
#[doc(hidden)]
pub mod guest;
pub mod log;
mod message;
pub mod metrics;
mod outcome;
mod publish;
mod row;
mod timestamp;
mod value;

pub use bindings::forebay::handler::types::{Column, Effect, Header, Message, Publish, Row, Value};
pub use decimal::{Decimal, InvalidDecimal};
pub use failure::{Failure, OptionExt, Result, ResultExt, reject};
pub use outcome::{Outcome, apply, skip};
#[doc(no_inline)]
pub use serde_json;
pub use timestamp::Timestamp;
pub use value::json;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What a handler's file needs: `use forebay_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Decimal, Failure, Message, OptionExt, Outcome, Publish, Result, ResultExt, Row, Timestamp, Value, apply, json,
        log, metrics, reject, skip,
    };
}

/// Makes a component of a function.
///
/// - `handler!(handle)`: `fn handle(&Message) -> Result<Outcome>`.
/// - `handler!(handle, config = Settings)`: `fn handle(&Message, &Settings) -> Result<Outcome>`, where `Settings` is
///   read from the plugin's `config` table in the manifest. A table that does not fit keeps the binding from starting.
/// - `handler!(handle, init = open)`: `fn open(Settings) -> Result<State>` turns the table into whatever the handler
///   wants to have ready, once per instance; `fn handle(&Message, &State) -> Result<Outcome>`.
///
/// Once per component.
#[macro_export]
macro_rules! handler {
    ($handle:path) => {
        $crate::handler!(@export |_config: &str| {
            Ok(Box::new(|message: &$crate::Message| $handle(message)) as $crate::guest::Handle)
        });
    };
    ($handle:path, config = $config:ty) => {
        $crate::handler!(@export |config: &str| {
            let state: $config = $crate::guest::config(config)?;
            Ok(Box::new(move |message: &$crate::Message| $handle(message, &state)) as $crate::guest::Handle)
        });
    };
    ($handle:path, init = $init:path) => {
        $crate::handler!(@export |config: &str| {
            let state = $init($crate::guest::config(config)?)?;
            Ok(Box::new(move |message: &$crate::Message| $handle(message, &state)) as $crate::guest::Handle)
        });
    };
    (@export $start:expr) => {
        const _: () = {
            struct Component;

            impl $crate::guest::Component for Component {
                fn start(config: &str) -> $crate::Result<$crate::guest::Handle> {
                    let start: fn(&str) -> $crate::Result<$crate::guest::Handle> = $start;
                    start(config)
                }
            }

            // Natively nothing calls the component; naming it keeps the handler's types checked and its code alive.
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn(&str) -> $crate::Result<$crate::guest::Handle> = <Component as $crate::guest::Component>::start;

            #[cfg(target_arch = "wasm32")]
            type Exported = $crate::guest::Exported<Component>;
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export_handler!(Exported with_types_in $crate::bindings);
        };
    };
}
