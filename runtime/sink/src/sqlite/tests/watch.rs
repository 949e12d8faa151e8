//! Changes as people are told them, and scripts with mistakes.

use forebay_core::verdict::Verdict;

use super::stage::{Stage, add, delete, int, table, text, update, upsert};
use crate::change::Change;

const SCHEMA: &str = "create table t (id integer primary key, n text check (n <> 'bad')) strict;
    create table log (id integer primary key, what text) strict;
    create trigger note after delete on t begin insert into log (what) values ('gone'); end;";

fn shown(change: &Change) -> String {
    let row = |row: &Option<Vec<Option<String>>>| match row {
        None => "none".to_owned(),
        Some(row) => row.iter().map(|value| value.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" "),
    };
    format!("{} ({}): {} to {}", change.table, change.columns.join(" "), row(&change.before), row(&change.after))
}

#[tokio::test]
async fn each_row_is_told_before_and_after_and_what_was_undone_is_not() {
    let mut stage = Stage::new(SCHEMA, &[table("t")]).await;
    let row = |id, n| vec![upsert("t", &[("id", int(id)), ("n", text(n))])];
    let committed = stage.write(&[row(1, "a"), row(2, "bad"), row(1, "b")]).await.unwrap();
    let changes: Vec<String> = committed.changes.iter().map(shown).collect();
    assert_eq!(changes, ["t (id n): none to 1 a", "t (id n): 1 a to 1 b"]);
    let committed = stage.write(&[vec![delete("t", &[("id", int(1))])]]).await.unwrap();
    let changes: Vec<String> = committed.changes.iter().map(shown).collect();
    assert!(changes.contains(&"t (id n): 1 b to none".to_owned()), "{changes:?}");
    assert!(changes.contains(&"log (id what): none to 1 gone".to_owned()), "{changes:?}");
    // A table that has changed is watched as it is now.
    stage.sink.execute_script("alter table t add column m integer").await.unwrap();
    let more = [vec![add("t", &[("id", int(3)), ("n", int(2))])], vec![update("t", &[("id", int(3)), ("n", int(4))])]];
    let committed = stage.write(&more).await.unwrap();
    let changes: Vec<String> = committed.changes.iter().map(shown).collect();
    assert_eq!(changes, ["t (id n m): none to 3 2 -", "t (id n m): 3 2 - to 3 4 -"]);
}

#[tokio::test]
async fn a_script_with_a_mistake_names_its_line_and_leaves_nothing() {
    let stage = Stage::new("", &[]).await;
    let script = "create table a (id integer primary key) strict;\n\ncreate tabel b (id integer);\n";
    let Err(Verdict::Misconfigured(cause)) = stage.sink.execute_script(script).await else { panic!("taken") };
    assert_eq!(cause.message, "sink `warehouse`: line 3 of the script: near \"tabel\": syntax error; correct it");
    let Err(Verdict::Misconfigured(cause)) = stage.sink.rows("a", 1).await else { panic!("there") };
    assert!(cause.message.contains("no such table"), "{}", cause.message);
    stage.sink.execute_script("create table a (id integer primary key) strict").await.unwrap();
    assert_eq!(stage.sink.rows("a", 1).await, Ok((vec!["id".into()], vec![], 0)));
}
