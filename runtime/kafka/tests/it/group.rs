//! Assigning, reading, seeking, committing, sharing and leaving.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_kafka::mock::Broker;
use forebay_kafka::{
    Admin, Commit, Committed, Fetched, GroupEvent, Kind, Outgoing, Partition, Producer, Start, StopCause,
};
use tokio::time::timeout;

use crate::support::{Member, PATIENCE, cluster, fill, next, offsets, outgoing, until_end};

fn commit(offset: i64, metadata: &str) -> Commit {
    Commit { offset, leader_epoch: Some(0), metadata: metadata.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_a_partition_from_its_beginning_to_its_end() {
    let broker = cluster("orders", 2);
    fill(&broker, "orders", 0, 1000).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(2).await;
    assert_eq!(assigned[0].committed, Ok(None));
    let (records, end) = until_end(&mut assigned[0].feed).await;
    assert_eq!(offsets(&records), (0..1000).collect::<Vec<i64>>());
    assert_eq!(end, 1000);
    assert_eq!(records[7].value(), Some(&b"7"[..]));
    assert!(records[7].timestamp_ms.is_some());
    let (records, end) = until_end(&mut assigned[1].feed).await;
    assert_eq!((records.len(), end), (0, 0));
    // A later record comes, and the end after it.
    let producer = Producer::start(&broker.settings()).unwrap();
    assert_eq!(producer.send(outgoing("orders", 1, "late")).await, Ok((1, 0)));
    let (records, end) = until_end(&mut assigned[1].feed).await;
    assert_eq!((offsets(&records), end), (vec![0], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_null_empty_and_header_names_that_are_not_utf8() {
    let broker = cluster("bytes", 1);
    let producer = Producer::start(&broker.settings()).unwrap();
    let bytes = |text: &'static [u8]| Bytes::from_static(text);
    let headers =
        vec![(bytes(b"\xff\xfe"), None), (bytes(b"a"), Some(bytes(b""))), (bytes(b"a"), Some(bytes(b"\x00\xff")))];
    let message = Outgoing {
        topic: "bytes".into(),
        partition: None,
        key: Some(bytes(b"")),
        value: None,
        headers,
        timestamp_ms: None,
    };
    assert_eq!(producer.send(message).await, Ok((0, 0)));
    let mut member = Member::join(&broker, "bytes");
    let mut assigned = member.assigned(1).await;
    let (records, _) = until_end(&mut assigned[0].feed).await;
    assert_eq!((records[0].key(), records[0].value()), (Some(&b""[..]), None));
    let headers: Vec<_> = records[0].headers().collect();
    let expected: [(&[u8], Option<&[u8]>); 3] = [(b"\xff\xfe", None), (b"a", Some(b"")), (b"a", Some(b"\x00\xff"))];
    assert_eq!(headers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_comes_back_with_its_metadata_and_the_next_member_starts_there() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 20).await;
    let mut member = Member::join(&broker, "orders");
    let assigned = member.assigned(1).await.remove(0);
    member.group.commit(&assigned.partition, assigned.assignment, commit(7, "fb1;L;1"));
    member.group.commit(&assigned.partition, assigned.assignment, commit(12, "fb1;L;2"));
    member.group.commit(&assigned.partition, assigned.assignment + 1, commit(99, "of no assignment"));
    // Replaced before the thread saw it: nothing of the wrong assignment is ever sent.
    member.group.commit(&assigned.partition, assigned.assignment, commit(12, "fb1;L;2"));
    member.group.flush_commits(PATIENCE).await.unwrap();
    loop {
        if let GroupEvent::CommitSettled { offset, result, assignment, .. } = member.event().await {
            assert_eq!((offset, result, assignment), (12, Ok(()), assigned.assignment));
            break;
        }
    }
    let admin = Admin::start(&broker.settings()).unwrap();
    let found = admin.committed("g", std::slice::from_ref(&assigned.partition)).await.unwrap();
    let found = found.into_iter().next().unwrap().unwrap();
    assert_eq!((found.offset, found.metadata.as_deref()), (12, Some("fb1;L;2")));
    member.group.commit(&assigned.partition, assigned.assignment, commit(15, "fb1;L;3"));
    let started = Instant::now();
    member.group.close(PATIENCE).await;
    assert!(started.elapsed() < Duration::from_secs(10), "leaving waits for nobody: {:?}", started.elapsed());

    let mut other = Member::join(&broker, "orders");
    let mut assigned = other.assigned(1).await.remove(0);
    let Ok(Some(Committed { offset, metadata, .. })) = assigned.committed else { panic!("{:?}", assigned.committed) };
    assert_eq!((offset, metadata.as_deref()), (15, Some("fb1;L;3")), "the last offer was committed on the way out");
    let (records, _) = until_end(&mut assigned.feed).await;
    assert_eq!(offsets(&records), (15..20).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_answered_once_and_nothing_older_follows() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 500).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    let (first, _) = until_end(&mut assigned.feed).await;
    assert_eq!(first.len(), 500);
    for (round, offset) in [(1, 480), (2, 0), (3, 499)] {
        member.group.start_at(&assigned.partition, assigned.assignment, Start { offset, leader_epoch: None });
        let seeked = next(&mut assigned.feed).await;
        assert!(matches!(seeked, Fetched::Seeked { generation, offset: to } if generation == round && to == offset));
        let (records, end) = until_end(&mut assigned.feed).await;
        assert_eq!(offsets(&records), (offset..500).collect::<Vec<i64>>());
        assert_eq!(end, 500);
    }
    member.group.start_at(&assigned.partition, assigned.assignment + 1, Start { offset: 3, leader_epoch: None });
    let quiet = timeout(Duration::from_millis(300), assigned.feed.next()).await;
    assert!(quiet.is_err(), "another assignment's wish is ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_where_reading_began_keeps_what_was_fetched() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 50).await;
    let mut member = Member::join(&broker, "orders");
    let assigned = member.assigned(1).await.remove(0);
    member.group.commit(&assigned.partition, assigned.assignment, commit(10, ""));
    member.group.close(PATIENCE).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    member.group.start_at(&assigned.partition, assigned.assignment, Start { offset: 10, leader_epoch: None });
    // What came before the thread saw the wish is of generation 0.
    loop {
        match next(&mut assigned.feed).await {
            Fetched::Seeked { generation, offset } => break assert_eq!((generation, offset), (1, 10)),
            Fetched::Records { generation, .. } | Fetched::End { generation, .. } => assert_eq!(generation, 0),
            stopped @ Fetched::Stopped { .. } => panic!("{stopped:?}"),
        }
    }
    let (records, _) = until_end(&mut assigned.feed).await;
    assert_eq!(offsets(&records), (10..50).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_out_of_range_stops_the_partition_until_a_new_start() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 10).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    until_end(&mut assigned.feed).await;
    member.group.start_at(&assigned.partition, assigned.assignment, Start { offset: 5000, leader_epoch: None });
    assert!(matches!(next(&mut assigned.feed).await, Fetched::Seeked { offset: 5000, .. }));
    match next(&mut assigned.feed).await {
        Fetched::Stopped { cause, offset, generation, .. } => {
            assert_eq!((cause, offset, generation), (StopCause::OutOfRange, Some(5000), 1));
        }
        other => panic!("{other:?}"),
    }
    member.group.start_at(&assigned.partition, assigned.assignment, Start { offset: 4, leader_epoch: None });
    assert!(matches!(next(&mut assigned.feed).await, Fetched::Seeked { generation: 2, offset: 4 }));
    let (records, end) = until_end(&mut assigned.feed).await;
    assert_eq!((offsets(&records), end), ((4..10).collect::<Vec<i64>>(), 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_and_a_revoked_feed_ends() {
    let broker = cluster("orders", 4);
    for partition in 0..4 {
        fill(&broker, "orders", partition, 10).await;
    }
    let mut first = Member::join(&broker, "orders");
    let mut owned = first.assigned(4).await;
    let mut second = Member::join(&broker, "orders");
    let (gone, lost) = first.revoked().await;
    assert_eq!((gone.len(), lost), (2, false));
    let taken = second.assigned(2).await;
    let taken: Vec<Partition> = taken.into_iter().map(|assigned| assigned.partition).collect();
    let mut ended: Vec<Partition> = gone.iter().map(|(at, _)| at.clone()).collect();
    ended.sort();
    assert_eq!(ended, taken);
    for assigned in &mut owned {
        if taken.contains(&assigned.partition) {
            while timeout(PATIENCE, assigned.feed.next()).await.unwrap().is_some() {}
            assert!(assigned.feed.is_ended());
        } else {
            let (records, _) = until_end(&mut assigned.feed).await;
            assert_eq!(records.len(), 10, "what stays goes on");
        }
    }
    // The leaver's partitions come back, as new assignments.
    second.group.close(PATIENCE).await;
    let back = first.assigned(2).await;
    for assigned in back {
        assert!(gone.iter().all(|(_, number)| *number != assigned.assignment));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_fetching_and_still_commits_and_leaves() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 10).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    until_end(&mut assigned.feed).await;
    member.group.stop_fetching();
    let producer = Producer::start(&broker.settings()).unwrap();
    member.group.commit(&assigned.partition, assigned.assignment, commit(10, ""));
    member.group.flush_commits(PATIENCE).await.unwrap();
    assert!(producer.send(outgoing("orders", 0, "late")).await.is_ok());
    let quiet = timeout(Duration::from_millis(500), assigned.feed.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    member.group.close(PATIENCE).await;
    assert!(timeout(PATIENCE, assigned.feed.next()).await.unwrap().is_none());
    assert!(!member.revoked().await.1, "the partition was ours to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_commands_at_once() {
    let broker = cluster("orders", 1);
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    until_end(&mut assigned.feed).await;
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        member.group.flush_commits(PATIENCE).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    assert!(times[10] < Duration::from_millis(40), "the poll's own wait is 100 ms: {times:?}");
    assert!(member.group.since_last_turn() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn knows_where_the_logs_end() {
    let broker = cluster("orders", 1);
    fill(&broker, "orders", 0, 10).await;
    let mut member = Member::join(&broker, "orders");
    let assigned = member.assigned(1).await.remove(0);
    let known = async {
        loop {
            if let Some(known) = member.group.watermarks(&assigned.partition) {
                return (known.low, known.high);
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(PATIENCE, known).await.unwrap(), (0, 10));
    let admin = member.group.admin();
    let bounds = admin.watermarks(&assigned.partition).await.unwrap();
    assert_eq!((bounds.low, bounds.high), (0, 10));
    assert!(!admin.cluster_id().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_the_cluster_is_away_and_that_it_is_back() {
    let broker = cluster("orders", 1);
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    until_end(&mut assigned.feed).await;
    broker.set_broker_up(1, false);
    while !matches!(member.event().await, GroupEvent::Unavailable(_)) {}
    broker.set_broker_up(1, true);
    while !matches!(member.event().await, GroupEvent::Recovered) {}
    fill(&broker, "orders", 0, 3).await;
    let (records, end) = until_end(&mut assigned.feed).await;
    assert_eq!((records.len(), end), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_a_topic_is_missing_and_starts_once_it_is_there() {
    let broker = cluster("other", 1);
    let mut member = Member::join(&broker, "orders");
    let GroupEvent::Unavailable(error) = member.event().await else { panic!("another event") };
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(error.to_string().contains("orders"), "{error}");
    assert!(error.to_string().contains("create the topic"), "{error}");
    broker.create_topic("orders", 1).unwrap();
    assert_eq!(member.assigned(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn describes_a_topic() {
    let broker = cluster("orders", 3);
    let admin = Admin::start(&broker.settings()).unwrap();
    let facts = admin.describe("orders").await.unwrap().unwrap();
    assert_eq!(facts.partitions, 3);
    assert_eq!(admin.describe("missing").await, Ok(None));
    let at = Partition { topic: "orders".into(), partition: 1 };
    assert_eq!(admin.offset_for_time(&at, 1).await, Ok(0), "an empty log's end");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_commits_go_on_when_the_groups_coordinator_moves() {
    let broker = Broker::start(3).unwrap();
    broker.create_topic("orders", 1).unwrap();
    broker.move_coordinator("g", 1).unwrap();
    fill(&broker, "orders", 0, 50).await;
    let mut member = Member::join(&broker, "orders");
    let mut assigned = member.assigned(1).await.remove(0);
    until_end(&mut assigned.feed).await;
    let producer = Producer::start(&broker.settings()).unwrap();
    for (round, coordinator) in [(0, 2), (1, 3), (2, 1)] {
        broker.move_coordinator("g", coordinator).unwrap();
        member.group.commit(&assigned.partition, assigned.assignment, commit(50 + round, "fb1;L;1"));
        member.group.flush_commits(PATIENCE).await.unwrap();
        assert_eq!(producer.send(outgoing("orders", 0, "late")).await, Ok((0, 50 + round)));
        let (records, _) = until_end(&mut assigned.feed).await;
        assert_eq!(offsets(&records), [50 + round], "with coordinator {coordinator}");
    }
    let admin = Admin::start(&broker.settings()).unwrap();
    let found = admin.committed("g", std::slice::from_ref(&assigned.partition)).await.unwrap();
    assert_eq!(found[0].as_ref().map(|committed| committed.offset), Some(52));
}
