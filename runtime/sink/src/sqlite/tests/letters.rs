//! Letters that are kept in the file because their topic takes nothing as large.

use bytes::Bytes;
use forebay_core::lane::Settled;
use forebay_core::outbox::Outgoing;

use super::stage::{Stage, now, table};
use crate::ledger::LaneKey;

fn letter(value: &'static str, ids: &[&'static str]) -> Outgoing {
    let headers = ids.iter().map(|id| (Bytes::from_static(b"forebay.id"), Some(Bytes::from_static(id.as_bytes()))));
    let (topic, partition, value) = ("orders.dlq".into(), Some(0), Some(Bytes::from_static(value.as_bytes())));
    Outgoing { topic, partition, key: None, value, headers: headers.collect(), is_letter: true }
}

#[tokio::test]
async fn a_kept_letter_is_found_by_its_records_offset_and_its_own_id() {
    let stage = Stage::new("create table t (id integer primary key) strict;", &[table("t")]).await;
    let message = Outgoing { is_letter: false, ..letter("message", &["b"]) };
    let kept = vec![
        (5, vec![letter("of a", &["a"])]),
        // The record had a header of that name as well; it comes first.
        (9, vec![message, letter("claims", &["b", "c"]), letter("of b", &["b"])]),
    ];
    let mut write = stage.batch(&[vec![]]);
    write.settled = Settled { rows: vec![], kept };
    stage.sink.write(&stage.context, &write, now()).await.unwrap();
    let key = stage.context.key.clone();
    let value = async |offset, id| {
        let found = stage.sink.kept_letter(&key, offset, id).await.unwrap();
        found.and_then(|letter| letter.value).map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    assert_eq!(value(4, "a").await.as_deref(), Some("of a"));
    assert_eq!(value(5, "b").await.as_deref(), Some("of b"));
    assert_eq!(value(7, "c").await.as_deref(), Some("claims"));
    // Batches may have been cut otherwise since.
    assert_eq!(value(3, "b").await.as_deref(), Some("of b"));
    assert_eq!(value(5, "a").await, None, "that row lies before the record");
    assert_eq!(value(0, "nobody's").await, None);
    let other = LaneKey { group: "another".to_owned(), ..key.clone() };
    assert!(stage.sink.kept_letter(&other, 0, "a").await.unwrap().is_none());
}
