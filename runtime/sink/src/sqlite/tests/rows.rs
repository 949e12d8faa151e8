//! Effects against real tables: what is stored, what is refused, and that nothing of a refused record stays.

use forebay_core::fault::Class;
use forebay_core::lane::Stop;
use forebay_core::manifest::settings::{OnConflict, Table};
use forebay_core::outcome::Value;
use forebay_core::verdict::{Reason, Verdict};

use super::stage::{Stage, add, delete, insert, int, table, text, update, upsert};

const KINDS: &str = "create table kinds (id integer primary key, i integer, r real, t text, b blob, a any) strict;";

#[tokio::test]
async fn every_value_is_stored_in_its_form() {
    let mut stage = Stage::new(KINDS, &[table("kinds")]).await;
    let micros = Value::TimestampMicros(1_795_248_000_500_000);
    let rows = [
        ("i", Value::Boolean(true), "1"),
        ("i", micros.clone(), "1795248000500000"),
        ("i", text("12"), "12"),
        ("r", int(2), "2"),
        ("r", Value::Float(2.5), "2.5"),
        ("t", micros.clone(), "2026-11-21 08:00:00.5+00:00"),
        ("t", int(12), "12"),
        ("t", Value::Float(12.5), "12.5"),
        ("t", Value::Boolean(false), "false"),
        ("b", Value::Bytes(vec![1, 255]), "\\x01ff"),
        ("a", text("12"), "12"),
        ("a", Value::Null, "-"),
    ];
    for (number, (column, value, expected)) in rows.into_iter().enumerate() {
        let id = int(i64::try_from(number).unwrap());
        let fault = stage.fault(vec![insert("kinds", &[("id", id), (column, value.clone())])]).await;
        assert_eq!(fault, None, "{value:?} in {column}");
        let shown = stage.rows("kinds").await.remove(number);
        assert!(shown.split('|').any(|shown| shown == expected), "{value:?} in {column}: {shown}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_the_records_fault() {
    let mut stage = Stage::new(KINDS, &[table("kinds")]).await;
    let rows = [
        ("i", Value::Float(1.0), Class::Contract, "type"),
        ("i", text("x"), Class::Data, "SQLITE_CONSTRAINT_DATATYPE"),
        ("r", text("x"), Class::Data, "SQLITE_CONSTRAINT_DATATYPE"),
        ("r", Value::Float(f64::NAN), Class::Contract, "range"),
        ("t", text("a\0"), Class::Contract, "nul-byte"),
        ("a", text("a\0"), Class::Contract, "nul-byte"),
        ("b", text("x"), Class::Contract, "type"),
        ("id", Value::Null, Class::Contract, "null"),
        ("nope", int(1), Class::Contract, "unknown-column"),
    ];
    for (column, value, class, code) in rows {
        let fault = stage.fault(vec![insert("kinds", &[(column, value.clone())])]).await.unwrap();
        assert_eq!((fault.class, fault.code.as_str()), (class, code), "{value:?} in {column}: {}", fault.message);
    }
    let fault = stage.fault(vec![delete("kinds", &[("id", text("x"))])]).await.unwrap();
    assert_eq!((fault.code.as_str(), fault.site.as_str()), ("SQLITE_MISMATCH", "kinds.id"));
    assert_eq!(stage.rows("kinds").await, [""; 0]);
}

#[tokio::test]
async fn sums_are_exact_refuse_what_is_no_number_and_never_wrap() {
    let mut stage = Stage::new(KINDS, &[table("kinds")]).await;
    let sum = |column, value| vec![add("kinds", &[("id", int(1)), (column, value)])];
    for (column, value) in
        [("t", text("0.1")), ("t", text("0.20")), ("t", int(1)), ("i", int(i64::MAX)), ("i", Value::Null)]
    {
        assert_eq!(stage.fault(sum(column, value)).await, None);
    }
    assert_eq!(stage.rows("kinds").await, [format!("1|{}|-|1.30|-|-", i64::MAX)]);
    for (column, value) in [("i", int(1)), ("i", text("x")), ("t", text("x")), ("r", text("")), ("i", text("1.5"))] {
        let fault = stage.fault(sum(column, value.clone())).await.unwrap();
        assert_eq!(fault.class, Class::Data, "{value:?}: {fault:?}");
    }
    for (column, value) in [("b", int(1)), ("a", int(1)), ("i", Value::Boolean(true)), ("t", Value::TimestampMicros(0))]
    {
        assert_eq!(stage.fault(sum(column, value)).await.unwrap().code, "type");
    }
    assert_eq!(stage.rows("kinds").await, [format!("1|{}|-|1.30|-|-", i64::MAX)]);
}

#[tokio::test]
async fn text_among_numbers_that_are_added_to_is_told_as_the_records_fault() {
    let mut stage = Stage::new(KINDS, &[table("kinds")]).await;
    assert_eq!(stage.fault(vec![upsert("kinds", &[("id", int(1)), ("t", text("word"))])]).await, None);
    let fault = stage.fault(vec![add("kinds", &[("id", int(1)), ("t", int(1))])]).await.unwrap();
    assert!(fault.message.contains("no decimal number"), "{}", fault.message);
}

#[tokio::test]
async fn a_refused_record_leaves_no_row_and_the_others_stay() {
    let schema = "create table a (id integer primary key, n integer check (n < 10)) strict;
        create table b (id integer primary key, n integer) strict;";
    let mut stage = Stage::new(schema, &[table("a"), table("b")]).await;
    let both = |id, n| vec![upsert("b", &[("id", int(id))]), upsert("a", &[("id", int(id)), ("n", int(n))])];
    let committed = stage.write(&[both(1, 1), both(2, 99), both(3, 3)]).await.unwrap();
    let fault = &committed.refused[&1];
    assert_eq!(
        (fault.class, fault.code.as_str(), fault.site.as_str()),
        (Class::Data, "SQLITE_CONSTRAINT_CHECK", "n < 10")
    );
    assert_eq!(committed.refused.len(), 1);
    assert_eq!(
        (stage.rows("a").await, stage.rows("b").await),
        (vec!["1|1".into(), "3|3".into()], vec!["1|-".into(), "3|-".into()])
    );
}

#[tokio::test]
async fn constraints_refuse_whatever_a_table_says_about_conflicts() {
    let schema = "create table t (id integer primary key on conflict replace, e text unique on conflict ignore,
        n integer not null on conflict ignore default 1) strict;";
    let mut stage = Stage::new(schema, &[table("t")]).await;
    let row = |id, e| insert("t", &[("id", int(id)), ("e", text(e))]);
    assert_eq!(stage.fault(vec![row(1, "x")]).await, None);
    assert_eq!(stage.fault(vec![row(1, "y")]).await.unwrap().code, "SQLITE_CONSTRAINT_PRIMARYKEY");
    assert_eq!(stage.fault(vec![row(2, "x")]).await.unwrap().code, "SQLITE_CONSTRAINT_UNIQUE");
    let fault = stage.fault(vec![upsert("t", &[("id", int(2)), ("e", text("x"))])]).await.unwrap();
    assert_eq!((fault.code.as_str(), fault.site.as_str()), ("SQLITE_CONSTRAINT_UNIQUE", "t.e"));
    assert_eq!(stage.rows("t").await, ["1|x|1"]);
}

#[tokio::test]
async fn a_row_that_is_not_there_is_missing_and_one_without_a_parent_waits() {
    let schema = "create table parent (id integer primary key) strict;
        create table child (id integer primary key, p integer references parent (id)) strict;";
    let mut stage = Stage::new(schema, &[table("parent"), table("child")]).await;
    let fault = stage.fault(vec![update("child", &[("id", int(1)), ("p", Value::Null)])]).await.unwrap();
    assert_eq!((fault.class, fault.code.as_str()), (Class::Data, "missing-row"));
    let child = |id, p| vec![upsert("child", &[("id", int(id)), ("p", int(p))])];
    let committed = stage.write(&[vec![upsert("parent", &[("id", int(1))])], child(1, 1), child(2, 2)]).await.unwrap();
    assert_eq!((committed.written.done, stage.next), (2, 3));
    assert!(matches!(committed.written.stop, Some(Stop::Wait(fault)) if fault.code == "SQLITE_CONSTRAINT_FOREIGNKEY"));
    // A parent behind its child in one batch is no fault: the manifest's order of targets rules.
    let committed = stage.write(&[child(2, 2), vec![upsert("parent", &[("id", int(2))])]]).await.unwrap();
    assert_eq!((committed.written.done, stage.rows("child").await.len()), (2, 2));
}

#[tokio::test]
async fn newest_compares_times_as_times() {
    let newest = Table { on_conflict: OnConflict::Newest("at".into()), ..table("t") };
    let mut stage = Stage::new("create table t (id text primary key, at text, n integer) strict;", &[newest]).await;
    let at = |micros, n| vec![upsert("t", &[("id", text("k")), ("at", Value::TimestampMicros(micros)), ("n", int(n))])];
    for batch in [vec![at(1_000_000, 1)], vec![at(1_500_000, 2), at(999_999, 3)], vec![at(1_499_999, 4)]] {
        stage.write(&batch).await.unwrap();
    }
    assert_eq!(stage.rows("t").await, ["k|1970-01-01 00:00:01.5+00:00|2"]);
}

#[tokio::test]
async fn what_only_a_person_can_mend_halts_and_nothing_is_written() {
    let schema = "create table p (id integer primary key) strict;
        create table t (id integer primary key, p integer references p (id) deferrable initially deferred, n integer) strict;";
    let mut stage = Stage::new(schema, &[table("t")]).await;
    let halted = |result: Result<_, Verdict>| match result {
        Err(Verdict::Misconfigured(cause)) => (cause.reason, cause.message),
        _ => panic!("no halt"),
    };
    let (reason, message) = halted(stage.write(&[vec![upsert("t", &[("id", int(1)), ("p", int(9))])]]).await.map(drop));
    assert!(reason == Reason::Schema && message.contains("deferr"), "{message}");
    let roll = "create trigger roll before insert on t when new.id = 7 begin select raise(rollback, 'no'); end;";
    stage.sink.execute_script(roll).await.unwrap();
    let rows = [vec![upsert("t", &[("id", int(6))])], vec![upsert("t", &[("id", int(7))])]];
    let (reason, message) = halted(stage.write(&rows).await.map(drop));
    assert!(reason == Reason::Schema && message.contains("rolls the whole transaction back"), "{message}");
    stage.sink.execute_script("alter table t rename column n to m").await.unwrap();
    let (reason, message) = halted(stage.write(&[vec![upsert("t", &[("id", int(1)), ("n", int(9))])]]).await.map(drop));
    assert!(reason == Reason::Schema && message.contains("no column named n"), "{message}");
    stage
        .sink
        .execute_script(
            "drop trigger roll; drop table t; create table t (id integer primary key, p, n integer not null)",
        )
        .await
        .unwrap();
    let (reason, message) =
        halted(stage.write(&[vec![upsert("t", &[("id", int(1)), ("n", Value::Null)])]]).await.map(drop));
    assert!(reason == Reason::Schema && message.contains("became NOT NULL"), "{message}");
    assert_eq!((stage.rows("t").await, stage.next), (vec![], 0));
}

#[tokio::test]
async fn a_trigger_that_raises_and_a_check_that_can_not_be_computed_are_the_records() {
    let schema = "create table t (id integer primary key, j text check (json_extract(j, '$.a') is not null)) strict;
        create trigger stop before insert on t when new.id = 7 begin select raise(abort, 'not seven'); end;";
    let mut stage = Stage::new(schema, &[table("t")]).await;
    let row = |id, j| vec![upsert("t", &[("id", int(id)), ("j", text(j))])];
    let fault = stage.fault(row(7, "{}")).await.unwrap();
    assert_eq!(
        (fault.code.as_str(), fault.message.as_str()),
        ("SQLITE_CONSTRAINT_TRIGGER", "not seven (SQLITE_CONSTRAINT_TRIGGER)")
    );
    let fault = stage.fault(row(1, "{")).await.unwrap();
    assert_eq!((fault.class, fault.code.as_str()), (Class::Data, "SQLITE_ERROR"));
    assert_eq!(stage.fault(row(1, "{\"a\": 1}")).await, None);
}
