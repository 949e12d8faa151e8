//! What can go wrong here, and what the operator must do about it.

use forebay_core::verdict::{Cause, Reason};

use crate::verdict::{Code, Verdict, verdict};

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Kafka is out of reach or busy: try again.
    Unavailable,
    /// Manifest or cluster must be mended; the text says how.
    Configuration,
    /// The client is at its end.
    Fatal,
}

/// An error of Kafka or its client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: Kind,
    code: Option<Code>,
    text: String,
}

impl Error {
    /// Returns what to do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the code behind it, if there is one.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// Says to a lane whose fault it is: never a record's.
    pub fn verdict(&self) -> forebay_core::verdict::Verdict {
        let cause = Cause::new(Reason::Kafka, self.to_string());
        match self.kind {
            Kind::Unavailable | Kind::Fatal => forebay_core::verdict::Verdict::Unavailable(cause),
            Kind::Configuration => forebay_core::verdict::Verdict::Misconfigured(cause),
        }
    }

    /// Returns the error of a call that did `what` and ended with `code`.
    pub(crate) fn of(what: &str, code: i32, text: &str) -> Self {
        let code = Code(code);
        let (kind, advice) = match verdict(code) {
            Verdict::Configuration(mend) => (Kind::Configuration, Some(mend.advice())),
            Verdict::Fatal => (Kind::Fatal, None),
            Verdict::Fine | Verdict::Message | Verdict::Unavailable | Verdict::Fenced | Verdict::Unreadable => {
                (Kind::Unavailable, None)
            }
        };
        let text = match advice {
            Some(advice) => format!("{what}: {text} ({code}); {advice}"),
            None => format!("{what}: {text} ({code})"),
        };
        Self { kind, code: Some(code), text }
    }

    /// Returns an error that only another manifest mends.
    pub(crate) fn configuration(text: impl Into<String>) -> Self {
        Self { kind: Kind::Configuration, code: None, text: text.into() }
    }

    /// Returns an error that trying again may mend.
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, code: None, text: text.into() }
    }

    /// Returns an error that ends its client.
    pub(crate) fn fatal(text: impl Into<String>) -> Self {
        Self { kind: Kind::Fatal, code: None, text: text.into() }
    }
}
