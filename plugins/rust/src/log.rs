//! Structured logging through the host, which adds binding, plugin and the message's place, and limits the rate.
//!
//! ```
//! use forebay_plugin::log;
//!
//! let (currency, amount) = ("XTS", "1.00");
//! log::info!("settled");
//! log::warn!(currency, amount = amount.len(), "no rate for {currency}");
//! ```
//!
//! Natively, lines go to standard error.

pub use crate::bindings::forebay::handler::log::Level;
#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

/// Writes a line, with names and values for machines. The macros of this module are shorter.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    send(level, message, &fields);
}

#[cfg(target_arch = "wasm32")]
fn send(level: Level, message: &str, fields: &[(String, String)]) {
    crate::bindings::forebay::handler::log::write(level, message, fields);
}

#[cfg(not(target_arch = "wasm32"))]
fn send(level: Level, message: &str, fields: &[(String, String)]) {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!(" {name}={value:?}"))
        .collect();
    eprintln!("{level:?} {message}{fields}");
}

/// What the macros share: optional fields (`name` or `name = value`), then a format string and its arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    (@field $name:ident) => { ::std::string::ToString::to_string(&$name) };
    (@field $name:ident $value:expr) => { ::std::string::ToString::to_string(&$value) };
    ($level:ident; $($name:ident $(= $value:expr)?,)* $format:literal $($arguments:tt)*) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &::std::format!($format $($arguments)*),
            &[$((::std::stringify!($name), $crate::__log!(@field $name $($value)?).as_str())),*],
        )
    };
}

/// Writes a line of the level `trace`.
#[doc(hidden)]
#[macro_export]
macro_rules! __trace { ($($line:tt)+) => { $crate::__log!(Trace; $($line)+) }; }

/// Writes a line of the level `debug`.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug { ($($line:tt)+) => { $crate::__log!(Debug; $($line)+) }; }

/// Writes a line of the level `info`.
#[doc(hidden)]
#[macro_export]
macro_rules! __info { ($($line:tt)+) => { $crate::__log!(Info; $($line)+) }; }

/// Writes a line of the level `warn`.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn { ($($line:tt)+) => { $crate::__log!(Warn; $($line)+) }; }

/// Writes a line of the level `error`.
#[doc(hidden)]
#[macro_export]
macro_rules! __error { ($($line:tt)+) => { $crate::__log!(Error; $($line)+) }; }
