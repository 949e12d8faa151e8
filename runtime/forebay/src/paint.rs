//! Colour, where a terminal reads along.

use std::io::IsTerminal as _;

/// How text is marked: with colour, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// With terminal colours.
    Colour,
    /// As it is.
    Plain,
}

impl Paint {
    /// Returns what standard output takes.
    pub(crate) fn of_stdout() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the convention of no-color.org")]
        let is_wanted = std::env::var("NO_COLOR").map_or(true, |value| value.is_empty());
        if std::io::stdout().is_terminal() && is_wanted { Self::Colour } else { Self::Plain }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.mark("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.mark("2", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.mark("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.mark("33", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.mark("31", text)
    }

    fn mark(self, code: &str, text: &str) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}
