//! Back-pressure: nobody's full feed or the full budget stops the others.

use forebay_core::budget::Budget;
use forebay_kafka::{Feed, Fetched, Producer};
use tokio::time::timeout;

use crate::support::{Member, PATIENCE, cluster, next, outgoing};

const COUNT: usize = 20_000;

async fn fill_both(broker: &forebay_kafka::mock::Broker) {
    let producer = Producer::start(&broker.settings()).unwrap();
    let value = "x".repeat(100);
    for partition in 0..2 {
        let messages = (0..COUNT).map(|_| outgoing("orders", partition, &value)).collect();
        let landed = timeout(PATIENCE, producer.send_all(messages)).await.unwrap();
        assert!(landed.iter().all(Result::is_ok));
    }
}

/// Reads on from `from` to the log's end; each chunk is terminal before the next is asked for.
async fn drain(feed: &mut Feed, mut from: i64) {
    loop {
        match next(feed).await {
            Fetched::Records { records, .. } => {
                for record in &records {
                    assert_eq!(record.offset, from, "nothing is missing and nothing comes twice");
                    from += 1;
                }
            }
            Fetched::End { offset, .. } if offset == COUNT as i64 => return assert_eq!(from, offset),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_feed_pauses_while_another_flows_and_loses_nothing() {
    let broker = cluster("orders", 2);
    fill_both(&broker).await;
    // Two partitions share half of 4 MiB: a feed holds 1 MiB, its partition has more than 4 MiB of records in memory.
    let budget = Budget::new(4 << 20);
    let mut member = Member::join_with(&broker, "orders", budget.clone());
    let mut assigned = member.assigned(2).await;
    let mut unread = assigned.remove(0);
    let mut read = assigned.remove(0);
    drain(&mut read.feed, 0).await;
    assert!(unread.feed.bytes_waiting() <= (1 << 20) + (512 << 10), "{}", unread.feed.bytes_waiting());
    assert!(unread.feed.bytes_waiting() > 0);
    drain(&mut unread.feed, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_budget_starves_nobody_who_has_nothing() {
    let broker = cluster("orders", 2);
    fill_both(&broker).await;
    let budget = Budget::new(2 << 20);
    // Somebody else holds the whole budget, and for ever.
    let held = budget.take(3 << 20);
    let mut member = Member::join_with(&broker, "orders", budget.clone());
    let mut assigned = member.assigned(2).await;
    let mut positions = Vec::new();
    for assigned in &mut assigned {
        let mut seen = 0;
        while seen < 2000 {
            // Each chunk is terminal before the next is asked for.
            if let Fetched::Records { records, .. } = next(&mut assigned.feed).await {
                assert_eq!(records[0].offset, seen);
                seen += records.len() as i64;
            }
            assert!(budget.used() < (3 << 20) + (2 << 20), "{}", budget.used());
        }
        positions.push(seen);
    }
    // Once there is room, everybody goes on.
    drop(held);
    drain(&mut assigned[1].feed, positions[1]).await;
    drain(&mut assigned[0].feed, positions[0]).await;
}
