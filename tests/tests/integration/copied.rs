//! Many rows for a table without a key go by COPY, and are what INSERT makes of them; a refused one is taken out all the same.

use serde_json::{Value, json};

use crate::scene::{Scene, effect, refused};

const RECORDS: i64 = 6_000;
/// What the CHECK refuses.
const REFUSED: i64 = 8_765;

/// The default says which statement a row came with. Row security keeps COPY away, and means nothing to the tables' owner.
const TABLES: &str = "create domain share as numeric(12, 2) check (value <> 8765);
    create table copied (n bigint not null, small smallint, whole int, price numeric(12, 2), other share, part float8, fine bool,
        raw bytea, at timestamptz, utc timestamp, note varchar(40), doc jsonb, plain json, id uuid,
        seq bigserial, how text default left(current_query(), 6));
    create table inserted (like copied including defaults);
    alter table inserted enable row level security;";

const COLUMNS: &str = "n, small, whole, price, other, part, fine, raw, at, utc, note, doc::text, plain::text, id";

/// Every third value is NULL, each column's at another turn.
fn columns(n: i64) -> Value {
    let signed = if n % 2 == 0 { n } else { -n };
    let micros = 1_763_625_600_000_000 + signed * 86_400_000_000 * 365 / 10;
    let all = json!({
        "small": signed % 32_768, "whole": signed * 65_537, "price": { "text": format!("{}.{:03}", signed * 1_000, n % 1_000) },
        "other": { "int": n }, "part": { "float": signed as f64 / 7.0 }, "fine": n % 4 == 0,
        "raw": { "bytes": format!("{n:08x}00ff") }, "at": { "micros": micros }, "utc": { "micros": -micros },
        "note": format!("n\t{n}\\N \"ü\"\n"), "doc": { "text": format!("{{\"n\": {n}, \"b\": [1.50]}}") },
        "plain": { "text": format!("[{n},  null]") }, "id": format!("00000000-0000-4000-8000-{n:012x}"),
    });
    let mut row = json!({ "n": n });
    for (turn, (name, value)) in all.as_object().unwrap().iter().enumerate() {
        let is_null = (n + i64::try_from(turn).unwrap()) % 3 == 0;
        row[name] = if is_null { Value::Null } else { value.clone() };
    }
    row["other"] = json!({ "int": n });
    row
}

fn put(scene: &Scene<'_>, n: i64) {
    let _ticket = scene.put(0, &["copied", "inserted"].map(|table| effect("insert", table, columns(n))));
}

async fn count(scene: &Scene<'_>, of: &str) -> i64 {
    scene.text(&format!("select count(*)::text from {of}")).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_copied_are_what_an_insert_makes_of_them() {
    let scene = Scene::shared("copied", TABLES).await;
    let manifest = scene.manifest(&[("copied", ""), ("inserted", "")]).set("batch", "{ max-records = 3000 }");
    (0..RECORDS).for_each(|n| put(&scene, n));
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, []);
    let differs = format!("(select {COLUMNS} from copied except all select {COLUMNS} from inserted) them");
    assert_eq!(count(&scene, &differs).await, 0, "rows that are not alike");
    assert_eq!((count(&scene, "copied").await, count(&scene, "inserted").await), (RECORDS, RECORDS));
    assert!(count(&scene, "copied where how = 'copy p'").await >= RECORDS / 2, "most go by COPY");
    assert_eq!(count(&scene, "inserted where how = 'insert'").await, RECORDS, "never where it means something else");
    let in_order = "(select n, lag(n) over (order by seq) as before from copied) them where n < before";
    assert_eq!(count(&scene, in_order).await, 0, "in the order of the log");

    // A row that is refused among them, and few rows.
    (RECORDS..=REFUSED + 100).for_each(|n| put(&scene, n));
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, [refused(REFUSED, "23514")]);
    assert_eq!(count(&scene, "copied").await, REFUSED + 100);
    assert_eq!(count(&scene, &differs).await, 0);
    put(&scene, REFUSED + 101);
    scene.run_through(&manifest).await;
    assert_eq!(count(&scene, "copied where how = 'insert' and n > 8865").await, 1, "few rows are inserted");
}
