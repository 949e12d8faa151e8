//! Whose headers a letter carries.

/// Who wrote a letter, by the names of its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Forebay: `__dlq.errors.*` and `forebay.*`, behind the record's own headers.
    Forebay,
    /// Kafka's share groups: `__dlq.errors.*`.
    Kafka,
    /// Spring Kafka: `kafka_dlt-*`.
    Spring,
    /// Kafka Connect: `__connect.errors.*`.
    Connect,
    /// Nobody that is known here.
    Unknown,
}

impl Family {
    /// Returns its name, as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forebay => "forebay",
            Self::Kafka => "kafka",
            Self::Spring => "spring",
            Self::Connect => "connect",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a header of this name is one of the family's.
    pub(super) fn has(self, name: &[u8]) -> bool {
        let prefixes: &[&[u8]] = match self {
            Self::Forebay => &[b"__dlq.errors.", b"forebay."],
            Self::Kafka => &[b"__dlq.errors."],
            Self::Spring => &[b"kafka_dlt-"],
            Self::Connect => &[b"__connect.errors."],
            Self::Unknown => &[],
        };
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}
