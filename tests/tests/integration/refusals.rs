//! Rows that only the database can refuse: exactly the guilty are dead-lettered, alone and in sequence.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use serde_json::{Value, json};

use crate::scene::{Scene, effect, refused, until_state};

const KEY: &str = "key = [\"id\"]";
const AT_ONCE: &str = "{ attempts = 1 }";

const PERSON: &str = "
create domain positive as int check (value > 0);
create table parent (id int primary key);
create table person (
    id int primary key, email text unique, n int check (n >= 0), p positive, during int4range, note text,
    later int, q int not null default 1, share int generated always as (100 / q) stored,
    parent int references parent on delete cascade,
    exclude using gist (during with &&),
    constraint later_once unique (later) deferrable initially deferred);
create function complain() returns trigger language plpgsql as $$ begin
    if new.note = 'own' then raise exception 'no' using errcode = 'ZX001'; end if;
    if new.note = 'plain' then raise exception 'no'; end if;
    return new;
end $$;
create trigger complain before insert or update on person for each row execute function complain()";

fn upsert(target: &str, columns: Value) -> Value {
    effect("upsert", target, columns)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_constraint_convicts_its_record_alone() {
    let faults = [
        (upsert("person", json!({ "id": 1, "n": -1 })), "23514"),
        (upsert("person", json!({ "id": 1, "email": "taken" })), "23505"),
        (effect("insert", "person", json!({ "id": 0, "n": 1 })), "23505"),
        (upsert("person", json!({ "id": 1, "during": "[5,7)" })), "23P01"),
        (upsert("person", json!({ "id": 1, "p": 0 })), "23514"),
        (upsert("person", json!({ "id": 1, "note": "plain" })), "P0001"),
        (effect("update", "person", json!({ "id": 0, "note": "own" })), "ZX001"),
        (upsert("person", json!({ "id": 1, "later": 7 })), "23505"),
        (upsert("person", json!({ "id": 1, "parent": 404 })), "23503"),
        (effect("update", "person", json!({ "id": 404, "n": 1 })), "missing-row"),
        (upsert("person", json!({ "id": 1, "q": 0 })), "22012"),
        (effect("update", "person", json!({ "id": 0, "q": 0 })), "22012"),
        (effect("update", "person", json!({ "id": 0, "n": -1 })), "23514"),
        (effect("add", "person", json!({ "id": 0, "n": -2 })), "23514"),
    ];
    for size in [5000, 1] {
        let scene = Scene::shared("refusals_kinds", PERSON).await;
        let first = json!({ "id": 0, "email": "taken", "n": 1, "p": 1, "during": "[1,6)", "later": 7, "q": 2 });
        scene.put(0, &[upsert("person", first)]);
        for (number, (fault, _)) in faults.iter().enumerate() {
            // Its own good effect falls with it; its neighbour's does not.
            scene.put(0, &[upsert("parent", json!({ "id": 1000 + number })), fault.clone()]);
            scene.put(0, &[upsert("parent", json!({ "id": number })), upsert("person", json!({ "id": 100 + number }))]);
        }
        let manifest = scene.manifest(&[("parent", KEY), ("person", KEY)]);
        let manifest = manifest.set("retry", AT_ONCE).set("batch", &format!("{{ max-records = {size} }}"));
        scene.run_through(&manifest).await;
        let offsets = (1..).step_by(2);
        let wanted: Vec<_> = offsets.zip(&faults).map(|(offset, (_, code))| refused(offset, code)).collect();
        assert_eq!(scene.letter_codes().await, wanted, "batches of {size}");
        let parents = scene.texts("select id::text from parent order by parent.id").await;
        assert_eq!(parents, (0..faults.len()).map(|id| id.to_string()).collect::<Vec<_>>());
        assert_eq!(scene.text("select count(*)::text from person where id >= 100").await, faults.len().to_string());
        let kept = "select concat_ws(' ', email, n, p, during, note, later, q, share) from person where id = 0";
        assert_eq!(scene.text(kept).await, "taken 1 1 [1,6) 7 2 50");
        assert_eq!(scene.text("select count(*)::text from person where id = 1").await, "0");
    }
}

/// A division by zero in the table's own expressions is not a missing row, even where missing rows are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn a_division_by_zero_in_the_table_is_called_by_its_name() {
    let schema = "create table t (id int primary key, q int, share int generated always as (100 / q) stored)";
    let scene = Scene::shared("refusals_division", schema).await;
    let effects = [
        upsert("t", json!({ "id": 1, "q": 5 })),
        effect("update", "t", json!({ "id": 1, "q": 0 })),
        effect("update", "t", json!({ "id": 2, "q": 0 })),
        effect("update", "t", json!({ "id": 1, "q": 4 })),
    ];
    scene.put_each(effects).await;
    let manifest = scene.manifest(&[("t", &format!("{KEY}, missing = \"ignore\""))]);
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, [refused(1, "22012")]);
    assert_eq!(scene.text("select share::text from t").await, "25");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_legal_in_order_is_applied_however_it_is_batched() {
    let schema = format!("{PERSON}; create table child (id int primary key, parent int not null references parent)");
    let scene = Scene::shared("refusals_innocent", &schema).await;
    let put = |effects: &[Value]| scene.put(0, effects);
    let person = |id: i32, email: &str| upsert("person", json!({ "id": id, "email": email }));
    put(&[person(1, "x"), person(2, "y")]);
    // A unique value handed on: by delete and insert, by update, inside one record and over several.
    put(&[effect("delete", "person", json!({ "id": 1 }))]);
    put(&[effect("insert", "person", json!({ "id": 3, "email": "x" }))]);
    put(&[effect("update", "person", json!({ "id": 3, "email": "z" }))]);
    put(&[effect("update", "person", json!({ "id": 2, "email": "x" })), person(4, "y")]);
    put(&[
        effect("delete", "person", json!({ "id": 4 })),
        effect("insert", "person", json!({ "id": 5, "email": "y" })),
    ]);
    // Parent first in the log, child first in the manifest; a parent that goes takes its person along, and comes back.
    put(&[upsert("parent", json!({ "id": 10 }))]);
    put(&[upsert("child", json!({ "id": 1, "parent": 10 }))]);
    put(&[upsert("parent", json!({ "id": 11 }))]);
    put(&[upsert("person", json!({ "id": 6, "parent": 11 }))]);
    put(&[effect("delete", "parent", json!({ "id": 11 }))]);
    put(&[upsert("parent", json!({ "id": 11 }))]);
    put(&[upsert("person", json!({ "id": 7, "parent": 11 }))]);
    // Ranges that follow one another; a unique that only COMMIT would check, and that is free by then.
    put(&[upsert("person", json!({ "id": 8, "during": "[1,5)", "later": 1 }))]);
    put(&[effect("update", "person", json!({ "id": 8, "during": "[7,9)" }))]);
    put(&[
        upsert("person", json!({ "id": 9, "during": "[2,6)", "later": 1 })),
        effect("update", "person", json!({ "id": 8, "later": 2 })),
    ]);
    // And one that is guilty, so that all of this is looked at one by one.
    put(&[person(10, "x")]);
    let manifest = scene.manifest(&[("child", KEY), ("parent", KEY), ("person", KEY)]).set("retry", AT_ONCE);
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, [refused(16, "23505")]);
    let people = "select concat_ws(' ', id, email, parent, during, later) from person order by id";
    assert_eq!(scene.texts(people).await, ["2 x", "3 z", "5 y", "7 11", "8 [7,9) 2", "9 [2,6) 1"]);
    assert_eq!(scene.texts("select id::text || parent from child").await, ["110"]);
}

