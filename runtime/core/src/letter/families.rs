//! What each family's headers say.

use jiff::Timestamp;

use crate::letter::{Family, Origin};
use crate::outbox::ID_HEADER;
use crate::record::RawHeader;

/// Where Forebay's own headers begin.
const FIRST: &[u8] = b"__dlq.errors.topic";
const CLASS: &[u8] = b"forebay.failure.class";
const VALUE_KEPT: &str = "forebay.value-kept";
/// Kafka has no longer topic name.
const TOPIC_MAX: usize = 249;

/// What a letter's headers say.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) origin: Option<Origin>,
    pub(super) class: Option<String>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) binding: Option<String>,
    pub(super) plugin: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) id: Option<String>,
    pub(super) redrives: Option<u32>,
    pub(super) runs: Option<u32>,
    pub(super) is_value_kept: bool,
}

/// Says whose letter it is, and from which header on that family speaks. Who wrote last decides: a letter may hold another
/// family's among its original headers.
pub(super) fn recognise(headers: &[RawHeader<'_>]) -> (Family, usize) {
    let block = headers.iter().rposition(|(name, _)| *name == FIRST);
    for (name, _) in headers.iter().rev() {
        if Family::Spring.has(name) {
            return (Family::Spring, 0);
        }
        if Family::Connect.has(name) {
            return (Family::Connect, 0);
        }
        if Family::Forebay.has(name)
            && let Some(start) = block
        {
            let own = headers.get(start..).unwrap_or_default();
            return match own.iter().any(|(name, _)| *name == CLASS) {
                true => (Family::Forebay, start),
                false => (Family::Kafka, 0),
            };
        }
    }
    (Family::Unknown, 0)
}

impl Said {
    pub(super) fn of(family: Family, headers: &[RawHeader<'_>]) -> Self {
        let headers = Headers(headers);
        match family {
            Family::Forebay | Family::Kafka => Self::forebay(&headers),
            Family::Spring => Self::spring(&headers),
            Family::Connect => Self::connect(&headers),
            Family::Unknown => Self::default(),
        }
    }

    /// Of Kafka's own, which has fewer, as well.
    fn forebay(headers: &Headers<'_>) -> Self {
        let number = |name| headers.last(name).and_then(decimal);
        let place =
            (headers.last("__dlq.errors.topic"), number("__dlq.errors.partition"), number("__dlq.errors.offset"));
        Self {
            origin: origin(place, number("forebay.origin.timestamp-ms"), headers.text("__dlq.errors.group")),
            class: headers.text("forebay.failure.class"),
            code: headers.text("forebay.failure.code"),
            message: headers.text("__dlq.errors.message"),
            binding: headers.text("forebay.binding"),
            plugin: headers.text("forebay.plugin"),
            digest: headers.text("forebay.plugin.digest"),
            failed_at: headers.text("forebay.failed-at").and_then(|time| time.parse().ok()),
            id: headers.text(ID_HEADER),
            redrives: number("forebay.redrives").and_then(|count| u32::try_from(count).ok()),
            runs: number("__dlq.errors.delivery.count").and_then(|count| u32::try_from(count).ok()),
            is_value_kept: headers.last(VALUE_KEPT).is_some(),
        }
    }

    /// A record that went through retry topics has the first topic's headers first, and the last exception's last.
    fn spring(headers: &Headers<'_>) -> Self {
        let first = |name| headers.first(name);
        let number = |name| first(name).and_then(big_endian);
        let place = (
            first("kafka_dlt-original-topic"),
            number("kafka_dlt-original-partition"),
            number("kafka_dlt-original-offset"),
        );
        let (timestamp, group) =
            (number("kafka_dlt-original-timestamp"), headers.text("kafka_dlt-original-consumer-group"));
        // The outer one is always the listener container's.
        let code = ["kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"];
        let message = ["kafka_dlt-exception-message", "kafka_dlt-key-exception-message"];
        Self {
            origin: origin(place, timestamp, group),
            code: code.into_iter().find_map(|name| headers.text(name)),
            message: message.into_iter().find_map(|name| headers.text(name)),
            ..Self::default()
        }
    }

    fn connect(headers: &Headers<'_>) -> Self {
        let number = |name| headers.last(name).and_then(decimal);
        let topic = headers.last("__connect.errors.topic");
        let place = (topic, number("__connect.errors.partition"), number("__connect.errors.offset"));
        Self {
            origin: origin(place, None, None),
            code: headers.text("__connect.errors.exception.class.name"),
            message: headers.text("__connect.errors.exception.message"),
            ..Self::default()
        }
    }
}

struct Headers<'a>(&'a [RawHeader<'a>]);

impl<'a> Headers<'a> {
    fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(given, _)| *given == name.as_bytes()).and_then(|(_, value)| *value)
    }

    fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().rfind(|(given, _)| *given == name.as_bytes()).and_then(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.last(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

fn origin(
    (topic, partition, offset): (Option<&[u8]>, Option<i64>, Option<i64>),
    timestamp_ms: Option<i64>,
    group: Option<String>,
) -> Option<Origin> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let topic = topic.filter(|topic| !topic.is_empty() && topic.len() <= TOPIC_MAX && topic.iter().all(is_name))?;
    let partition = partition.and_then(|number| i32::try_from(number).ok()).filter(|number| *number >= 0)?;
    let offset = offset.filter(|offset| *offset >= 0)?;
    Some(Origin { topic: String::from_utf8_lossy(topic).into_owned(), partition, offset, timestamp_ms, group })
}

fn decimal(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// A number as Java writes it, or in digits. Digits that are as long as a number would be none that can be.
fn big_endian(bytes: &[u8]) -> Option<i64> {
    if bytes.iter().all(u8::is_ascii_digit) {
        return decimal(bytes);
    }
    match bytes.len() {
        4 => bytes.try_into().ok().map(|bytes| i64::from(i32::from_be_bytes(bytes))),
        8 => bytes.try_into().ok().map(i64::from_be_bytes),
        _ => decimal(bytes),
    }
}
