//! Points in time, for timestamp columns.

use serde::{Serialize, Serializer};

/// Microseconds since the Unix epoch: what a timestamp column takes.
///
/// What is too far away for 64 bits stops at the end of their range, where the column refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// By this name a row made of a struct knows a timestamp from a number.
pub(crate) const NAME: &str = "$forebay_plugin::Timestamp";

impl Timestamp {
    /// From seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// From milliseconds since the Unix epoch, as Kafka and JavaScript count.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

/// As microseconds, wherever it is not a column.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME, &self.0)
    }
}
