//! The search for refused rows, in the two ways it goes: record by record in a function of the server, and by halving where
//! Forebay's role may make no function. Both find exactly the guilty, and leave the same rows.

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::pooler::Pooler;
use forebay_tests::postgres::Postgres;
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene, effect, refused};

const KEY: &str = "key = [\"id\"]";
/// What the log says of each piece that the function went through.
const BY_FUNCTION: &str = "searched record by record";
/// What it says once where there is none.
const WITHOUT: &str = "searched for by halving";

/// How the guilty are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Function,
    /// The role has no right to make temporary objects.
    Halving,
    /// Nothing of a session's own stays from one transaction to the next.
    Pooler,
}

/// What records meet.
struct Trial<'a> {
    base: &'a str,
    schema: &'a str,
    targets: &'a [(&'a str, &'a str)],
    /// Effects of each record.
    records: &'a [Vec<Value>],
    retry: &'a str,
}

/// Offset, class and code of each dead letter.
type Letters = Vec<(i64, String, String)>;

impl Trial<'_> {
    /// Runs all records through in one batch, and returns the dead letters and what `rows` selects.
    async fn run(&self, way: Way, rows: &str) -> (Letters, Vec<String>) {
        let scene = Scene::shared(self.base, self.schema).await;
        let role = scene.names.database.clone();
        let grants = format!(
            "revoke temporary on database {role} from public; create role {role} login; \
             grant create on database {role} to {role}; grant all on all tables in schema public to {role}; \
             grant all on all sequences in schema public to {role}"
        );
        scene.execute(&grants).await;
        let pooler = if way == Way::Pooler { Some(Pooler::start(scene.postgres).await) } else { None };
        let url = match &pooler {
            Some(pooler) => pooler.url(&role),
            None if way == Way::Halving => scene.postgres.url_as(&role, &role),
            None => scene.postgres.url(&role),
        };
        for effects in self.records {
            scene.put(0, effects);
        }
        scene.producer.flush().await;
        let manifest = scene.manifest(self.targets).warehouse(&url).set("retry", self.retry);
        let manifest = manifest.set("batch", "{ linger = \"300ms\" }").write();
        let forebay = Forebay::start(&manifest, &[]);
        scene.until_at_end(&forebay).await;
        forebay.until_caught_up(MINUTE, 1).await;
        let log = forebay.log();
        scene.rest(&forebay).await;
        let told = (log.contains(BY_FUNCTION), log.matches(WITHOUT).count());
        assert_eq!(told, (way != Way::Halving, usize::from(way == Way::Halving)), "{way:?}\n{log}");
        (scene.letter_codes().await, scene.texts(rows).await)
    }

    /// The same in every way, which must not make a difference.
    async fn run_each(&self, rows: &str, guilty: &[(i64, &str)], wanted: &[&str]) {
        let guilty: Letters = guilty.iter().map(|(offset, code)| refused(*offset, code)).collect();
        for way in [Way::Function, Way::Halving] {
            let (letters, found) = self.run(way, rows).await;
            assert_eq!(letters, guilty, "{way:?}");
            assert_eq!(found, wanted, "{way:?}");
        }
    }
}

const AT_ONCE: &str = "{ attempts = 1 }";

/// A table whose rows are refused where `n` is negative, and records of which those in `bad` are.
const CHECKED: &str = "create table t (id int primary key, n int check (n >= 0))";

