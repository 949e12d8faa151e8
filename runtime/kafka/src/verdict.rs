//! Whose fault an error is. One function says so for every code that Kafka or its client can give.

use std::fmt;

use crate::raw::describe_code;

/// An error code of Kafka (positive) or of its client (negative).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub i32);

/// Whose fault an error is, and so what becomes of what met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing is wrong.
    Fine,
    /// The message's own: it can never be taken as it is. A mate in its batch may be the guilty one.
    Message,
    /// The cluster's or the network's: wait and try again.
    Unavailable,
    /// The manifest's or the cluster's set-up: somebody must mend it; try again now and then.
    Configuration(Mend),
    /// This member, generation or offset is no longer ours.
    Fenced,
    /// The partition cannot be read on from here.
    Unreadable,
    /// The client is at its end and must be made anew.
    Fatal,
}

/// What somebody must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Make the topic, or correct its name.
    Topic,
    /// Grant the right on the topic.
    TopicRight,
    /// Grant the right on the group.
    GroupRight,
    /// Grant the right on the cluster.
    ClusterRight,
    /// Correct user, password, mechanism or certificate.
    Credentials,
    /// Correct a setting of client or topic.
    Setting,
    /// Use a broker and client that understand each other.
    Version,
}

impl Mend {
    /// Returns what to do, as the end of a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Topic => "create the topic or correct its name in the manifest",
            Self::TopicRight => "grant this user the right on the topic",
            Self::GroupRight => "grant this user the right on the consumer group",
            Self::ClusterRight => "grant this user the right on the cluster (idempotent writes need IdempotentWrite)",
            Self::Credentials => "correct user, password, mechanism or certificates in [kafka.properties]",
            Self::Setting => "correct the setting that the text names, in [kafka.properties] or on the topic",
            Self::Version => "use a broker that supports this, or a client that supports the broker",
        }
    }
}

impl Code {
    /// The end of a partition has been reached.
    pub(crate) const PARTITION_EOF: Self = Self(-191);
    /// The log ends, for a leader of the past, below the position.
    pub(crate) const LOG_TRUNCATION: Self = Self(-139);
    /// The client gave up on a position.
    pub(crate) const AUTO_OFFSET_RESET: Self = Self(-140);
    /// Every broker is out of reach.
    pub(crate) const ALL_BROKERS_DOWN: Self = Self(-187);
    /// Partitions are given.
    pub(crate) const ASSIGN: Self = Self(-175);
    /// Partitions are taken.
    pub(crate) const REVOKE: Self = Self(-174);
    /// Not in this state.
    pub(crate) const STATE: Self = Self(-172);
    /// The wait ran out.
    pub(crate) const TIMED_OUT: Self = Self(-185);
    /// The producer's queue is full.
    pub(crate) const QUEUE_FULL: Self = Self(-184);
    /// There is nothing to commit.
    pub(crate) const NO_OFFSET: Self = Self(-168);
    /// The topic or partition is not there.
    pub(crate) const UNKNOWN_TOPIC: Self = Self(3);
    /// The topic is there already.
    pub(crate) const TOPIC_EXISTS: Self = Self(36);
    /// The group has members, and this is none of them.
    pub(crate) const UNKNOWN_MEMBER: Self = Self(25);

    /// Returns the code's name, like `OFFSET_OUT_OF_RANGE`.
    pub fn name(self) -> String {
        describe_code(self.0).name
    }

