//! Which librdkafka settings each client gets: our defaults, then the manifest's, then what correctness fixes.

use forebay_core::manifest::settings::Kafka;

/// A list of settings; a later one of the same name wins.
pub(crate) type Properties = Vec<(String, String)>;

const MIB: usize = 1024 * 1024;
/// Default of `message.max.bytes` in the client, below which `fetch.max.bytes` may not be.
const MESSAGE_MAX_BYTES: usize = 1_000_000;
/// The largest message that is produced: anything a broker takes with usual settings, and below the queue's limit.
const PRODUCED_MAX_BYTES: &str = "64000000";
/// `max.poll.interval.ms`, milliseconds, where the manifest names none; the client wants it no shorter than the session. Polling
/// waits for no handler and no database here, so the client's five minutes would only be how long it waits for a JoinGroup that a
/// broker has lost, and how long a group waits for a member that does not come.
const POLL_INTERVAL_MS: u64 = 90_000;

/// Returns the settings of a group's consumer that may hold `buffered_bytes` of records it has fetched ahead.
pub(crate) fn consumer(kafka: &Kafka, group: &str, buffered_bytes: usize) -> Properties {
    let buffered = buffered_bytes.max(MIB);
    let set = kafka.properties.get("message.max.bytes").and_then(|value| value.expose().parse().ok());
    let largest: usize = set.unwrap_or(MESSAGE_MAX_BYTES);
    let session: Option<u64> = kafka.properties.get("session.timeout.ms").and_then(|value| value.expose().parse().ok());
    let poll_interval = session.unwrap_or_default().max(POLL_INTERVAL_MS);
    // What is queued counts payloads only, and small messages hold as much again; a fetch comes on top, counts compressed
    // bytes, and becomes several times as many. A quarter each leaves room for both.
    let fetch = (buffered / 4).clamp(MIB, 50 * MIB).max(largest);
    let defaults = [
        ("queued.max.messages.kbytes", (buffered / 4 / 1024).clamp(512, 2_097_151).to_string()),
        ("fetch.max.bytes", fetch.to_string()),
        ("fetch.message.max.bytes", (buffered / 128).clamp(MIB / 4, MIB).to_string()),
        // The default of a second stalls partitions whenever the queue is full.
        ("fetch.queue.backoff.ms", "10".to_owned()),
        ("fetch.wait.max.ms", "100".to_owned()),
        // New partitions are found within half a minute.
        ("topic.metadata.refresh.interval.ms", "30000".to_owned()),
        ("max.poll.interval.ms", poll_interval.to_string()),
        ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
        ("client.id", "forebay".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    let fixed = [
        ("group.id", group),
        ("enable.partition.eof", "true"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        // A position that is gone is a question to people, never answered by jumping.
        ("auto.offset.reset", "error"),
        ("isolation.level", "read_committed"),
        ("check.crcs", "true"),
        ("allow.auto.create.topics", "false"),
        ("statistics.interval.ms", "0"),
    ];
    let mut properties = owned(&defaults);
    properties.extend(manifest(kafka));
    properties.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    properties
}

/// Returns the settings of the producer.
pub(crate) fn producer(kafka: &Kafka) -> Properties {
    let defaults = [
        ("linger.ms", "5".to_owned()),
        ("batch.size", "900000".to_owned()),
        ("message.max.bytes", PRODUCED_MAX_BYTES.to_owned()),
        ("queue.buffering.max.kbytes", "65536".to_owned()),
        ("queue.buffering.max.messages", "100000".to_owned()),
        ("client.id", "forebay".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    let fixed = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        // As Java's producers choose: the same key goes to the same partition whoever writes it.
        ("partitioner", "murmur2_random"),
        ("allow.auto.create.topics", "false"),
        ("statistics.interval.ms", "0"),
    ];
    let mut properties = owned(&defaults);
    // The client would warn at every start that these mean nothing to it.
    properties.extend(manifest(kafka).into_iter().filter(|(name, _)| !is_of_consumers(name)));
    properties.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    properties
}

fn is_of_consumers(name: &str) -> bool {
    ["session.", "heartbeat.", "max.poll.", "fetch."].iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the settings of a client that asks questions, as a member of no group or, for its commits, of `group`.
pub(crate) fn questions(kafka: &Kafka, group: Option<&str>) -> Properties {
    let mut properties = vec![("client.id".to_owned(), "forebay".to_owned())];
    properties.extend(manifest(kafka));
    let fixed = [
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("allow.auto.create.topics", "false"),
        ("log.connection.close", "false"),
        ("statistics.interval.ms", "0"),
    ];
    properties.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    properties.extend(group.map(|group| ("group.id".to_owned(), group.to_owned())));
    properties
}

fn owned(list: &[(&str, String)]) -> Properties {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn manifest(kafka: &Kafka) -> Properties {
    let own = kafka.properties.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    own.chain([("bootstrap.servers".to_owned(), kafka.bootstrap_servers.join(","))]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use forebay_core::manifest::settings::Secret;

    use super::*;

    fn last<'a>(properties: &'a Properties, name: &str) -> &'a str {
        properties.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn lets_the_manifest_change_defaults_but_not_what_correctness_fixes() {
        let properties =
            [("fetch.wait.max.ms", "7"), ("auto.offset.reset", "latest"), ("message.max.bytes", "90000000")];
        let properties: BTreeMap<String, Secret> =
            properties.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        let kafka = Kafka { name: "k".into(), bootstrap_servers: vec!["a:1".into(), "b:2".into()], properties };
        let consumer = consumer(&kafka, "g", 16 * MIB);
        assert_eq!(last(&consumer, "fetch.wait.max.ms"), "7");
        assert_eq!(last(&consumer, "auto.offset.reset"), "error");
        assert_eq!(last(&consumer, "bootstrap.servers"), "a:1,b:2");
        assert_eq!(last(&consumer, "fetch.max.bytes"), "90000000");
        assert_eq!(last(&consumer, "queued.max.messages.kbytes"), "4096");
        assert_eq!(last(&consumer, "max.poll.interval.ms"), "90000");
    }

    #[test]
    fn the_poll_interval_is_no_shorter_than_the_session() {
        let longer = ("session.timeout.ms".to_owned(), Secret::new("120000"));
        let kafka = Kafka { name: "k".into(), bootstrap_servers: vec!["a:1".into()], properties: [longer].into() };
        assert_eq!(last(&consumer(&kafka, "g", 16 * MIB), "max.poll.interval.ms"), "120000");
    }
}
