//! Dead letters: the record byte for byte, and where it came from and why, as headers behind its own.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::fault::Fault;
use crate::lane::Fate;
use crate::outbox::{ID_HEADER, Outgoing};
use crate::outcome::{Effect, Handled, Publish};
use crate::plan::target::{TargetKind, Targets};
use crate::record::{RawHeader, Record};

/// The longest text of a fault that a header carries, in bytes.
const MESSAGE_MAX: usize = 4096;

/// How often a record was sent back.
pub const REDRIVES_HEADER: &str = "forebay.redrives";

/// What all letters and publishes of a binding have in common.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The binding's name.
    pub binding: String,
    /// The consumer group.
    pub group: String,
    /// The plugin's name.
    pub plugin: String,
    /// The digest of its component.
    pub digest: String,
    /// Where letters go, `None` where the manifest says `drop`.
    pub letters: Option<LetterTopic>,
    /// How often the records were redriven that a redrive handles; 0 for all others.
    pub redrives: u32,
}

/// The dead-letter topic.
#[derive(Debug, Clone)]
pub struct LetterTopic {
    /// Its name.
    pub topic: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
}

impl Origin {
    /// Returns the dead letter of a record, `None` where the manifest drops them.
    pub fn letter(&self, record: &Record, fault: &Fault, runs: u32, now: Timestamp) -> Option<Outgoing> {
        let letters = self.letters.as_ref()?;
        let returned = returned(record);
        // A letter that went back to its topic brought two headers of ours with it, which this one replaces.
        let kept = record.headers().len() - if returned.is_some() { 2 } else { 0 };
        let before = record.headers().take(kept);
        let mut headers: Vec<(Bytes, Option<Bytes>)> =
            before.map(|(name, value)| (copy(name), value.map(copy))).collect();
        let mut add = |name: &'static str, value: String| {
            headers.push((Bytes::from_static(name.as_bytes()), Some(Bytes::from(value))));
        };
        add("__dlq.errors.topic", record.topic.to_string());
        add("__dlq.errors.partition", record.partition.to_string());
        add("__dlq.errors.offset", record.offset.to_string());
        add("__dlq.errors.group", self.group.clone());
        add("__dlq.errors.delivery.count", runs.to_string());
        add("__dlq.errors.message", cut(&fault.message));
        add("forebay.failure.class", fault.class.as_str().to_owned());
        add("forebay.failure.code", fault.code.clone());
        add("forebay.binding", self.binding.clone());
        add("forebay.plugin", self.plugin.clone());
        add("forebay.plugin.digest", self.digest.clone());
        add("forebay.failed-at", now.to_string());
        if let Some(timestamp) = record.timestamp_ms {
            add("forebay.origin.timestamp-ms", timestamp.to_string());
        }
        add(ID_HEADER, format!("{}/{}/{}/dlq", record.topic, record.partition, record.offset));
        add(REDRIVES_HEADER, returned.unwrap_or(self.redrives).to_string());
        Some(Outgoing {
            topic: letters.topic.clone(),
            partition: Some(record.partition.rem_euclid(letters.partitions.max(1))),
            key: record.key().map(copy),
            value: record.value().map(copy),
            headers,
            is_letter: true,
        })
    }

    /// Appends what leaves the database's world because of a record: the messages it publishes, or its dead letter.
    pub fn outgoing(
        &self,
        (record, handled): (&Record, &Handled),
        fate: &Fate<'_>,
        targets: &Targets,
        now: Timestamp,
        into: &mut Vec<Outgoing>,
    ) {
        match fate {
            Fate::Skipped(_) => {}
            Fate::DeadLettered(fault) => into.extend(self.letter(record, fault, handled.runs, now)),
            Fate::Applied(effects) => {
                for (index, effect) in effects.iter().enumerate() {
                    if let Effect::Publish(publish) = effect {
                        into.extend(message(record, index, publish, targets));
                    }
                }
            }
        }
    }
}

