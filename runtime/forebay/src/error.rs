//! What ends a command, and what the operator must do about it.

use std::process::ExitCode;

use forebay_core::verdict::Cause;

/// What the operator must do about an [`Error`]. The order is that of precedence, where several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The manifest, the command line or the environment is wrong: mend it and start again.
    Config,
    /// A plugin is refused: replace it.
    Plugin,
    /// Kafka or a sink is out of reach: try again.
    Unavailable,
    /// A bug in the runtime: please report it.
    Internal,
    /// The command can not be used so.
    Usage,
}

/// What ends a command: sentences for people, one for each thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}", .sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join("\n"))]
pub struct Error {
    kind: ErrorKind,
    sentences: Vec<Sentence>,
}

/// One thing that is wrong, in one form everywhere: what, where, why, and behind a semicolon what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What a person reads.
    pub text: String,
    /// The statement or command that mends it, where there is one.
    pub statement: Option<String>,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Config, Self::Plugin, Self::Unavailable, Self::Internal, Self::Usage];

    /// Returns the name that one process tells another.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Plugin => "plugin",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::Usage => "usage",
        }
    }

    /// Returns the exit status, after sysexits(3).
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage => 2,
            Self::Plugin => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Config => 78,
        })
    }
}

impl Error {
    /// Returns an error of one sentence.
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentences: vec![Sentence { text: sentence.into(), statement: None }] }
    }

    /// Returns what an adapter found.
    pub fn of_cause(kind: ErrorKind, cause: Cause) -> Self {
        let Cause { message: text, statement, .. } = cause;
        Self { kind, sentences: vec![Sentence { text, statement }] }
    }

    /// Adds the statement or command that mends it.
    #[must_use]
    pub fn with_statement(mut self, statement: String) -> Self {
        if let Some(sentence) = self.sentences.last_mut() {
            sentence.statement = Some(statement);
        }
        self
    }

    /// Returns what is to be done.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the sentences.
    pub fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// Adds what else is wrong; the kind that goes first decides.
    pub fn join(errors: Vec<Self>) -> Option<Self> {
        let kind = errors.iter().map(|error| error.kind).min()?;
        let sentences = errors.into_iter().flat_map(|error| error.sentences).collect();
        Some(Self { kind, sentences })
    }
}
