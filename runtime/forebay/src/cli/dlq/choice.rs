//! Which letters, as it is written on the command line.

use std::str::FromStr;

use clap::Args;
use forebay_core::letter::Filter;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Which letters are meant.
#[derive(Debug, Clone, Args)]
pub(super) struct Choice {
    /// Only those that this binding wrote
    #[arg(id = "writer", long = "binding", value_name = "BINDING")]
    binding: Option<String>,
    /// Only this class of failures: rejected, trap, data, …
    #[arg(long)]
    class: Option<String>,
    /// Only this code
    #[arg(long)]
    code: Option<String>,
    /// Only this partition of the dead-letter topic
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Only this offset of the dead-letter topic
    #[arg(long, value_name = "M")]
    offset: Option<i64>,
    /// Only what failed since then: a time such as 2026-11-20T12:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
}

/// A time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Time(Timestamp),
    Ago(SignedDuration),
}

impl Choice {
    pub(super) fn filter(self, limit: Option<u64>) -> Filter {
        let Self { binding, class, code, partition, offset, since } = self;
        let since = since.map(|since| match since {
            Since::Time(time) => time,
            Since::Ago(ago) => Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN),
        });
        Filter { class, code, binding, partition, offset, since, limit, ..Filter::default() }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::Time(time));
        }
        let ago = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        match ago {
            Ok(ago) if !ago.is_negative() => Ok(Self::Ago(ago)),
            Ok(_) | Err(_) => Err("it is a time such as 2026-11-20T12:00:00Z, or how long ago, such as 2h".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let time = "2026-11-20T12:00:00Z".parse().unwrap();
        assert_eq!("2026-11-20T13:00:00+01:00".parse(), Ok(Since::Time(time)));
        for (text, seconds) in [("2h", 7200), ("90s", 90), ("7d", 604_800), ("1m", 60)] {
            assert_eq!(text.parse(), Ok(Since::Ago(SignedDuration::from_secs(seconds))), "{text}");
        }
        for wrong in ["", "yesterday", "-2h", "2", "2026-11-20"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
