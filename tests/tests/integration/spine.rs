//! Kafka → handler → PostgreSQL, each effect exactly once, whatever is killed in between.

use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::Postgres;

use crate::orders::Orders;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn applies_every_order_once_and_rests_at_the_logs_end() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let mut orders = Orders::new(kafka, postgres, "smoke").await;
    orders.produce(9_000).await;
    let manifest = orders.manifest().write();
    let forebay = Forebay::start(&manifest, &[]);
    orders.until_at_end(MINUTE, &forebay).await;
    forebay.stop(Duration::from_secs(25)).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}
