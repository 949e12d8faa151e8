//! Where little is to be written the lanes of a binding join one transaction, and part again where one of them is refused or held:
//! what the others have comes to its table all the same.

use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::postgres::Postgres;
use forebay_tests::wait;
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene, effect};

const PARTITIONS: i32 = 12;
const ROUNDS: i64 = 150;

const LOG: &str = "create table log (p int not null, n bigint not null, check (p > 0 or n <> 77), primary key (p, n))";

fn row(partition: i32, n: i64) -> Value {
    effect("insert", "log", json!({ "p": partition, "n": n }))
}

/// Brings a record to each partition, over and over, some thousand in a second.
async fn trickle(scene: &Scene<'_>, from: i64) {
    let mut turns = tokio::time::interval(Duration::from_millis(10));
    for n in from..from + ROUNDS {
        turns.tick().await;
        for partition in 0..PARTITIONS {
            let _ticket = scene.put(partition, &[row(partition, n)]);
        }
    }
}

async fn until_assigned(forebay: &Forebay) {
    let is_assigned = |status: &Value| {
        let partitions = forebay_tests::forebay::partitions_of(status);
        partitions.filter(|partition| partition["state"] != "starting").count() == usize::try_from(PARTITIONS).unwrap()
    };
    forebay.until(MINUTE, "all partitions", is_assigned).await;
}

/// The transactions that have rows of more than one partition.
async fn joined(scene: &Scene<'_>) -> u64 {
    let several = "select xmin::text from log group by 1 having count(distinct p) > 1";
    scene.text(&format!("select count(*)::text from ({several}) them")).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn small_batches_of_several_partitions_are_one_transaction_and_a_refused_row_is_its_lanes_alone() {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "joined", PARTITIONS, LOG).await;
    let file = scene.manifest(&[("log", "key = [\"p\", \"n\"]")]).write();
    let forebay = Forebay::start(&file, &[]);
    until_assigned(&forebay).await;
    trickle(&scene, 0).await;
    scene.until_at_end(&forebay).await;
    let transactions = scene.text("select count(distinct xmin::text)::text from log").await;
    println!("{} transactions of one partition or more, {} of several", transactions, joined(&scene).await);
    // On a busy machine there are few transactions at all.
    assert!(joined(&scene).await > 10, "lanes join");
    let rows = scene.text("select count(*)::text || ' ' || count(distinct (p, n))::text from log").await;
    let good = i64::from(PARTITIONS) * ROUNDS - 1;
    assert_eq!(rows, format!("{good} {good}"));
    assert_eq!(scene.letters().await.len(), 1);
    scene.rest(&forebay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_held_by_a_lock_holds_the_others_once_at_the_most() {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "joined_held", PARTITIONS, LOG).await;
    let manifest = scene.manifest(&[("log", "key = [\"p\", \"n\"]")]);
    let file = manifest.sink_key("timeouts", "{ lock = \"500ms\" }").write();
    let forebay = Forebay::start(&file, &[]);
    until_assigned(&forebay).await;
    // An uncommitted row of the same key: whoever brings that one waits for the lock.
    let holder = scene.postgres.connect(&scene.names.database).await;
    holder.batch_execute("begin; insert into log values (0, 3)").await.unwrap();
    trickle(&scene, 0).await;
    let others = "select (count(*) filter (where p > 0))::text from log";
    let all = (i64::from(PARTITIONS - 1) * ROUNDS).to_string();
    let is_there = async || scene.text(others).await == all;
    wait::until_or_dump(Duration::from_secs(15), "the rows of all other partitions", is_there, || forebay.tail()).await;
    assert_eq!(
        scene.text("select count(*)::text from log where p = 0 and n > 3").await,
        "0",
        "the one that is held waits"
    );
    holder.batch_execute("rollback").await.unwrap();
    let all = (i64::from(PARTITIONS) * ROUNDS - 1).to_string();
    let is_there = async || scene.text("select count(*)::text from log").await == all;
    wait::until_or_dump(MINUTE, "every row", is_there, || forebay.tail()).await;
    assert_eq!(scene.letters().await.len(), 1);
    scene.rest(&forebay).await;
}