/// What COMMIT would check may stand in a table that is no target: found a lane that halted for ever where one record deleted
/// what such a table refers to.
#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_of_another_table_convicts_its_record() {
    let schema = "create table parent (id int primary key, n int);
        create table elsewhere (id int references parent deferrable initially deferred);
        insert into parent values (1), (2); insert into elsewhere values (1)";
    let scene = Scene::shared("refusals_deferred", schema).await;
    let effects = [
        upsert("parent", json!({ "id": 3 })),
        effect("delete", "parent", json!({ "id": 1 })),
        effect("delete", "parent", json!({ "id": 2 })),
    ];
    scene.put_each(effects).await;
    let manifest = scene.manifest(&[("parent", KEY)]).set("retry", AT_ONCE);
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, [refused(1, "23503")]);
    assert_eq!(scene.texts("select id::text from parent order by parent.id").await, ["1", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_percent_of_poison_in_batches_of_5000_are_the_two_percent() {
    let schema = "create table t (id int primary key, n int check (n % 50 <> 0)); create table log (id int, n int)";
    let scene = Scene::shared("refusals_poison", schema).await;
    for number in 0..5_000 {
        let row = json!({ "id": number / 2, "n": number });
        scene.put(0, &[effect("insert", "log", row.clone()), upsert("t", row)]);
    }
    let manifest =
        scene.manifest(&[("t", KEY), ("log", "")]).set("batch", "{ max-records = 5000, linger = \"200ms\" }");
    scene.run_through(&manifest).await;
    let wanted: Vec<_> = (0..5_000).step_by(50).map(|offset| refused(offset, "23514")).collect();
    assert_eq!(scene.letter_codes().await, wanted);
    let logged: BTreeSet<String> = scene.texts("select n::text from log").await.into_iter().collect();
    assert_eq!(logged, (0..5_000).filter(|n| n % 50 != 0).map(|n| n.to_string()).collect());
    assert_eq!(scene.text("select count(*)::text from log").await, "4900");
    // Of each pair the odd one is the last, and never poison.
    assert_eq!(scene.text("select count(*)::text from t where n = 2 * id + 1").await, "2500");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_waits_for_its_parent_from_elsewhere() {
    let schema = "create table parent (id int primary key); create table child (id int primary key, parent int references parent)";
    let scene = Scene::shared("refusals_waits", schema).await;
    let child = |id: i32, parent: i32| upsert("child", json!({ "id": id, "parent": parent }));
    scene.put_each([upsert("parent", json!({ "id": 1 })), child(1, 1), child(2, 2), child(3, 1)]).await;
    let manifest = scene.manifest(&[("parent", KEY), ("child", KEY)]);
    let manifest = manifest.set("retry", "{ attempts = 1000, backoff = \"50ms..200ms\" }");
    let forebay = Forebay::start(&manifest.write(), &[]);
    until_state(&forebay, "waiting", &["foreign key"]).await;
    // Those before it are applied, those behind wait with it: order is kept.
    assert_eq!(scene.texts("select id::text from child").await, ["1"]);
    scene.execute("insert into parent values (2)").await;
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, []);
    assert_eq!(scene.texts("select id::text from child order by id").await, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_is_dead_lettered_when_its_attempts_are_used_up() {
    let schema = "create table parent (id int primary key); create table child (id int primary key, parent int references parent)";
    let scene = Scene::shared("refusals_orphans", schema).await;
    let child = |id: i32, parent: i32| upsert("child", json!({ "id": id, "parent": parent }));
    scene.put_each([upsert("parent", json!({ "id": 1 })), child(1, 2), child(2, 1), child(3, 3), child(4, 1)]).await;
    let manifest = scene.manifest(&[("parent", KEY), ("child", KEY)]);
    let manifest = manifest.set("retry", "{ attempts = 4, backoff = \"50ms..100ms\" }");
    let forebay = Forebay::start(&manifest.write(), &[]);
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, [refused(1, "23503"), refused(3, "23503")]);
    assert_eq!(scene.texts("select id::text from child order by id").await, ["2", "4"]);
}

/// Whatever is rolled back is computed and written again, so nothing may be counted twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_while_it_runs_is_used_without_a_restart() {
    let scene = Scene::shared("refusals_column", "create table t (id int primary key, a int)").await;
    let manifest = scene.manifest(&[("t", KEY)]).set("batch", "{ max-records = 5 }");
    let forebay = Forebay::start(&manifest.write(), &[]);
    scene.put_each((0..10).map(|id| upsert("t", json!({ "id": id, "a": id })))).await;
    scene.until_at_end(&forebay).await;
    scene.execute("alter table t add b text, add c int not null default 7").await;
    scene.put_each((10..20).map(|id| upsert("t", json!({ "id": id, "a": id, "b": "new" })))).await;
    scene.put_each((20..30).map(|id| upsert("t", json!({ "id": id, "a": id })))).await;
    scene.until_at_end(&forebay).await;
    let metrics = forebay.metrics().await;
    let applied = metrics.sum("forebay_records_total", &[("state", "applied")]);
    assert!((applied - 30.0).abs() < 0.5, "{applied} records counted as applied, not 30");
    scene.rest(&forebay).await;
    assert_eq!(scene.letter_codes().await, []);
    let rows = scene.texts("select concat_ws(' ', a, b, c) from t order by id").await;
    let wanted = (0..30).map(|id| if (10..20).contains(&id) { format!("{id} new 7") } else { format!("{id} 7") });
    assert_eq!(rows, wanted.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_record_waits_for_its_parent_is_graceful() {
    let schema = "create table parent (id int primary key); create table child (id int primary key, parent int references parent)";
    let scene = Scene::shared("refusals_stop", schema).await;
    scene.put_each([upsert("child", json!({ "id": 1, "parent": 1 }))]).await;
    let manifest = scene.manifest(&[("child", KEY)]).set("retry", "{ attempts = 1000, backoff = \"5s..30s\" }");
    let forebay = Forebay::start(&manifest.write(), &[]);
    until_state(&forebay, "waiting", &["foreign key"]).await;
    forebay.stop(Duration::from_secs(10)).await;
    scene.execute("insert into parent values (1)").await;
    scene.run_through(&manifest).await;
    assert_eq!(scene.texts("select id::text from child").await, ["1"]);
}
