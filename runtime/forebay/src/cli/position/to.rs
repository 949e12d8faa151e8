//! Where a position is to go, as it is written on the command line.

use std::str::FromStr;

use jiff::Timestamp;

/// Where a position is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// The log's start.
    Earliest,
    /// The log's end.
    Latest,
    /// This offset.
    Offset(i64),
    /// The first record not older than this, in milliseconds since the Unix epoch.
    Time(i64),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match text.parse::<i64>() {
                Ok(offset) if offset >= 0 => Ok(Self::Offset(offset)),
                Ok(_) => Err("an offset is not negative".to_owned()),
                Err(_) => text.parse::<Timestamp>().map(|time| Self::Time(time.as_millisecond())).map_err(|_| {
                    "it is earliest, latest, an offset, or a time such as 2026-11-20T12:00:00Z".to_owned()
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::To;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("earliest".parse(), Ok(To::Earliest));
        assert_eq!("latest".parse(), Ok(To::Latest));
        assert_eq!("17".parse(), Ok(To::Offset(17)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(To::Time(1000)));
        for wrong in ["-1", "newest", "2026-11-20", ""] {
            assert!(wrong.parse::<To>().is_err(), "{wrong}");
        }
    }
}
