//! A process whose loops stand: it ends by itself, and its partitions go on elsewhere.

use std::time::Duration;

use forebay_tests::forebay::{FAILPOINTS, Forebay};
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::Postgres;
use serde_json::json;

use crate::scene::{MINUTE, Scene, effect};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_lane_stands_ends_with_70_and_another_goes_on() {
    let servers = (Kafka::shared().await, Postgres::shared().await);
    let scene = Scene::new(servers, "watchdog", 3, "create table log (n int)").await;
    let manifest = scene.manifest(&[("log", "")]).set("batch", "{ max-records = 20 }");
    let put = |numbers: std::ops::Range<i32>| {
        for n in numbers {
            scene.put(n % 3, &[effect("insert", "log", json!({ "n": n }))]);
        }
    };
    put(0..3_000);
    scene.producer.flush().await;
    let hung = Forebay::start(&manifest.write(), &[(FAILPOINTS, "before-group-commit:9:hang")]);
    let has_some = async || scene.positions().await.values().sum::<i64>() > 100;
    forebay_tests::wait::until_or_dump(MINUTE, "the first records to be applied", has_some, || hung.tail()).await;
    let status = hung.wait_exit(3 * MINUTE / 2).await;
    assert_eq!(status.code(), Some(70), "{}", hung.tail());
    assert!(hung.log().contains("did not turn for 60 s"), "it says why:\n{}", hung.tail());
    put(3_000..3_300);
    let other = Forebay::start(&manifest.write(), &[]);
    scene.until_at_end(&other).await;
    other.stop(Duration::from_secs(25)).await;
    let log = scene.text("select count(*) || ' ' || count(distinct n) from log").await;
    assert_eq!(log, "3300 3300", "rows and different ones");
}
