//! What is read of letters: our own come back byte for byte, others' are understood, and nothing panics.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::dead_letter::{self, LetterTopic, without_value};
use crate::fault::{Class, Fault};
use crate::outbox::Outgoing;

type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const NOW: &str = "2026-11-20T12:00:00.123456789Z";

fn record(at: At, key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) -> Record {
    let headers: Vec<RawHeader<'_>> = headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
    Record::copy(at, key, value, &headers, |_| Permit::free())
}

fn at(topic: &str, partition: i32, offset: i64) -> At {
    At { topic: topic.into(), partition, offset, timestamp_ms: Some(1_700_000_000_000), leader_epoch: None }
}

/// A letter with these headers.
fn letter(headers: &[(&str, &[u8])]) -> Letter {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), Some(value.to_vec()))).collect();
    Letter::parse(record(at("orders.dlq", 1, 8), Some(b"k"), Some(b"v"), &headers))
}

/// The record that a reader of the dead-letter topic finds.
fn landed(letter: &Outgoing, offset: i64) -> Record {
    let headers = letter.headers.iter().map(|(name, value)| (name.to_vec(), value.as_ref().map(|it| it.to_vec())));
    let place = at(&letter.topic, letter.partition.unwrap(), offset);
    record(place, letter.key.as_deref(), letter.value.as_deref(), &headers.collect())
}

fn written(record: &Record) -> Outgoing {
    let letters = Some(LetterTopic { topic: "orders.dlq".into(), partitions: 3 });
    let [binding, group, plugin, digest] = ["orders", "g", "p", "sha256:00"].map(str::to_owned);
    let origin = dead_letter::Origin { binding, group, plugin, digest, letters, redrives: 0 };
    let (code, message) = ("unreachable".to_owned(), "the order has no customer".to_owned());
    let fault = Fault { class: Class::Trap, code, message, site: String::new() };
    origin.letter(record, &fault, 2, NOW.parse().unwrap()).unwrap()
}

fn nullable(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..max))
}

/// Names that letters know, and any others.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "__dlq.errors.topic",
        "__dlq.errors.partition",
        "__dlq.errors.offset",
        "forebay.id",
        "forebay.redrives",
        "forebay.failure.class",
        "forebay.failed-at",
        "forebay.value-kept",
        "kafka_dlt-original-topic",
        "kafka_dlt-original-partition",
        "kafka_dlt-original-offset",
        "kafka_dlt-exception-fqcn",
        "__connect.errors.topic",
        "__connect.errors.partition",
        "__connect.errors.offset",
    ];
    prop_oneof![
        prop::sample::select(known.map(|name| name.as_bytes().to_vec()).to_vec()),
        prop::collection::vec(1_u8.., 0..6),
    ]
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    let numbers = prop_oneof![
        any::<i64>().prop_map(|it| it.to_string().into_bytes()),
        "[0-9a-zT:.-]{0,40}".prop_map(String::into_bytes)
    ];
    prop_oneof![nullable(12), numbers.prop_map(Some)]
}

fn headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec((name(), value()), 0..12)
}

