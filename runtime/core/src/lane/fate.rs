//! The terminal state of a record: exactly one for every offset.

use std::borrow::Cow;

use crate::fault::{Class, Fault};
use crate::outcome::{Effect, Failure, Handled, Outcome};

/// How a handler's own code may look in a label and a header.
const CODE_MAX: usize = 64;

/// A record's terminal state.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate<'a> {
    /// Its effects are applied.
    Applied(&'a [Effect]),
    /// The handler ignored it.
    Skipped(&'a str),
    /// It is a dead letter.
    DeadLettered(Cow<'a, Fault>),
}

impl Fate<'_> {
    /// Returns the name that metrics use.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::Skipped(_) => "skipped",
            Self::DeadLettered(_) => "dead-lettered",
        }
    }
}

/// Says what becomes of a record that the plugin handled and the database took or refused.
pub fn fate<'a>(handled: &'a Handled, refused: Option<&'a Fault>) -> Fate<'a> {
    match (&handled.result, refused) {
        (_, Some(fault)) | (Err(fault), None) => Fate::DeadLettered(Cow::Borrowed(fault)),
        (Ok(Outcome::Ok(effects)), None) => Fate::Applied(effects),
        (Ok(Outcome::Skip(reason)), None) => Fate::Skipped(reason),
        (Ok(Outcome::Reject(failure)), None) => Fate::DeadLettered(Cow::Owned(rejected(failure))),
    }
}

fn rejected(failure: &Failure) -> Fault {
    let code: String = failure.code.chars().filter(|letter| !letter.is_control()).take(CODE_MAX).collect();
    let code = if code.is_empty() { "rejected".to_owned() } else { code };
    Fault { class: Class::Rejected, code, message: failure.message.clone(), site: String::new() }
}
