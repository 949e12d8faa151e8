//! Commands that have a name and a meaning but are not built yet: refused with a sentence, never ignored.

use clap::Subcommand;

use crate::error::{Error, ErrorKind};

#[derive(Debug, clap::Args)]
pub(super) struct Rest {
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What runs (not built yet; ask http://127.0.0.1:9464/status)
    Status(Rest),
    /// How far behind (not built yet; ask http://127.0.0.1:9464/status)
    Lag(Rest),
    /// Why a partition does not move (not built yet; ask http://127.0.0.1:9464/status)
    Why(Rest),
    /// Shell completions (not built yet)
    Completions(Rest),
}

impl Command {
    pub(super) fn refuse(&self) -> Error {
        let (name, Rest { rest }) = match self {
            Self::Status(rest) => ("status", rest),
            Self::Lag(rest) => ("lag", rest),
            Self::Why(rest) => ("why", rest),
            Self::Completions(rest) => ("completions", rest),
        };
        let words: Vec<&str> = ["forebay", name].into_iter().chain(rest.iter().map(String::as_str)).collect();
        refuse(&format!("`{}`", words.join(" ")))
    }
}

pub(super) fn refuse(what: &str) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!(
            "{what} is not built yet; this version has `run`, `dev`, `check`, `init`, `reload`, `position`, `pause`, \
             `resume`, `dlq list`, `dlq show`, `dlq redrive`, `plugin new`, `plugin build`, `plugin inspect`, `plugin test`, \
             `plugin bench` and `version`"
        ),
    )
}
