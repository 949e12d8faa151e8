//! The harness itself, against the real servers it starts.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_tests::groups::{self, GroupRow};
use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::producer::{Ack, Producer};
use forebay_tests::record::Header;
use forebay_tests::{oracle, reader, wait};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread")]
async fn reads_back_every_record_that_the_broker_acknowledged() {
    let kafka = Kafka::shared().await;
    let names = Names::new("harness_produce");
    kafka.create_topic(&names.topic, 6, &[]).await;
    let producer = Producer::new(kafka);
    for id in 0..10_000_i32 {
        let (key, value) = ((id % 100).to_string(), format!("{{\"id\":{id}}}"));
        producer.send(&names.topic, id % 6, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
    let acks = producer.flush().await;
    let records = reader::read_all(kafka, &names.topic).await;
    let read: BTreeSet<(i32, i64, String)> =
        records.iter().map(|record| (record.partition, record.offset, record.text().to_owned())).collect();
    let sent: BTreeSet<(i32, i64, String)> =
        acks.iter().enumerate().map(|(id, ack)| (ack.partition, ack.offset, format!("{{\"id\":{id}}}"))).collect();
    assert_eq!(acks.len(), 10_000);
    assert_eq!(read, sent);
    assert_eq!(oracle::log_ends(kafka, &names.topic).values().sum::<i64>(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn carries_headers_and_nulls_byte_for_byte() {
    let kafka = Kafka::shared().await;
    let names = Names::new("harness_bytes");
    kafka.create_topic(&names.topic, 1, &[]).await;
    let headers: Vec<Header> = vec![
        (b"plain".to_vec(), Some(b"text".to_vec())),
        (vec![0xff, 0xfe], Some(vec![0, 1, 2])),
        (b"plain".to_vec(), None),
        (b"empty".to_vec(), Some(Vec::new())),
    ];
    let producer = Producer::new(kafka);
    producer.send_one(&names.topic, 0, None, None, &headers).await;
    producer.send_one(&names.topic, 0, Some(b""), Some(b""), &[]).await;
    let records = reader::read_all(kafka, &names.topic).await;
    assert_eq!((&records[0].key, &records[0].value), (&None, &None));
    assert_eq!(records[0].headers, headers);
    assert_eq!((records[1].key.as_deref(), records[1].value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_aborted_records_out_and_counts_transaction_markers() {
    let kafka = Kafka::shared().await;
    let names = Names::new("harness_transactions");
    kafka.create_topic(&names.topic, 1, &[]).await;
    let producer = Producer::transactional(kafka, &names.group);
    for (value, is_committed) in [(b"kept", true), (b"gone", false)] {
        producer.begin();
        producer.send(&names.topic, 0, None, Some(value), &[]);
        if is_committed { producer.commit() } else { producer.abort() }
    }
    let records = reader::read_all(kafka, &names.topic).await;
    assert_eq!(records.iter().map(|record| record.text()).collect::<Vec<_>>(), ["kept"]);
    // Two records and a marker behind each.
    assert_eq!(oracle::log_ends(kafka, &names.topic).into_values().collect::<Vec<_>>(), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sees_a_group_as_kafkas_own_tool_does_and_moves_it() {
    let kafka = Kafka::shared().await;
    let names = Names::new("harness_groups");
    kafka.create_topic(&names.topic, 2, &[]).await;
    let producer = Producer::new(kafka);
    (0..7).for_each(|_| {
        producer.send(&names.topic, 1, None, Some(b"x"), &[]);
    });
    producer.flush().await;
    commit(kafka, &names, 1, 5);
    let row = |partition, current, end, lag| GroupRow { topic: names.topic.clone(), partition, current, end, lag };
    let rows = groups::describe(kafka, &names.group).await;
    assert_eq!(rows.last(), Some(&row(1, Some(5), 7, Some(2))), "of {rows:?}");
    groups::reset_offsets(kafka, &names.group, &names.topic, &["--to-offset", "3"]).await;
    let committed = oracle::committed(kafka, &names.group, &names.topic);
    assert_eq!(committed[&(names.topic.clone(), 1)].offset, 3);
}

fn commit(kafka: &Kafka, names: &Names, partition: i32, offset: i64) {
    let mut config = kafka.client_config();
    let consumer: BaseConsumer = config.set("group.id", &names.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&names.topic, partition, Offset::Offset(offset)).unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_topics_as_an_operator_would() {
    let kafka = Kafka::shared().await;
    let names = Names::new("harness_topics");
    kafka.create_topic(&names.topic, 1, &[("max.message.bytes", "2097152")]).await;
    let producer = Producer::new(kafka);
    for _ in 0..3 {
        producer.send_one(&names.topic, 0, None, Some(&vec![b'x'; 1_500_000]), &[]).await;
    }
    kafka.delete_records(&names.topic, 0, 2).await;
    let left = reader::read_all(kafka, &names.topic).await;
    assert_eq!(left.iter().map(|record| record.offset).collect::<Vec<_>>(), [2]);
    kafka.add_partitions(&names.topic, 3).await;
    assert_eq!(kafka.partitions(&names.topic), Some(3));
    kafka.delete_topic(&names.topic).await;
    assert_eq!(kafka.partitions(&names.topic), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_ones_own_keeps_its_records_over_a_kill() {
    let kafka = Kafka::start().await;
    kafka.create_topic("kept", 1, &[]).await;
    let producer = Producer::new(&kafka);
    assert_eq!(producer.send_one("kept", 0, None, Some(b"before"), &[]).await, Ack { partition: 0, offset: 0 });
    kafka.kill();
    kafka.restart().await;
    kafka.stop_process();
    kafka.cont_process();
    producer.send("kept", 0, None, Some(b"after"), &[]);
    assert_eq!(producer.flush().await.len(), 2);
    let records = reader::read_all(&kafka, "kept").await;
    assert_eq!(records.iter().map(|record| record.text()).collect::<Vec<_>>(), ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_the_shared_server_are_apart() {
    let postgres = Postgres::shared().await;
    let (one, two) = (Names::new("harness_one").database, Names::new("harness_two").database);
    postgres.create_database(&one).await;
    postgres.create_database(&two).await;
    postgres.execute(&one, "create table t (id text); insert into t values ('a'), ('b')").await;
    let client = postgres.connect(&one).await;
    assert_eq!(oracle::ids(&client, "select id from t order by id").await, ["a", "b"]);
    assert!(postgres.query(&two, "select 1 from pg_tables where tablename = 't'", &[]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_keeps_its_rows_over_a_crash() {
    let postgres = Postgres::start().await;
    postgres.execute("postgres", "create table t (id int); insert into t values (1)").await;
    postgres.stop(Stop::Immediate).await;
    assert!(postgres.try_connect("postgres").await.is_err());
    postgres.start_again().await;
    assert_eq!(postgres.query("postgres", "select id from t", &[]).await[0].get::<_, i32>(0), 1);
    postgres.stop(Stop::Fast).await;
    let is_away = async || postgres.try_connect("postgres").await.is_err();
    wait::until(Duration::from_secs(5), "the stopped server to be away", is_away).await;
}
