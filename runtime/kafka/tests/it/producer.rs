//! Sending.

use std::time::Duration;

use bytes::Bytes;
use forebay_core::manifest::settings::Secret;
use forebay_kafka::{Outgoing, Producer, SendError};
use tokio::time::timeout;

use crate::support::{Member, PATIENCE, cluster, outgoing, until_end};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_waits_and_loses_nothing() {
    let broker = cluster("out", 1);
    let producer = Producer::start(&broker.settings()).unwrap();
    assert_eq!(producer.send(outgoing("out", 0, "before")).await, Ok((0, 0)));
    broker.set_broker_up(1, false);
    let mut sending = Box::pin(producer.send_all((0..10).map(|_| outgoing("out", 0, "during")).collect()));
    assert!(timeout(Duration::from_secs(1), &mut sending).await.is_err(), "it waits");
    assert!(!producer.flush(Duration::from_millis(50)).await);
    broker.set_broker_up(1, true);
    let landed = timeout(PATIENCE, sending).await.unwrap();
    assert!(landed.iter().all(Result::is_ok), "{landed:?}");
    assert!(producer.flush(PATIENCE).await);
    assert_eq!(producer.trouble(), None);
    let mut member = Member::join(&broker, "out");
    let mut assigned = member.assigned(1).await;
    assert_eq!(until_end(&mut assigned[0].feed).await.0.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_which_message_can_never_be_sent_and_sends_the_others() {
    let broker = cluster("out", 1);
    let mut settings = broker.settings();
    settings.properties.insert("message.max.bytes".to_owned(), Secret::new("100000"));
    settings.properties.insert("topic.metadata.propagation.max.ms".to_owned(), Secret::new("500"));
    let producer = Producer::start(&settings).unwrap();
    let mut large = outgoing("out", 0, "");
    large.value = Some(Bytes::from(vec![0; 200_000]));
    let messages = vec![outgoing("out", 0, "a"), large, outgoing("out", 0, "b"), outgoing("out", 9, "c")];
    let landed = timeout(PATIENCE, producer.send_all(messages)).await.unwrap();
    assert_eq!(landed[0], Ok((0, 0)));
    assert_eq!(landed[1], Err(SendError::TooLarge { topic: "out".into(), bytes: 200_000 }));
    assert_eq!(landed[2], Ok((0, 1)));
    assert_eq!(landed[3], Err(SendError::UnknownTopic { topic: "out".into() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn chooses_the_partition_that_javas_producer_chooses() {
    let broker = cluster("out", 10);
    let producer = Producer::start(&broker.settings()).unwrap();
    // Values of Java's `Utils.toPositive(Utils.murmur2(key)) % 10`, from the client's own published test vectors.
    for (key, hash) in [("kafka", 0xd067_cf64_u32), ("giberish123456789", 0x8f55_2b0c)] {
        let message = Outgoing {
            topic: "out".into(),
            partition: None,
            key: Some(Bytes::from_static(key.as_bytes())),
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
        };
        let expected = i32::try_from((hash & 0x7fff_ffff) % 10).unwrap();
        assert_eq!(producer.send(message).await.map(|(partition, _)| partition), Ok(expected), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_of_one_call_keep_their_order() {
    let broker = cluster("out", 1);
    let producer = Producer::start(&broker.settings()).unwrap();
    let messages = (0..30_000).map(|number: i32| outgoing("out", 0, &number.to_string())).collect();
    let landed = timeout(PATIENCE, producer.send_all(messages)).await.unwrap();
    let expected: Vec<_> = (0..30_000).map(|offset| Ok((0, offset))).collect();
    assert_eq!(landed, expected);
}