/// How often a record came back to its topic from the dead letters, `None` for one that never did. Its last two headers are
/// then the id of its letter, which names this topic, and the count.
pub fn returned(record: &Record) -> Option<u32> {
    let headers: Vec<RawHeader<'_>> = record.headers().collect();
    returned_to(&record.topic, &headers)
}

/// The same of a record's headers, where it lay in `topic`.
pub fn returned_to(topic: &str, headers: &[RawHeader<'_>]) -> Option<u32> {
    let [.., (id_name, Some(id)), (name, Some(count))] = headers else { return None };
    let is_ours = *id_name == ID_HEADER.as_bytes() && *name == REDRIVES_HEADER.as_bytes();
    let of_topic = std::str::from_utf8(id).ok()?.strip_prefix(topic)?;
    let is_letter = is_ours && of_topic.starts_with('/') && of_topic.ends_with("/dlq");
    std::str::from_utf8(count).ok()?.parse().ok().filter(|_| is_letter)
}

/// Returns a letter that goes without its value because the topic takes no message as large, and says so.
pub fn without_value(letter: &Outgoing) -> Outgoing {
    let bytes = letter.value.as_ref().map_or(0, Bytes::len);
    let note = format!("the value of {bytes} bytes is too large for this topic; it is kept in forebay.outbox");
    let mut short = Outgoing { value: None, ..letter.clone() };
    short.headers.push((Bytes::from_static(b"forebay.value-kept"), Some(Bytes::from(note))));
    short
}

fn message(record: &Record, index: usize, publish: &Publish, targets: &Targets) -> Option<Outgoing> {
    let target = targets.get(targets.index(&publish.target)?)?;
    let TargetKind::Topic(topic) = &target.kind else { return None };
    let given = publish.headers.iter().map(|header| (copy(header.name.as_bytes()), header.value.as_deref().map(copy)));
    let id = format!("{}/{}/{}/{index}", record.topic, record.partition, record.offset);
    let id = (Bytes::from_static(ID_HEADER.as_bytes()), Some(Bytes::from(id)));
    Some(Outgoing {
        topic: topic.topic.clone(),
        partition: None,
        key: publish.key.as_deref().map(copy),
        value: publish.value.as_deref().map(copy),
        headers: given.chain([id]).collect(),
        is_letter: false,
    })
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MESSAGE_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Permit;
    use crate::fault::Class;
    use crate::record::At;

    #[test]
    fn keeps_the_record_byte_for_byte_and_first() {
        let at = At { topic: "orders".into(), partition: 7, offset: 42, timestamp_ms: Some(5), leader_epoch: None };
        let record = Record::copy(at, Some(b"\xff"), None, &[(b"\xfe", Some(b"\0"))], |_| Permit::free());
        let letters = Some(LetterTopic { topic: "orders.dlq".into(), partitions: 3 });
        let [binding, group, plugin, digest] = ["orders", "g", "p", "sha256:00"].map(str::to_owned);
        let origin = Origin { binding, group, plugin, digest, letters, redrives: 0 };
        let fault =
            Fault { class: Class::Trap, code: "unreachable".into(), message: "ä".repeat(4096), site: String::new() };
        let letter = origin.letter(&record, &fault, 2, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(letter.key.as_deref(), Some(&b"\xff"[..]));
        assert_eq!(letter.value, None);
        assert_eq!(letter.partition, Some(1));
        assert_eq!(letter.headers[0], (Bytes::from_static(b"\xfe"), Some(Bytes::from_static(b"\0"))));
        assert_eq!(letter.header("forebay.id"), Some(&b"orders/7/42/dlq"[..]));
        assert_eq!(letter.header("forebay.failed-at"), Some(&b"1970-01-01T00:00:00Z"[..]));
        assert_eq!(letter.header("__dlq.errors.message").map(<[u8]>::len), Some(MESSAGE_MAX));
    }
}
