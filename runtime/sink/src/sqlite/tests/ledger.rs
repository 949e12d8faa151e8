//! Ledger and outbox in the file: who owns a partition, and what is still to be sent.

use forebay_core::lane::Settled;
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::{Reason, Verdict};

use super::stage::{Stage, int, now, table, upsert};

const SCHEMA: &str = "create table t (id integer primary key) strict;";

#[tokio::test]
async fn a_fenced_owner_writes_nothing() {
    let mut stage = Stage::new(SCHEMA, &[table("t")]).await;
    assert_eq!((stage.epoch, stage.next), (1, 0));
    stage.write(&[vec![upsert("t", &[("id", int(1))])]]).await.unwrap();
    let acquired = stage.acquire().await.unwrap();
    assert_eq!((acquired.epoch, acquired.position), (2, 1));
    let late = stage.write(&[vec![upsert("t", &[("id", int(2))])]]).await;
    assert!(matches!(late, Err(Verdict::Fenced)));
    assert_eq!(stage.rows("t").await, ["1"]);
    stage.epoch = 2;
    stage.next = 0;
    // The same batch again: the position has moved over it.
    let repeated = stage.write(&[vec![upsert("t", &[("id", int(3))])]]).await;
    assert!(matches!(repeated, Err(Verdict::Fenced)));
    assert_eq!(stage.rows("t").await, ["1"]);
}

#[tokio::test]
async fn the_outbox_is_resent_until_it_is_settled_and_kept_letters_stay() {
    let mut stage = Stage::new(SCHEMA, &[table("t")]).await;
    let outgoing = |value: &'static str| Outgoing {
        topic: "out".into(),
        partition: Some(0),
        key: None,
        value: Some(value.as_bytes().into()),
        headers: Vec::new(),
        is_letter: true,
    };
    let mut write = stage.batch(&[vec![]]);
    write.settled = Settled { rows: vec![], kept: vec![(7, vec![outgoing("large")])] };
    stage.sink.write(&stage.context, &write, now()).await.unwrap();
    let pending =
        "insert into forebay_outbox (source, consumer_group, topic, partition, from_offset, next_offset, payload)
        select source, consumer_group, topic, partition, 0, 1, payload from forebay_outbox where state = 'kept'";
    stage.sink.execute_script(pending).await.unwrap();
    let acquired = stage.acquire().await.unwrap();
    let [resend] = acquired.resend.as_slice() else { panic!("{:?}", acquired.resend) };
    assert_eq!((resend.from, resend.next, &**resend.messages), (0, 1, [outgoing("large")].as_slice()));
    (stage.epoch, stage.next) = (acquired.epoch, acquired.position);
    let mut write = stage.batch(&[vec![]]);
    write.settled = Settled { rows: vec![1], kept: vec![] };
    stage.sink.write(&stage.context, &write, now()).await.unwrap();
    assert_eq!(stage.acquire().await.unwrap().resend.len(), 0);
    assert_eq!(stage.rows("forebay_outbox").await.len(), 1);
}

#[tokio::test]
async fn the_ledger_is_made_once_and_one_of_a_newer_version_halts() {
    let stage = Stage::new(SCHEMA, &[table("t")]).await;
    let id = stage.sink.ledger_id().await.unwrap();
    stage.sink.init().await.unwrap();
    assert_eq!((id.len(), stage.sink.ledger_id().await.unwrap()), (32, id));
    assert_eq!(stage.sink.ledger_faults().await.unwrap(), []);
    stage.sink.execute_script("update forebay_meta set value = '4' where key = 'schema-version'").await.unwrap();
    for verdict in [stage.sink.ledger_id().await.map(drop), stage.sink.ledger_faults().await.map(drop)] {
        let Err(Verdict::Misconfigured(cause)) = verdict else { panic!("{verdict:?}") };
        assert!(cause.message.contains("schema version 4"), "{}", cause.message);
    }
}

#[tokio::test]
async fn a_mistaken_row_names_the_way_out_and_keeps_its_epoch() {
    let stage = Stage::new(SCHEMA, &[table("t")]).await;
    let mut request = stage.request(stage.sink.ledger_id().await.unwrap());
    request.question.cluster_id = Some("another".into());
    let Err(Verdict::Misconfigured(cause)) = stage.sink.acquire(&request).await else { panic!("no halt") };
    assert_eq!(cause.reason, Reason::Position);
    assert!(cause.message.contains("forebay position set"), "{}", cause.message);
    // What was refused has not moved the epoch.
    assert_eq!(stage.acquire().await.unwrap().epoch, 2);
}

#[tokio::test]
async fn times_in_the_ledger_have_the_form_of_all_times() {
    let stage = Stage::new(SCHEMA, &[table("t")]).await;
    let row = stage.rows("forebay_ledger").await.remove(0);
    let updated_at = row.rsplit('|').next().unwrap();
    assert!(updated_at.len() == 32 && updated_at.ends_with("000+00:00"), "{updated_at}");
}
