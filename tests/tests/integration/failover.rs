//! A database that loses what it had committed: the standby that takes over was a little behind, or a backup is restored,
//! while the runtime runs. Rows and position go back together, so the same records bring the same rows again.

use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::{Postgres, Stop};

use crate::orders::Orders;
use crate::scene::MINUTE;

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_database_lost_come_again_with_their_position() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::start().await);
    let mut orders = Orders::new(kafka, &postgres, "failover").await.poison_every(500);
    orders.refuse_disorder().await;
    let manifest = orders.manifest().set("batch", "{ max-records = 100 }").write();
    orders.produce(20_000).await;
    let forebay = Forebay::start(&manifest, &[]);
    for (kept_at, lost_at) in [(2_000, 6_000), (9_000, 14_000)] {
        orders.until_position(MINUTE, kept_at, &forebay).await;
        postgres.stop(Stop::Fast).await;
        postgres.keep_copy();
        postgres.start_again().await;
        orders.until_position(MINUTE, lost_at, &forebay).await;
        postgres.stop(Stop::Immediate).await;
        postgres.go_back_to_copy();
        postgres.start_again().await;
        let client = postgres.connect(&orders.names.database).await;
        let sum = "select coalesce(sum(next_offset), 0)::bigint from forebay.ledger";
        let position: i64 = client.query_one(sum, &[]).await.unwrap().get(0);
        assert!(position < lost_at, "it lost something: it is at {position}, and was at {lost_at}");
    }
    orders.produce(2_000).await;
    orders.until_at_end(2 * MINUTE, &forebay).await;
    assert!(forebay.log().contains("the database was rewound"), "it says so:\n{}", forebay.tail());
    forebay.stop(Duration::from_secs(25)).await;
    // What the lost history had removed from the outbox is there again, also where a partition's position is the same: whoever
    // acquires it next sends and removes it.
    let forebay = Forebay::start(&manifest, &[]);
    forebay.until_caught_up(MINUTE, 6).await;
    forebay.stop(Duration::from_secs(25)).await;
    orders.assert_exact().await;
    orders.assert_at_rest().await;
}