proptest! {
    #[test]
    fn whatever_the_headers_say_nothing_panics_and_none_is_lost(headers in headers(), body in nullable(9)) {
        let letter = Letter::parse(record(at("orders.dlq", 0, 0), None, body.as_deref(), &headers));
        prop_assert_eq!(letter.original_headers().count() + letter.added_headers().count(), headers.len());
        let mut sieve = Sieve::new(Filter::default());
        let mut tally = Tally::default();
        prop_assert_eq!(sieve.pick(&letter), Pick::Taken);
        tally.add(&letter);
        if let Some(original) = letter.original(None, |_| Permit::free()) {
            prop_assert!(original.partition >= 0 && original.offset >= 0 && !original.topic.is_empty());
        }
    }

    #[test]
    fn a_letter_of_ours_gives_the_record_back_byte_for_byte(
        key in nullable(9),
        value in nullable(9),
        headers in headers(),
        is_kept in any::<bool>(),
        (partition, offset, timestamp_ms) in (0..9_i32, 0..i64::MAX, prop::option::of(any::<i64>())),
    ) {
        let origin = At { timestamp_ms, ..at("orders.eu", partition, offset) };
        let before = record(origin, key.as_deref(), value.as_deref(), &headers);
        let whole = written(&before);
        let sent = if is_kept { without_value(&whole) } else { whole };
        let letter = Letter::parse(landed(&sent, 5));
        prop_assert_eq!((letter.family, letter.is_value_kept), (Family::Forebay, is_kept));
        prop_assert_eq!((letter.class.as_deref(), letter.code.as_deref()), (Some("trap"), Some("unreachable")));
        prop_assert_eq!(letter.message.as_deref(), Some("the order has no customer"));
        prop_assert_eq!((letter.binding.as_deref(), letter.plugin.as_deref()), (Some("orders"), Some("p")));
        prop_assert_eq!(letter.failed_at, Some(NOW.parse::<Timestamp>().unwrap()));
        let returned = dead_letter::returned(&before);
        prop_assert_eq!((letter.redrives, letter.delivery_count), (returned.unwrap_or(0), Some(2)));
        prop_assert_eq!(letter.id.as_ref(), Some(&format!("orders.eu/{partition}/{offset}/dlq")));
        let kept = if is_kept { value.as_deref() } else { None };
        let after = letter.original(kept, |_| Permit::free()).unwrap();
        prop_assert_eq!((&*after.topic, after.partition, after.offset), ("orders.eu", partition, offset));
        prop_assert_eq!(after.timestamp_ms, timestamp_ms);
        prop_assert_eq!((after.key(), after.value()), (before.key(), before.value()));
        // Of a record that came back, the letter before this one said two things that this one says anew.
        let expected = before.headers().take(before.headers().len() - if returned.is_some() { 2 } else { 0 });
        prop_assert_eq!(after.headers().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn reads_springs_numbers_as_java_and_as_people_write_them() {
    let fqcn = "org.springframework.kafka.listener.ListenerExecutionFailedException";
    let java = letter(&[
        ("own", b"1"),
        ("kafka_dlt-original-topic", b"orders"),
        ("kafka_dlt-original-partition", &3_i32.to_be_bytes()),
        ("kafka_dlt-original-offset", &4_294_967_297_i64.to_be_bytes()),
        ("kafka_dlt-original-timestamp", &1_700_000_000_001_i64.to_be_bytes()),
        ("kafka_dlt-original-consumer-group", b"g"),
        ("kafka_dlt-original-topic", b"orders-retry-0"),
        ("kafka_dlt-exception-fqcn", fqcn.as_bytes()),
        ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
        ("kafka_dlt-exception-message", b"Listener failed"),
        ("after", b"2"),
    ]);
    let origin = Origin {
        topic: "orders".to_owned(),
        partition: 3,
        offset: 4_294_967_297,
        timestamp_ms: Some(1_700_000_000_001),
        group: Some("g".to_owned()),
    };
    assert_eq!((java.family, java.origin.as_ref()), (Family::Spring, Some(&origin)));
    assert_eq!(java.code.as_deref(), Some("java.lang.IllegalStateException"));
    assert_eq!((java.message.as_deref(), &java.class), (Some("Listener failed"), &None));
    let own: [RawHeader<'_>; 2] = [(b"own", Some(b"1")), (b"after", Some(b"2"))];
    assert_eq!(java.original_headers().collect::<Vec<_>>(), own);
    assert_eq!(java.at(), Timestamp::from_millisecond(1_700_000_000_000).ok(), "the letter's own timestamp");
    // Digits that are as long as an integer of Java's are digits.
    for (partition, offset) in [("3", "17"), ("0003", "00000017")] {
        let digits = letter(&[
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", partition.as_bytes()),
            ("kafka_dlt-original-offset", offset.as_bytes()),
        ]);
        let origin = digits.origin.unwrap();
        assert_eq!((origin.partition, origin.offset, origin.timestamp_ms), (3, 17, None));
    }
}

#[test]
fn reads_connects_and_share_groups() {
    let connect = letter(&[
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"2"),
        ("__connect.errors.offset", b"9"),
        ("__connect.errors.connector.name", b"jdbc"),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
        ("__connect.errors.exception.message", b"no schema"),
    ]);
    assert_eq!(connect.family, Family::Connect);
    assert_eq!(connect.code.as_deref(), Some("org.apache.kafka.connect.errors.DataException"));
    let origin = connect.origin.unwrap();
    assert_eq!((&*origin.topic, origin.partition, origin.offset), ("orders", 2, 9));
    let share = letter(&[
        ("__dlq.errors.topic", b"orders"),
        ("__dlq.errors.partition", b"2"),
        ("__dlq.errors.offset", b"9"),
        ("__dlq.errors.delivery.count", b"5"),
        ("own", b""),
    ]);
    assert_eq!((share.family, share.delivery_count, &share.class), (Family::Kafka, Some(5), &None));
    assert_eq!(share.original_headers().count(), 1);
}

#[test]
fn who_wrote_last_is_the_writer() {
    let before = record(at("orders", 0, 7), Some(b"k"), Some(b"v"), &Headers::new());
    let mut twice = written(&before);
    // Our own letter, dead-lettered by Connect: what we said is a part of the record.
    let ours = twice.headers.len();
    for (name, value) in [("__connect.errors.topic", "orders.dlq"), ("__connect.errors.partition", "0")] {
        twice.headers.push((name.into(), Some(value.into())));
    }
    twice.headers.push(("__connect.errors.offset".into(), Some("11".into())));
    let letter = Letter::parse(landed(&twice, 0));
    assert_eq!((letter.family, letter.original_headers().count()), (Family::Connect, ours));
    assert_eq!(letter.origin.unwrap().offset, 11);
    // And Connect's letter, dead-lettered by us.
    let connect = vec![(b"__connect.errors.topic".to_vec(), Some(b"there".to_vec()))];
    let outer = record(at("orders", 0, 8), None, None, &connect);
    let letter = Letter::parse(landed(&written(&outer), 0));
    assert_eq!((letter.family, letter.original_headers().count()), (Family::Forebay, 1));
    assert_eq!(letter.origin.unwrap().offset, 8);
}

#[test]
fn what_can_not_be_is_missing() {
    let bad: [(&[u8], &[u8], &[u8]); 7] = [
        (b"orders", b"-1", b"5"),
        (b"orders", b"0", b"-5"),
        (b"orders", b"0", b"99999999999999999999"),
        (b"orders", b"4294967296", b"5"),
        (b"", b"0", b"5"),
        (b"or\x1b[2Jders", b"0", b"5"),
        (&[b'x'; 250], b"0", b"5"),
    ];
    for (topic, partition, offset) in bad {
        let letter = letter(&[
            ("__connect.errors.topic", topic),
            ("__connect.errors.partition", partition),
            ("__connect.errors.offset", offset),
        ]);
        assert_eq!((letter.family, letter.origin), (Family::Connect, None));
    }
    let unknown = letter(&[("forebay.id", b"somebody else's"), ("own", b"")]);
    assert_eq!((unknown.family, &unknown.id, unknown.original_headers().count()), (Family::Unknown, &None, 2));
}

fn one(class: &str, id: &str, redrives: &str, failed_at: &str) -> Letter {
    let class = class.as_bytes();
    letter(&[
        ("__dlq.errors.topic", b"orders"),
        ("forebay.failure.class", class),
        ("forebay.failure.code", b"c"),
        ("forebay.binding", b"orders"),
        ("forebay.failed-at", failed_at.as_bytes()),
        ("forebay.id", id.as_bytes()),
        ("forebay.redrives", redrives.as_bytes()),
    ])
}

#[test]
fn a_sieve_takes_each_once_and_no_more_than_wanted() {
    let mut sieve = Sieve::new(Filter { class: Some("trap".to_owned()), limit: Some(3), ..Filter::default() });
    let mut tally = Tally::default();
    let letters = [
        (one("trap", "a", "0", "2026-01-02T00:00:00Z"), Pick::Taken),
        (one("trap", "a", "0", "2026-01-03T00:00:00Z"), Pick::Repeat),
        (one("cpu", "b", "0", "2026-01-01T00:00:00Z"), Pick::Passed),
        (one("trap", "a", "1", "2026-01-01T00:00:00Z"), Pick::Taken),
        (one("trap", "c", "0", "2026-01-04T00:00:00Z"), Pick::Taken),
        (one("trap", "d", "0", "2026-01-05T00:00:00Z"), Pick::Passed),
    ];
    for (letter, expected) in &letters {
        assert_eq!(sieve.pick(letter), *expected);
        if *expected == Pick::Taken {
            tally.add(letter);
        }
    }
    assert!(sieve.is_full());
    assert_eq!((sieve.taken(), sieve.repeats(), tally.total()), (3, 1, 3));
    let (group, count) = tally.groups().next().unwrap();
    assert_eq!((&*group.binding, &*group.class, &*group.code, group.partition), ("orders", "trap", "c", 1));
    let times = [count.first, count.last].map(|time| time.unwrap().to_string());
    assert_eq!((count.letters, times), (3, ["2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"].map(str::to_owned)));
}

#[test]
fn a_filter_wants_all_that_it_says() {
    let letter = one("trap", "a", "0", "2026-01-02T00:00:00Z");
    let some = |text: &str| Some(text.to_owned());
    let time = |text: &str| Some(text.parse().unwrap());
    let none = Filter::default();
    let takes = [
        Filter { class: some("trap"), code: some("c"), binding: some("orders"), ..none.clone() },
        Filter { partition: Some(1), offset: Some(8), id: some("a"), ..none.clone() },
        Filter { since: time("2026-01-02T00:00:00Z"), not_of: vec!["others".to_owned()], ..none.clone() },
    ];
    assert!(takes.iter().all(|filter| filter.takes(&letter)));
    let passes = [
        Filter { class: some("cpu"), ..none.clone() },
        Filter { class: some("trap"), code: some("d"), ..none.clone() },
        Filter { partition: Some(0), ..none.clone() },
        Filter { offset: Some(9), ..none.clone() },
        Filter { id: some("b"), ..none.clone() },
        Filter { since: time("2026-01-02T00:00:01Z"), ..none.clone() },
        Filter { not_of: vec!["orders".to_owned()], ..none.clone() },
    ];
    assert!(!passes.iter().any(|filter| filter.takes(&letter)));
    // As it is printed, so it is asked for.
    let springs = self::letter(&[("kafka_dlt-exception-fqcn", b"E")]);
    assert!(Filter { class: some(NONE), code: some("E"), ..none }.takes(&springs));
}

#[test]
fn groups_are_bounded() {
    let mut tally = Tally::default();
    for number in 0..10_050 {
        tally.add(&letter(&[("kafka_dlt-exception-fqcn", format!("E{number}").as_bytes())]));
    }
    assert_eq!((tally.groups().len(), tally.total()), (10_001, 10_050));
    assert_eq!(tally.groups().find(|(group, _)| group.partition < 0).unwrap().1.letters, 50);
}
