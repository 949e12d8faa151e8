//! Reading what a topic holds, outside of every group.

use std::time::Duration;

use bytes::Bytes;
use forebay_core::record::{RawHeader, Record};
use forebay_kafka::mock::Broker;
use forebay_kafka::{Admin, Error, Kind, Outgoing, Partition, Producer, Progress, Scan, Stretch};
use tokio::time::timeout;

use crate::support::{PATIENCE, cluster, fill, offsets, outgoing};

fn stretch(partition: i32, from: i64, until: i64) -> Stretch {
    Stretch { partition, from, until }
}

fn start(broker: &Broker, stretches: &[Stretch]) -> Scan {
    Scan::start(&broker.settings(), "g", "letters", stretches).unwrap()
}

async fn all(scan: &mut Scan) -> Result<Vec<Record>, Error> {
    let mut all = Vec::new();
    while let Some(chunk) = timeout(PATIENCE, scan.next()).await.expect("a chunk in time")? {
        assert!(!chunk.is_empty());
        all.extend(chunk);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_each_partition_from_its_offset_to_the_end_as_it_was() {
    let broker = cluster("letters", 4);
    fill(&broker, "letters", 0, 2000).await;
    fill(&broker, "letters", 1, 10).await;
    fill(&broker, "letters", 2, 5).await;
    // More has come to 1 since its end was asked for; 2 is not wanted; 3 is empty.
    let stretches = [stretch(0, 500, 2000), stretch(1, 0, 7), stretch(3, 0, 0)];
    let mut scan = start(&broker, &stretches);
    let records = all(&mut scan).await.unwrap();
    let of = |partition: i32| {
        let own = records.iter().filter(|record| record.partition == partition);
        own.map(|record| record.offset).collect::<Vec<_>>()
    };
    assert_eq!(of(0), (500..2000).collect::<Vec<_>>());
    assert_eq!(of(1), (0..7).collect::<Vec<_>>());
    assert_eq!(records.len(), 1507);
    let progress: Vec<Progress> = scan.progress().collect();
    assert_eq!(progress, stretches.map(|stretch| Progress { stretch, next: stretch.until }));
    // No group was joined and nothing committed.
    let at = Partition { topic: "letters".into(), partition: 0 };
    let committed = Admin::start(&broker.settings()).unwrap().committed("g", &[at]).await;
    assert_eq!(committed, Ok(vec![None]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_one_record_and_keeps_every_byte_of_it() {
    let broker = cluster("letters", 1);
    let producer = Producer::start(&broker.settings()).unwrap();
    let bytes = |text: &'static [u8]| Bytes::from_static(text);
    let headers = vec![(bytes(b"\xff"), Some(bytes(b"\0"))), (bytes(b"a"), None), (bytes(b"a"), Some(bytes(b"")))];
    let (topic, partition, key) = ("letters".into(), Some(0), Some(bytes(b"\xfe")));
    let odd = Outgoing { topic, partition, key, value: None, headers, timestamp_ms: Some(5) };
    let messages = vec![outgoing("letters", 0, "before"), odd, outgoing("letters", 0, "after")];
    assert!(producer.send_all(messages).await.iter().all(Result::is_ok));
    let records = all(&mut start(&broker, &[stretch(0, 1, 2)])).await.unwrap();
    assert_eq!(offsets(&records), [1]);
    let record = &records[0];
    assert_eq!((record.key(), record.value(), record.timestamp_ms), (Some(&b"\xfe"[..]), None, Some(5)));
    let expected: [RawHeader<'_>; 3] = [(b"\xff", Some(b"\0")), (b"a", None), (b"a", Some(b""))];
    assert_eq!(record.headers().collect::<Vec<_>>(), expected);
    // Nothing lies at the log's end, nor at all.
    assert!(all(&mut start(&broker, &[stretch(0, 3, 4)])).await.unwrap().is_empty());
    assert!(all(&mut start(&broker, &[])).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_everything_and_an_impatient_one_may_go() {
    let broker = cluster("letters", 2);
    // The in-process cluster keeps 5 MiB of a partition.
    let value = "x".repeat(100);
    let producer = Producer::start(&broker.settings()).unwrap();
    for partition in 0..2 {
        let messages = (0..10_000).map(|_| outgoing("letters", partition, &value)).collect();
        let landed = timeout(PATIENCE, producer.send_all(messages)).await.unwrap();
        assert!(landed.iter().all(Result::is_ok));
    }
    let stretches = [stretch(0, 0, 10_000), stretch(1, 0, 10_000)];
    let mut scan = start(&broker, &stretches);
    let first = timeout(PATIENCE, scan.next()).await.unwrap().unwrap().unwrap();
    let read = || scan.progress().map(|progress| progress.next - progress.stretch.from).sum::<i64>();
    let races_on = async {
        while read() < 5000 {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(Duration::from_secs(1), races_on).await.is_err(), "it waits for its reader");
    let rest = all(&mut scan).await.unwrap();
    assert_eq!(first.len() + rest.len(), 20_000);
    for partition in 0..2 {
        let own = first.iter().chain(&rest).filter(|record| record.partition == partition);
        assert!(own.map(|record| record.offset).eq(0..10_000), "in order");
    }
    let mut impatient = start(&broker, &stretches);
    assert!(timeout(PATIENCE, impatient.next()).await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_the_brokers_are_gone_within_a_bounded_time() {
    let broker = cluster("letters", 1);
    fill(&broker, "letters", 0, 10).await;
    broker.set_broker_up(1, false);
    let error = all(&mut start(&broker, &[stretch(0, 0, 10)])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().starts_with("read letters: "), "{error}");
}