    /// Returns the library's sentence for it.
    pub fn text(self) -> String {
        describe_code(self.0).text
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

/// Returns whose fault an error is. Codes nobody knows are the cluster's: waiting loses nothing.
pub fn verdict(code: Code) -> Verdict {
    match code.0 {
        0 | -191 => Verdict::Fine,
        // Too large; a record the broker refuses; a timestamp out of its bounds.
        10 | 18 | 4 | 32 | 87 => Verdict::Message,
        // No such topic or partition, or a name that cannot be one.
        3 | 17 | 100 | -188 | -190 => Verdict::Configuration(Mend::Topic),
        29 => Verdict::Configuration(Mend::TopicRight),
        30 => Verdict::Configuration(Mend::GroupRight),
        31 | 53 | 65 => Verdict::Configuration(Mend::ClusterRight),
        // Wrong mechanism or credentials, expired tokens, the client's own authentication and TLS errors.
        33 | 34 | 54 | 58 | 61..=64 | 66 | 67 | -169 | -181 => Verdict::Configuration(Mend::Credentials),
        // Bad replicas, partitions, acknowledgements, names, metadata too large, policies, invalid arguments.
        12 | 21 | 23 | 24 | 26 | 28 | 37..=40 | 42 | 44 | 81 | 112 | -186 | -145 | -179 => {
            Verdict::Configuration(Mend::Setting)
        }
        35 | 43 | 76 | -165 | -171 => Verdict::Configuration(Mend::Version),
        // Old generation, unknown member, stale epochs, a second owner of a static id, lost assignments.
        22 | 25 | 47 | 52 | 82 | 90 | 110 | 111 | -144 | -142 => Verdict::Fenced,
        // Out of range, truncated, corrupt, or packed in a way this build cannot unpack.
        1 | 2 | -140 | -139 | -199 | -198 | -170 | -155 => Verdict::Unreadable,
        -150 | -197 | -148 | -149 => Verdict::Fatal,
        _ => Verdict::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whose_fault_each_code_is() {
        use Verdict::{Configuration, Fatal, Fenced, Fine, Message, Unavailable, Unreadable};
        let table = [
            ("NO_ERROR", 0, Fine),
            ("MSG_SIZE_TOO_LARGE", 10, Message),
            ("INVALID_RECORD", 87, Message),
            ("UNKNOWN_TOPIC_OR_PART", 3, Configuration(Mend::Topic)),
            ("_UNKNOWN_TOPIC", -188, Configuration(Mend::Topic)),
            ("TOPIC_AUTHORIZATION_FAILED", 29, Configuration(Mend::TopicRight)),
            ("GROUP_AUTHORIZATION_FAILED", 30, Configuration(Mend::GroupRight)),
            ("CLUSTER_AUTHORIZATION_FAILED", 31, Configuration(Mend::ClusterRight)),
            ("SASL_AUTHENTICATION_FAILED", 58, Configuration(Mend::Credentials)),
            ("_AUTHENTICATION", -169, Configuration(Mend::Credentials)),
            ("_SSL", -181, Configuration(Mend::Credentials)),
            ("POLICY_VIOLATION", 44, Configuration(Mend::Setting)),
            ("OFFSET_METADATA_TOO_LARGE", 12, Configuration(Mend::Setting)),
            ("UNSUPPORTED_VERSION", 35, Configuration(Mend::Version)),
            ("ILLEGAL_GENERATION", 22, Fenced),
            ("UNKNOWN_MEMBER_ID", 25, Fenced),
            ("FENCED_INSTANCE_ID", 82, Fenced),
            ("STALE_MEMBER_EPOCH", 113, Unavailable),
            ("REBALANCE_IN_PROGRESS", 27, Unavailable),
            ("NOT_COORDINATOR", 16, Unavailable),
            ("COORDINATOR_LOAD_IN_PROGRESS", 14, Unavailable),
            ("NOT_LEADER_FOR_PARTITION", 6, Unavailable),
            ("NOT_ENOUGH_REPLICAS", 19, Unavailable),
            ("KAFKA_STORAGE_ERROR", 56, Unavailable),
            ("_ALL_BROKERS_DOWN", -187, Unavailable),
            ("_TRANSPORT", -195, Unavailable),
            ("_MSG_TIMED_OUT", -192, Unavailable),
            ("_RESOLVE", -193, Unavailable),
            ("OFFSET_OUT_OF_RANGE", 1, Unreadable),
            ("_AUTO_OFFSET_RESET", -140, Unreadable),
            ("_LOG_TRUNCATION", -139, Unreadable),
            ("_BAD_MSG", -199, Unreadable),
            ("_NOT_IMPLEMENTED", -170, Unreadable),
            ("_FATAL", -150, Fatal),
        ];
        for (name, code, expected) in table {
            assert_eq!(Code(code).name(), name, "{code}");
            assert_eq!(verdict(Code(code)), expected, "{name}");
        }
        assert_eq!(verdict(Code(12345)), Unavailable, "a code of a newer broker");
    }
}