fn checked(count: i64, is_bad: impl Fn(i64) -> bool) -> Vec<Vec<Value>> {
    let n = |id: i64| if is_bad(id) { -1 } else { 1 };
    (0..count).map(|id| vec![effect("insert", "t", json!({ "id": id, "n": n(id) }))]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_ten_is_found_with_a_function_without_one_and_behind_a_pooler() {
    // Over several pieces, the first and the last record among the guilty.
    let records = checked(1_201, |id| id % 10 == 0);
    let trial =
        Trial { base: "isolation_tenth", schema: CHECKED, targets: &[("t", KEY)], records: &records, retry: AT_ONCE };
    let guilty: Letters = (0..1_201).step_by(10).map(|offset| refused(offset, "23514")).collect();
    for way in [Way::Function, Way::Halving, Way::Pooler] {
        let (letters, rows) = trial.run(way, "select count(*) || ' ' || min(id) || ' ' || max(id) from t").await;
        assert_eq!(letters, guilty, "{way:?}");
        assert_eq!(rows, ["1080 1 1199"], "{way:?}");
    }
}

const EVERYTHING: &str = "
create type mood as enum ('sad', 'ok', 'happy');
create domain code as varchar(5);
create table everything (
    id int8 primary key, n numeric(12,2), tz timestamptz, ts timestamp, d date, u uuid, j jsonb, b boolean, y bytea,
    i2 int2, i4 int4 check (i4 <> 13), i8 int8, f4 float4, f8 float8, v varchar(8), t text, ta text[], ia int[], m mood, c code,
    \"step\" text, \"texts\" text, \"n'; $1 $$\" int)";

/// Values that travel in types of their own, and the same as text.
fn values(is_text: bool) -> Value {
    let (native, text) = (
        json!({
            "n": 5, "tz": {"micros": 1_700_000_000_123_456_i64}, "ts": {"micros": 1_700_000_000_123_456_i64}, "b": true,
            "y": {"bytes": "00ff10"}, "i2": -32768, "i4": 2147483647, "i8": {"int": i64::MIN / 2}, "f4": 1.5, "f8": 0.1
        }),
        json!({
            "n": "5.00", "tz": "2023-11-14 22:13:20.123456+00", "ts": "2023-11-14 22:13:20.123456", "b": "yes",
            "y": "\\x00FF10", "i2": "-32768", "i4": " 2147483647", "i8": (i64::MIN / 2).to_string(), "f4": "15e-1", "f8": "0.1"
        }),
    );
    let mut row = if is_text { text } else { native };
    let same = json!({
        "d": "2024-02-29", "u": "0123abcd-4567-89ab-cdef-0123456789ab", "j": "{\"a\":\"ü\",\"b\":[1,null]}",
        "v": "äöüßéèêë", "t": "a \u{1F600} 'text' \\ with \"all\"\nof it", "ta": "{a,\"b \\\"c\\\"\",NULL,\"\"}",
        "ia": "{1,-2,NULL}", "m": "happy", "c": "abcde", "step": "s", "texts": "t", "n'; $1 $$": 7
    });
    let object = row.as_object_mut().unwrap();
    object.extend(same.as_object().unwrap().clone());
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_among_every_type_is_found_and_the_others_are_stored_as_ever() {
    let everything = |op: &str, id: i64, mut columns: Value| {
        columns["id"] = json!(id);
        effect(op, "everything", columns)
    };
    let with = |mut columns: Value, name: &str, value: Value| {
        columns[name] = value;
        columns
    };
    let mut nulls = values(false);
    nulls.as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
    let edges =
        json!({ "tz": {"micros": -210_866_803_200_000_000_i64}, "f4": {"float": "NaN"}, "t": "", "y": {"bytes": ""} });
    let records = [
        vec![everything("insert", 1, values(false))],
        vec![everything("insert", 2, values(true))],
        vec![everything("insert", 3, nulls.clone()), everything("insert", 4, values(false))],
        vec![everything("upsert", 5, with(values(false), "i4", json!(13)))],
        vec![everything("upsert", 5, json!({ "t": "x" })), everything("update", 5, values(false))],
        vec![everything("upsert", 6, with(values(true), "m", json!("angry")))],
        vec![everything("upsert", 6, nulls)],
        vec![everything("update", 6, values(true))],
        vec![everything("upsert", 7, with(values(true), "t", json!("ends with NUL \u{0}")))],
        vec![everything("upsert", 7, values(true)), everything("add", 7, json!({ "i4": -1, "n": "0.25" }))],
        vec![everything("insert", 8, edges)],
        vec![everything("insert", 9, json!({})), everything("delete", 9, json!({}))],
    ];
    let records: Vec<Vec<Value>> = records.into_iter().collect();
    let targets = [("everything", KEY)];
    let trial =
        Trial { base: "isolation_types", schema: EVERYTHING, targets: &targets, records: &records, retry: AT_ONCE };
    let rows = "select (to_jsonb(e) - 'id')::text from everything e order by id";
    let (letters, with_function) = trial.run(Way::Function, rows).await;
    let (halved, without) = trial.run(Way::Halving, rows).await;
    assert_eq!((&letters, &with_function), (&halved, &without));
    let data: Vec<(i64, &str)> = letters.iter().map(|(offset, _, code)| (*offset, code.as_str())).collect();
    assert_eq!(data[..2], [(3, "23514"), (5, "22P02")]);
    assert_eq!((data.len(), data[2].0), (3, 8), "and the text that no text type holds");
    let [first, text, _nulls, beside, fifth, sixth, seventh, eighth] = with_function.try_into().unwrap();
    assert_eq!([&text, &beside, &fifth, &sixth], [&first; 4]);
    assert!(first.contains("\"i4\": 2147483647") && first.contains("\"texts\": \"t\""), "{first}");
    assert!(seventh.contains("\"i4\": 2147483646") && seventh.contains("\"n\": 5.25"), "{seventh}");
    assert!(eighth.contains("\"f4\": \"NaN\"") && eighth.contains("\"t\": \"\""), "{eighth}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_whose_parent_comes_later_is_guilty_and_what_stands_between_is_not() {
    let schema = "create table parent (id int primary key, n int check (n >= 0));
        create table child (id int primary key, parent int not null references parent)";
    let parent = |id: i32, n: i32| effect("upsert", "parent", json!({ "id": id, "n": n }));
    let child = |id: i32, parent: i32| effect("upsert", "child", json!({ "id": id, "parent": parent }));
    let records = [
        vec![parent(1, 1)],
        vec![child(1, 1)],
        vec![child(2, 2)],
        vec![parent(3, 3), child(3, 3)],
        vec![child(4, 1), parent(4, -1)],
        vec![parent(2, 2)],
        vec![child(5, 2)],
        vec![child(6, 4)],
        vec![child(7, 3)],
    ];
    // The child's table comes first: nothing heals by standing in one batch, and the fourth record is as guilty as the third.
    let targets = [("child", KEY), ("parent", KEY)];
    let guilty = [(2, "23503"), (3, "23503"), (4, "23514"), (7, "23503"), (8, "23503")];
    for retry in [AT_ONCE, "{ attempts = 3, backoff = \"50ms..100ms\" }"] {
        let trial = Trial { base: "isolation_later", schema, targets: &targets, records: &records, retry };
        trial.run_each("select id || ' ' || parent from child order by id", &guilty, &["1 1", "5 2"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_that_commit_would_check_speaks_at_the_end_of_its_record() {
    let schema = "create table t (id int primary key, later int, n int check (n >= 0),
        constraint once unique (later) deferrable initially deferred)";
    let row = |op: &str, id: i32, later: i32| effect(op, "t", json!({ "id": id, "later": later }));
    let records = [
        vec![row("insert", 1, 1)],
        vec![row("insert", 2, 2)],
        // Taken for a moment, and free at the end of the record.
        vec![row("update", 1, 2), row("update", 2, 1)],
        vec![row("insert", 3, 1)],
        vec![row("insert", 3, 3)],
        vec![row("update", 3, 2)],
        vec![effect("update", "t", json!({ "id": 3, "n": -1 }))],
        vec![row("update", 3, 4)],
    ];
    let trial = Trial { base: "isolation_deferred", schema, targets: &[("t", KEY)], records: &records, retry: AT_ONCE };
    let guilty = [(3, "23505"), (5, "23505"), (6, "23514")];
    trial.run_each("select id || ' ' || later from t order by id", &guilty, &["1 2", "2 1", "3 4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_a_missing_row_falls_with_its_whole_record() {
    let schema = "create table t (id int primary key, n int); create table log (id int, n int)";
    let both = |id: i32, n: i32| {
        vec![effect("insert", "log", json!({ "id": id, "n": n })), effect("update", "t", json!({ "id": id, "n": n }))]
    };
    let new = |id: i32| vec![effect("insert", "t", json!({ "id": id, "n": 0 }))];
    let two =
        vec![effect("update", "t", json!({ "id": 1, "n": 8 })), effect("update", "t", json!({ "id": 3, "n": 8 }))];
    let records = [new(1), both(1, 1), both(2, 2), new(2), both(2, 3), both(404, 4), both(1, 5), two];
    let targets = [("t", KEY), ("log", "")];
    let trial = Trial { base: "isolation_missing", schema, targets: &targets, records: &records, retry: AT_ONCE };
    let rows = "select id || ' ' || n from t union all select 'log ' || id || ' ' || n from log order by 1";
    let guilty = [(2, "missing-row"), (5, "missing-row"), (7, "missing-row")];
    trial.run_each(rows, &guilty, &["1 5", "2 3", "log 1 1", "log 1 5", "log 2 3"]).await;
}

/// Two spellings of one key in one record are one row to the server, and neither is lost.
#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_of_a_key_in_one_record_are_applied_one_after_the_other() {
    let schema = "create table t (id numeric primary key, n int check (n >= 0))";
    let row = |id: &str, n: i32| effect("upsert", "t", json!({ "id": id, "n": n }));
    // The first piece has the spellings, the last record of the second is guilty as well.
    let mut records = vec![vec![row("2", -1)], vec![row("1.0", 1), row("1.00", 2)], vec![row("3", 3), row("4", 4)]];
    records.extend((5..700).map(|id| vec![row(&id.to_string(), if id == 699 { -1 } else { 0 })]));
    let trial = Trial { base: "isolation_spelling", schema, targets: &[("t", KEY)], records: &records, retry: AT_ONCE };
    let rows = "select trim_scale(id) || ' ' || n from t where id < 5 or id > 697 order by id";
    trial.run_each(rows, &[(0, "23514"), (697, "23514")], &["1 2", "3 3", "4 4", "698 0"]).await;
}

/// Where it stops in the middle of a piece, nothing behind may be applied.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_behind_a_run_of_like_refusals_is_applied() {
    let scene = Scene::new((Kafka::shared().await, Postgres::shared().await), "isolation_alike", 1, CHECKED).await;
    // Nineteen in a row are the records' own fault; a good one, and then there are too many.
    for effects in checked(100, |id| (10..29).contains(&id) || (30..55).contains(&id)) {
        scene.put(0, &effects);
    }
    scene.producer.flush().await;
    let manifest = scene.manifest(&[("t", KEY)]).set("batch", "{ linger = \"300ms\" }");
    let forebay = Forebay::start(&manifest.write(), &[]);
    scene.until_halted(&forebay, &["20 records in a row", "t_n_check"]).await;
    assert!(forebay.log().contains(BY_FUNCTION), "{}", forebay.tail());
    assert_eq!(scene.texts("select string_agg(id::text, ' ' order by id) from t").await, ["0 1 2 3 4 5 6 7 8 9 29"]);
    let positions = scene.positions().await;
    assert_eq!(positions.into_values().collect::<Vec<_>>(), [30]);
    scene.execute("alter table t drop constraint t_n_check").await;
    scene.until_at_end(&forebay).await;
    scene.rest(&forebay).await;
    let guilty: Letters = (10..29).map(|offset| refused(offset, "23514")).collect();
    assert_eq!(scene.letter_codes().await, guilty);
    assert_eq!(scene.text("select count(*)::text from t").await, "81");
}
