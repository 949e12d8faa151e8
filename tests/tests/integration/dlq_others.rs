//! `forebay dlq` on what is not as usual: letters of others, values that a topic did not take, and what is refused.

use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::Manifest;
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use forebay_tests::reader;
use forebay_tests::record::Header;
use serde_json::json;

use crate::dlq::{dlq, kafka_only};
use crate::letters;
use crate::scene::noise;

fn header(name: &str, value: &[u8]) -> Header {
    (name.as_bytes().to_vec(), Some(value.to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_what_spring_and_connect_write() {
    let kafka = Kafka::shared().await;
    let names = Names::new("dlq_families");
    kafka.create_topic(&names.topic, 1, &[]).await;
    let spring = [
        header("own", b"1"),
        header("kafka_dlt-original-topic", b"orders"),
        header("kafka_dlt-original-partition", &5_i32.to_be_bytes()),
        header("kafka_dlt-original-offset", &4_294_967_296_i64.to_be_bytes()),
        header("kafka_dlt-original-timestamp", &1_700_000_000_000_i64.to_be_bytes()),
        header("kafka_dlt-original-consumer-group", b"billing"),
        header("kafka_dlt-exception-fqcn", b"java.lang.IllegalStateException"),
        header("kafka_dlt-exception-message", b"no customer\x1b[2J"),
        header("kafka_dlt-exception-stacktrace", b"java.lang.IllegalStateException: no customer\n\tat Orders.handle"),
    ];
    let connect = [
        header("__connect.errors.topic", b"orders"),
        header("__connect.errors.partition", b"2"),
        header("__connect.errors.offset", b"17"),
        header("__connect.errors.connector.name", b"warehouse"),
        header("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
        header("__connect.errors.exception.message", b"no schema"),
    ];
    let lies = [header("kafka_dlt-original-topic", b"orders"), header("kafka_dlt-original-offset", &[0xff; 8])];
    let producer = Producer::new(kafka);
    for headers in [&spring[..], &connect, &lies, &[]] {
        producer.send(&names.topic, 0, None, Some(b"v"), headers);
    }
    producer.flush().await;
    let file = kafka_only(kafka, &names).write();
    let topic = ["--topic", &names.topic];
    let list = dlq(&[&["list", file.arg()], &topic[..], &["--output", "json"]].concat()).await.json();
    let groups = list["topics"][0]["groups"].as_array().unwrap();
    let codes: Vec<_> = groups.iter().map(|group| (&group["code"], &group["letters"])).collect();
    let (connects, springs) = ("org.apache.kafka.connect.errors.DataException", "java.lang.IllegalStateException");
    let expected = [("-", 2), (springs, 1), (connects, 1)].map(|(code, letters)| (json!(code), json!(letters)));
    assert_eq!(codes, expected.each_ref().map(|(code, letters)| (code, letters)));

    let show = async |more: &[&str]| dlq(&[&["show", file.arg()], &topic[..], more].concat()).await;
    let facts = show(&["--limit", "9", "--output", "json"]).await.json();
    let families: Vec<_> = facts["letters"].as_array().unwrap().iter().map(|it| &it["family"]).collect();
    assert_eq!(families, ["spring", "connect", "spring", "unknown"]);
    let origins: Vec<_> = facts["letters"].as_array().unwrap().iter().map(|it| &it["origin"]).collect();
    let spring = json!({"topic": "orders", "partition": 5, "offset": 4_294_967_296_i64, "timestamp_ms": 1_700_000_000_000_i64, "group": "billing"});
    let connect = json!({"topic": "orders", "partition": 2, "offset": 17, "timestamp_ms": null, "group": null});
    assert_eq!(origins, [&spring, &connect, &json!(null), &json!(null)]);
    assert_eq!(facts["letters"][0]["headers"][0]["name"], "own");

    let said = show(&["--offset", "0"]).await;
    said.shows(&[
        "written by      spring\n",
        "orders [5] offset 4294967296, of 2023-11-14T22:13:20Z, read by group billing",
    ]);
    said.shows(&["headers (1):\n  own: 1\n", "headers about the failure (8):\n", "no customer\\u{1b}[2J\n"]);
    said.shows(&[
        "kafka_dlt-exception-stacktrace:\n    java.lang.IllegalStateException: no customer\n    \tat Orders.handle",
    ]);
    show(&["--offset", "3"]).await.shows(&["written by      unknown\n", "origin          not said\n"]);
}

/// What a reader of committed records does not see is at a log's end as well.
#[tokio::test(flavor = "multi_thread")]
async fn counts_no_further_than_what_is_committed() {
    let kafka = Kafka::shared().await;
    let names = Names::new("dlq_open");
    kafka.create_topic(&names.topic, 1, &[]).await;
    let file = kafka_only(kafka, &names).write();
    let count = async || {
        let list = dlq(&["list", file.arg(), "--topic", &names.topic, "--output", "json"]).await.json();
        list["topics"][0]["letters"].as_u64().unwrap()
    };
    let producer = Producer::transactional(kafka, &names.group);
    let send = async || producer.send_one(&names.topic, 0, None, Some(b"v"), &[]).await;
    for (commits, expected) in [(true, 1), (false, 1), (true, 2)] {
        producer.begin();
        send().await;
        if commits {
            producer.commit()
        } else {
            producer.abort()
        }
        // The broker answers before it has written the markers.
        reader::read_all(kafka, &names.topic).await;
        assert_eq!(count().await, expected, "the log's end is a marker");
    }
    producer.begin();
    send().await;
    assert_eq!(count().await, 2, "a transaction is open");
    producer.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_topic_did_not_take_is_shown_from_the_sink() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("dlq_kept");
    kafka.create_topic(&names.topic, 1, &[]).await;
    kafka.create_topic(&names.dead_letters, 1, &[("max.message.bytes", "4000")]).await;
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, "create table log (id bigint not null)").await;
    let producer = Producer::new(kafka);
    let reject = |pad: &str| format!(r#"{{"pad":"{pad}","reject":{{"code":"bad","message":"no"}}}}"#);
    let values = [reject("small"), reject(&noise(30_000)), reject(&noise(100_000)), reject("small")];
    for value in &values {
        producer.send(&names.topic, 0, Some(b"key"), Some(value.as_bytes()), &[header("own", b"\xff")]);
    }
    producer.flush().await;
    let manifest = Manifest::scripted(kafka, postgres, &names);
    let manifest = manifest.target("log", "{ sink = \"warehouse\", table = \"public.log\" }").write();
    let forebay = Forebay::start(&manifest, &[]);
    letters::until_at_end(&forebay, kafka, &names.topic).await;
    forebay.stop(Duration::from_secs(25)).await;

    let kept = ["show", &names.topic, manifest.arg(), "--limit", "9", "--output", "json"];
    let facts = dlq(&kept).await.json();
    let shown = facts["letters"].as_array().unwrap();
    // Those that went without their value went after the others of their batch.
    assert_eq!(shown.len(), 4, "{facts}");
    for letter in shown {
        let offset = usize::try_from(letter["origin"]["offset"].as_i64().unwrap()).unwrap();
        let from = if values[offset].len() > 4000 { "outbox" } else { "topic" };
        assert_eq!((&letter["value_from"], letter["value"].as_str()), (&json!(from), Some(&*values[offset])));
        assert_eq!(letter["headers"].as_array().map(Vec::len), Some(1));
    }
    let id = format!("{}/0/2/dlq", names.topic);
    let said = dlq(&["show", &names.topic, manifest.arg(), "--id", &id]).await;
    said.shows(&[
        "kept in forebay.outbox of sink `warehouse` (",
        "JSON):\n{\n  \"pad\": \"",
        "(not all of it; --full shows the rest)",
    ]);
    let full = dlq(&["show", &names.topic, manifest.arg(), "--id", &id, "--full"]).await;
    full.shows(&[&noise(100_000), "\"code\": \"bad\""]);
    assert!(said.out.len() < 80_000 && !full.out.contains("--full"), "{} bytes", said.out.len());
    // Somebody cleaned up.
    postgres.execute(&names.database, "delete from forebay.outbox").await;
    let said = dlq(&["show", &names.topic, manifest.arg(), "--id", &id]).await;
    said.shows(&["not to be had: sink `warehouse` has no such row in forebay.outbox any more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_not_there() {
    let kafka = Kafka::shared().await;
    let names = Names::new("dlq_refused");
    let manifest = kafka_only(kafka, &names);
    let file = manifest.write();
    let unknown = ["the manifest has no binding `nobody`", &format!("it has {}", names.topic)];
    dlq(&["list", "nobody", file.arg()]).await.refuses(2, &unknown);
    dlq(&["list", file.arg()]).await.refuses(78, &[&names.dead_letters, "does not exist; create it"]);
    dlq(&["show", &names.topic, file.arg()]).await.refuses(78, &[&names.dead_letters, "does not exist"]);
    dlq(&["list", "/nowhere/forebay.toml"]).await.refuses(78, &["/nowhere/forebay.toml"]);
    dlq(&["list", file.arg(), "--since", "yesterday"]).await.refuses(2, &["--since", "how long ago"]);
    let dropping = manifest.set("dead-letter", "\"drop\"").write();
    let sentence = format!("binding `{}` has no dead-letter topic", names.topic);
    dlq(&["list", &names.topic, dropping.arg()]).await.refuses(2, &[&sentence]);
    dlq(&["show", &names.topic, dropping.arg()]).await.refuses(2, &[&sentence]);
    dlq(&["list", dropping.arg()]).await.shows(&[&sentence]);
    let json = dlq(&["list", dropping.arg(), "--output", "json"]).await.json();
    assert_eq!(json, json!({"topics": [], "dropping": [names.topic]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_out_of_reach_is_69_within_a_bounded_time() {
    let names = Names::new("dlq_away");
    let file = kafka_only(Kafka::shared().await, &names).write();
    let text = std::fs::read_to_string(&file.path).unwrap();
    let away = text.replace(&Kafka::shared().await.bootstrap(), "127.0.0.1:1");
    assert_ne!(text, away);
    std::fs::write(&file.path, away).unwrap();
    let start = Instant::now();
    dlq(&["list", file.arg()]).await.refuses(69, &[&names.dead_letters]);
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}
