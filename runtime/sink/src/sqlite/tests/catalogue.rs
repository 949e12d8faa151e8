//! What a table's facts say, and what stands in the way of using it.

use forebay_core::manifest::settings::Table;
use forebay_core::plan::storage::Storage;
use forebay_core::plan::target::{ColumnKind, TableFacts};
use forebay_core::verdict::Verdict;

use super::stage::{Stage, table};

async fn facts(schema: &str) -> TableFacts {
    Stage::new(schema, &[]).await.sink.table(&table("t")).await.unwrap().facts
}

async fn faults(schema: &str, table: &Table) -> Vec<String> {
    let report = Stage::new(schema, &[]).await.sink.table(table).await.unwrap();
    report.faults.into_iter().map(|cause| cause.message).collect()
}

#[tokio::test]
async fn columns_say_what_fits_them() {
    let facts = facts(
        "create table t (id integer primary key, i int not null, r real default 1, t text unique, n text collate nocase unique,
            b blob not null default x'00', a any, g integer as (i + 1)) strict;",
    )
    .await;
    let shown: Vec<(&str, ColumnKind, &str)> =
        facts.columns.iter().map(|column| (column.name.as_str(), column.kind, column.type_name.as_str())).collect();
    let of = ColumnKind::Sqlite;
    let expected = [
        ("id", of(Storage::Integer), "INTEGER"),
        ("i", of(Storage::Integer), "INT"),
        ("r", of(Storage::Real), "REAL"),
        ("t", of(Storage::Text), "TEXT"),
        ("n", of(Storage::CollatedText), "TEXT"),
        ("b", of(Storage::Blob), "BLOB"),
        ("a", of(Storage::Any), "ANY"),
        ("g", of(Storage::Integer), "INTEGER"),
    ];
    assert_eq!(shown, expected);
    let flags = facts.columns.iter().map(|column| (column.is_nullable, column.has_default, column.is_generated));
    let (yes, no) = (true, false);
    let expected = [
        (no, yes, no),
        (no, no, no),
        (yes, yes, no),
        (yes, no, no),
        (yes, no, no),
        (no, yes, no),
        (yes, no, no),
        (yes, no, yes),
    ];
    assert_eq!(flags.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn whatever_else_could_refuse_a_row_makes_a_table_strict() {
    for (schema, is_strict) in [
        ("create table t (id integer primary key, n integer not null) strict;", false),
        ("create table t (id text primary key) strict, without rowid;", false),
        ("create table t (id text, n integer, unique (id)) strict;", false),
        ("create table t (id text primary key, checked integer) strict;", false),
        ("create table t (id text primary key, n integer Check(n > 0)) strict;", true),
        ("create table t (id text primary key, n integer unique) strict;", true),
        ("create table t (n integer primary key, id text unique) strict;", true),
        ("create table t (id text primary key, n integer) strict; create unique index i on t (n) where n > 0;", true),
        ("create table t (id text primary key, n integer) strict; create unique index i on t (lower(id));", true),
        ("create table t (id integer primary key, n integer references t (id)) strict;", true),
        ("create table t (id integer primary key) strict; create table c (n integer references T (id)) strict;", true),
        ("create table t (id integer primary key, g integer as (id)) strict;", true),
        (
            "create table t (id integer primary key) strict; create trigger x after insert on t begin select 1; end;",
            true,
        ),
    ] {
        assert_eq!(facts(schema).await.is_strict, is_strict, "{schema}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_with_what_to_do() {
    let loose = faults("create table t (id integer primary key);", &table("t")).await;
    assert!(loose.len() == 1 && loose[0].contains("is not STRICT"), "{loose:?}");
    let view =
        faults("create table x (id integer primary key) strict; create view t as select * from x;", &table("t")).await;
    assert!(view.len() == 1 && view[0].contains("is no table"), "{view:?}");
    for schema in [
        "create table t (id text) strict;",
        "create table t (id text, n integer, unique (id, n)) strict;",
        "create table t (id text, n integer) strict; create unique index i on t (id) where n > 0;",
    ] {
        let faults = faults(schema, &table("t")).await;
        assert!(faults.len() == 1 && faults[0].contains("create unique index t_key on \"t\" (\"id\")"), "{faults:?}");
    }
    for backed in [
        "create table t (id text, n integer) strict; create unique index i on t (id);",
        "create table t (id text collate nocase primary key) strict;",
        "create table t (id text, n integer) strict; create unique index i on t (id collate nocase);",
    ] {
        assert_eq!(faults(backed, &table("t")).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_schema_that_sqlite_does_not_have_and_a_table_that_is_not_there_halt() {
    let stage = Stage::new("create table t (id integer primary key) strict;", &[]).await;
    let of = |schema: &str, name: &str| Table { schema: Some(schema.into()), ..table(name) };
    assert!(stage.sink.table(&of("main", "t")).await.is_ok());
    for (table, expected) in [(of("public", "t"), "write `t`"), (table("none"), "there is no table none")] {
        let Err(Verdict::Misconfigured(cause)) = stage.sink.table(&table).await else { panic!("taken") };
        assert!(cause.message.contains(expected), "{}", cause.message);
    }
}
