//! Why a message, or a configuration, can not be handled; and how every error becomes that.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Display};

/// What a handler returns: `Result<Outcome>`. The error rejects the message.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The code of what can not be read: bad JSON, text that is not UTF-8, a missing field.
pub(crate) const MALFORMED: &str = "malformed";

/// The code of an error that nobody gave another one.
const FAILED: &str = "failed";

/// Why something can not be done. From a handler it makes a dead letter, from an `init` it keeps the binding from starting.
///
/// Every error becomes one by `?`: with the code `malformed` where text could not be read (JSON, UTF-8, numbers), else
/// `failed`. [`ResultExt::reject`] gives it a code of your own. Like other catch-all error types it is no
/// [`std::error::Error`] itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Short and of few distinct values: a metric's label and a dead letter's header.
    pub code: String,
    /// For people: what is wrong, where, and what was expected.
    pub message: String,
}

/// Makes a failure with a code of your own: `return Err(reject("unknown-currency", format!("no rate for {currency}")))`.
pub fn reject(code: impl Into<String>, message: impl Into<String>) -> Failure {
    Failure {
        code: code.into(),
        message: message.into(),
    }
}

/// Gives an error a code of your own before `?` takes it.
pub trait ResultExt<T> {
    /// Turns the error into a failure with this code; the message is the error's.
    ///
    /// # Errors
    /// Where `self` is one.
    fn reject(self, code: &str) -> Result<T>;

    /// Turns the error into a failure with this code; the message is `message: the error's`.
    ///
    /// # Errors
    /// Where `self` is one.
    fn reject_with(self, code: &str, message: impl Display) -> Result<T>;
}

/// Gives a missing value a code of your own before `?` takes it.
pub trait OptionExt<T> {
    /// Turns `None` into a failure.
    ///
    /// # Errors
    /// Where `self` is `None`.
    fn or_reject(self, code: &str, message: impl Display) -> Result<T>;
}

impl<T, E: Into<Failure>> ResultExt<T> for std::result::Result<T, E> {
    fn reject(self, code: &str) -> Result<T> {
        self.map_err(|error| reject(code, error.into().message))
    }

    fn reject_with(self, code: &str, message: impl Display) -> Result<T> {
        self.map_err(|error| reject(code, format!("{message}: {}", error.into().message)))
    }
}

impl<T> OptionExt<T> for Option<T> {
    fn or_reject(self, code: &str, message: impl Display) -> Result<T> {
        self.ok_or_else(|| reject(code, message.to_string()))
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if is_about_reading(&error) { MALFORMED } else { FAILED };
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        reject(code, message)
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

fn is_about_reading(error: &dyn Any) -> bool {
    error.is::<serde_json::Error>()
        || error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf8Error>()
        || error.is::<std::num::ParseIntError>()
        || error.is::<std::num::ParseFloatError>()
        || error.is::<std::str::ParseBoolError>()
        || error.is::<crate::InvalidDecimal>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_number_is_malformed() {
        let failure = Failure::from("x".parse::<i32>().unwrap_err());
        assert_eq!(failure, reject("malformed", "invalid digit found in string"));
    }

    #[test]
    fn any_other_error_is_failed_and_tells_its_causes() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl Display for Outer {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the quantity is no number")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let failure = Failure::from(Outer("x".parse::<i32>().unwrap_err()));
        assert_eq!(
            failure,
            reject("failed", "the quantity is no number: invalid digit found in string")
        );
    }

    #[test]
    fn a_code_of_ones_own_replaces_the_default() {
        let failure = "x".parse::<i32>().reject_with("bad-quantity", "quantity").unwrap_err();
        assert_eq!(
            failure,
            reject("bad-quantity", "quantity: invalid digit found in string")
        );
        assert_eq!(
            None::<i32>.or_reject("no-rate", "no rate").unwrap_err(),
            reject("no-rate", "no rate")
        );
        let failure = Err::<(), _>(reject("a", "why")).reject("b").unwrap_err();
        assert_eq!(failure, reject("b", "why"));
    }
}
