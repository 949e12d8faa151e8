//! How long a study takes: whole, or a tenth of it to see whether it works.

use std::time::Duration;

/// Whole or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// What figures are taken from.
    Whole,
    /// A tenth of the records and of the time; figures of it say nothing.
    Short,
}

impl Scale {
    const TENTH: u32 = 10;

    /// Returns how many records, or samples, of so many.
    pub(crate) fn count(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Short => whole / Self::TENTH as usize,
        }
    }

    /// Returns how long of so long.
    pub(crate) fn time(self, whole: Duration) -> Duration {
        match self {
            Self::Whole => whole,
            Self::Short => whole / Self::TENTH,
        }
    }

    /// Returns how many rounds of so many.
    pub(crate) fn rounds(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Short => 1,
        }
    }
}
