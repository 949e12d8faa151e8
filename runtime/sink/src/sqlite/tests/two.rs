//! Never two processes: the second one waits, and what a person must mend is told.

use std::time::Duration;

use forebay_core::verdict::{Reason, Verdict};

use super::stage::{Folder, Stage, int, table, upsert};
use crate::sqlite::Sqlite;

const SCHEMA: &str = "create table t (id integer primary key) strict;";

#[tokio::test]
async fn the_second_waits_and_takes_over_when_the_first_lets_go() {
    let mut stage = Stage::new(SCHEMA, &[table("t")]).await;
    let second = Sqlite::new("warehouse", &stage.folder.file(), Duration::from_millis(1));
    let Err(Verdict::Unavailable(cause)) = second.ledger_id().await else { panic!("two at once") };
    assert_eq!(cause.reason, Reason::Database);
    assert!(cause.message.contains("another process has"), "{}", cause.message);
    // Questions are answered all the same.
    assert_eq!(second.table(&table("t")).await.unwrap().faults, []);
    assert_eq!(second.ledger_faults().await.unwrap(), []);
    stage.write(&[vec![upsert("t", &[("id", int(1))])]]).await.unwrap();
    stage.sink.close().await;
    let acquired = second.acquire(&stage.request(second.ledger_id().await.unwrap())).await.unwrap();
    assert_eq!((acquired.epoch, acquired.position), (2, 1));
}

#[tokio::test]
async fn another_programs_transaction_is_waited_for() {
    let folder = Folder::new();
    let sink = Sqlite::new("warehouse", &folder.file(), Duration::from_millis(10));
    let mut stage = Stage::on(folder, sink, SCHEMA, &[table("t")]).await;
    let other = rusqlite::Connection::open(stage.folder.file()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let batch = [vec![upsert("t", &[("id", int(1))])]];
    let Err(Verdict::Unavailable(cause)) = stage.write(&batch).await else { panic!("not busy") };
    assert!(cause.message.contains("SQLITE_BUSY"), "{}", cause.message);
    other.execute_batch("rollback").unwrap();
    stage.write(&batch).await.unwrap();
    assert_eq!(stage.rows("t").await, ["1"]);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_not_written_any_more() {
    let mut stage = Stage::new(SCHEMA, &[table("t")]).await;
    std::fs::rename(stage.folder.file(), stage.folder.0.join("moved.db")).unwrap();
    let Err(Verdict::Misconfigured(cause)) = stage.write(&[vec![upsert("t", &[("id", int(1))])]]).await else {
        panic!("written where nobody looks")
    };
    assert!(cause.message.contains("there is no file"), "{}", cause.message);
}

#[tokio::test]
async fn what_is_wrong_with_the_place_is_told() {
    let folder = Folder::new();
    let of = |name: &str| Sqlite::new("warehouse", &folder.0.join(name), Duration::from_millis(1));
    std::fs::write(folder.0.join("text.db"), "not a database, whatever its name says".repeat(100)).unwrap();
    for (name, expected) in [
        ("none.db", "there is no file"),
        ("nowhere/file.db", "there is no folder"),
        ("", "is a folder"),
        ("text.db", "SQLITE_NOTADB"),
    ] {
        let Err(Verdict::Misconfigured(cause)) = of(name).ledger_id().await else { panic!("`{name}` was taken") };
        assert!(
            cause.message.starts_with("sink `warehouse`: ") && cause.message.contains(expected),
            "{}",
            cause.message
        );
    }
    assert!(!folder.0.join("none.db").exists());
}
