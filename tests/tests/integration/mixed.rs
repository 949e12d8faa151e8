//! Operations of the same keys mixed at random, against the row-by-row interpreter: rows, refusals and, where a trigger
//! watches, every single change of every key in its order. However batches are cut, the result is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_core::manifest::settings::{Fold, Missing, OnConflict, Table};
use forebay_core::outcome::Value as Cell;
use forebay_core::plan::check::Op;
use forebay_core::plan::interpret::{Cells, Refused, Tables};
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableFacts, TableTarget};
use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use serde_json::{Value, json};

use crate::scene::{Scene, effect};

const PARTITIONS: i32 = 4;
const KEYS: i64 = 5;
/// What the check of `checked` refuses.
const TOO_MUCH: i64 = 2_000_000_000;
/// A table's columns, by index: what `b` is to the others, `seq` is to the trigger and `newest`.
const COLUMNS: [&str; 4] = ["id", "a", "b", "seq"];
const ID: usize = 0;
const A: usize = 1;
const B: usize = 2;
const SEQ: usize = 3;

/// Free tables first; the others are strict by a trigger or a check.
const TABLES: [(&str, &str); 6] = [
    ("free", "missing = \"ignore\""),
    ("versions", "on-conflict = \"newest(seq)\", missing = \"reject\""),
    ("kept", "on-conflict = \"keep\", missing = \"ignore\""),
    ("watched", "missing = \"reject\""),
    ("checked", "on-conflict = \"newest(seq)\", missing = \"ignore\""),
    ("folded", "missing = \"ignore\", fold = \"always\""),
];
const VERSIONS: usize = 1;
const WATCHED: usize = 3;
const CHECKED: usize = 4;

/// The trigger keeps every change, and refuses a sequence below one that the key had.
const SCHEMA: &str = "
create table free (id int8 primary key, a int8, b int8, seq int8);
create table versions (like free including all);
create table kept (like free including all);
create table watched (like free including all);
create table checked (like free including all, check (a < 2000000000));
create table folded (like free including all);
create table change (number bigserial, tab text, id int8, op text, seq int8);
create index on change (tab, id, seq);
create function watch() returns trigger language plpgsql as $$
declare last int8;
begin
    select max(c.seq) into last from change c where c.tab = tg_table_name and c.id = coalesce(new.id, old.id);
    if tg_op <> 'DELETE' and new.seq < last then
        raise exception 'sequence % of key % after %', new.seq, new.id, last;
    end if;
    insert into change (tab, id, op, seq)
        values (tg_table_name, coalesce(new.id, old.id), tg_op, case when tg_op <> 'DELETE' then new.seq end);
    return null;
end $$;
create trigger watch after insert or update or delete on watched for each row execute function watch();
create trigger watch after insert or update or delete on folded for each row execute function watch();";

/// One effect: what the handler is told, and what the interpreter is.
struct Change {
    script: Value,
    table: usize,
    op: Op,
    cells: Cells,
}

/// What must come out.
#[derive(Default)]
struct Model {
    tables: Tables,
    /// Changes that the trigger of `watched` saw, by key.
    changes: BTreeMap<i64, Vec<String>>,
    /// Every code that could be the one: statements do not run in the order of one record's effects.
    refused: BTreeMap<usize, BTreeSet<&'static str>>,
}

/// How keys are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spellings {
    /// As numbers, or as text that shows them as they are shown.
    Plain,
    /// Also in ways that only the database understands.
    Any,
}

/// A generator whose sequence is its seed's.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn number(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    fn is_one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

fn change(random: &mut Random, partition: i32, number: usize, spellings: Spellings) -> Change {
    let table = random.below(6) as usize;
    let op = match random.below(1000) {
        0..550 => Op::Upsert,
        550..700 => Op::Update,
        700..950 => Op::Add,
        950..952 => Op::Insert,
        952..970 => Op::Delete,
        _ => Op::Upsert,
    };
    let id = i64::from(partition) * 100 + random.number(KEYS.unsigned_abs());
    let mut cells = Cells::from([(ID, Cell::Integer(id))]);
    if op != Op::Delete {
        for column in [A, B] {
            if random.is_one_in(3) && (op != Op::Update || cells.len() > 1) {
                continue;
            }
            let value = match op {
                Op::Add => Cell::Integer(random.number(100) - 30),
                _ if random.is_one_in(10) => Cell::Null,
                _ if column == A && random.is_one_in(300) => Cell::Integer(TOO_MUCH),
                _ => Cell::Integer(random.number(1000)),
            };
            cells.insert(column, value);
        }
    }
    let sequence = i64::try_from(number).unwrap();
    match (table, op) {
        (_, Op::Delete | Op::Add) => {}
        (VERSIONS | CHECKED, _) if random.is_one_in(5) => {}
        // Now and then an older one.
        (VERSIONS | CHECKED, _) => drop(cells.insert(SEQ, Cell::Integer(sequence - random.number(30)))),
        _ => drop(cells.insert(SEQ, Cell::Integer(sequence))),
    }
    if op == Op::Update && cells.len() == 1 {
        cells.insert(A, Cell::Null);
    }
    let key = match (spellings, random.below(40)) {
        (_, 0) => json!(id.to_string()),
        // The database knows that this is the same key; nobody before it does.
        (Spellings::Any, 1) => json!(format!(" +{id}")),
        _ => json!(id),
    };
    let mut columns = json!({});
    for (column, cell) in &cells {
        columns[COLUMNS[*column]] = match cell {
            Cell::Integer(number) if *column != ID => json!({ "int": number }),
            Cell::Integer(_) => key.clone(),
            _ => Value::Null,
        };
    }
    Change { script: effect(op.as_str(), TABLES[table].0, columns), table, op, cells }
}

fn targets() -> Vec<TableTarget> {
    let columns = COLUMNS.map(|name| ColumnFacts {
        name: name.to_owned(),
        kind: ColumnKind::Int8,
        type_name: "bigint".to_owned(),
        is_nullable: name != "id",
        has_default: false,
        is_generated: false,
    });
    let table = |(name, rest): (&str, &str)| {
        let facts = TableFacts {
            sql_name: name.to_owned(),
            columns: columns.to_vec(),
            is_strict: false,
            deferred: Vec::new(),
            takes_copy: false,
        };
        let newest = || OnConflict::Newest("seq".to_owned());
        let settings = Table {
            sink: "warehouse".to_owned(),
            schema: None,
            table: name.to_owned(),
            key: vec!["id".to_owned()],
            columns: None,
            on_conflict: match rest {
                _ if rest.contains("newest") => newest(),
                _ if rest.contains("keep") => OnConflict::Keep,
                _ => OnConflict::Overwrite,
            },
            missing: if rest.contains("reject") { Missing::Reject } else { Missing::Ignore },
            fold: Fold::Auto,
        };
        TableTarget::try_new(settings, Arc::new(facts)).unwrap()
    };
    TABLES.map(table).into()
}

impl Model {
    fn apply(&mut self, number: usize, record: &[Change], targets: &[TableTarget]) {
        let mut tables = self.tables.clone();
        let mut changes = Vec::new();
        for change in record {
            let Change { table, op, cells, .. } = change;
            let Some(Cell::Integer(id)) = cells.get(&ID) else { panic!("a key is a number") };
            let before = row(&tables, *table, *id).cloned();
            let is_too_much = *table == CHECKED && cells.get(&A) == Some(&Cell::Integer(TOO_MUCH));
            let refused = match is_too_much && (*op != Op::Update || before.is_some()) {
                true => Err("23514"),
                false => tables.row(*table, &targets[*table], *op, cells.clone()).map_err(|refused| match refused {
                    Refused::Duplicate => "23505",
                    Refused::MissingRow => "missing-row",
                }),
            };
            if let Err(code) = refused {
                self.refused.entry(number).or_default().insert(code);
                continue;
            }
            if *table == WATCHED {
                let after = row(&tables, *table, *id);
                let seen = match (&before, after) {
                    // Nothing to add.
                    (Some(_), Some(_)) if *op == Op::Add && cells.len() == 1 => None,
                    (None, Some(row)) => Some(format!("INSERT {}", shown(row.get(&SEQ)))),
                    (Some(_), Some(row)) => Some(format!("UPDATE {}", shown(row.get(&SEQ)))),
                    (Some(_), None) => Some("DELETE -".to_owned()),
                    (None, None) => None,
                };
                changes.extend(seen.map(|seen| (*id, seen)));
            }
        }
        if self.refused.contains_key(&number) {
            return;
        }
        self.tables = tables;
        for (id, seen) in changes {
            self.changes.entry(id).or_default().push(seen);
        }
    }

    fn rows(&self, table: usize) -> Vec<String> {
        let rows = self.tables.rows(table).into_iter().flat_map(|rows| rows.keyed.values());
        let mut rows: Vec<(i64, String)> = rows
            .map(|row| {
                let Some(Cell::Integer(id)) = row.get(&ID) else { panic!("a key is a number") };
                (*id, [A, B, SEQ].map(|column| shown(row.get(&column))).join(" "))
            })
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(id, rest)| format!("{id} {rest}")).collect()
    }
}

fn row(tables: &Tables, table: usize, id: i64) -> Option<&Cells> {
    tables.rows(table)?.keyed.values().find(|row| row.get(&ID) == Some(&Cell::Integer(id)))
}

fn shown(cell: Option<&Cell>) -> String {
    match cell {
        Some(Cell::Integer(number)) => number.to_string(),
        _ => "-".to_owned(),
    }
}

/// Produces random records once, and runs them through with batches of each size.
async fn mixes(base: &str, (seed, spellings): (u64, Spellings), count: usize, sizes: &[u32]) {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let topic = Names::new(base).topic;
    kafka.create_topic(&topic, PARTITIONS, &[]).await;
    let producer = Producer::new(kafka);
    let (mut random, targets, mut model) = (Random(seed), targets(), Model::default());
    for number in 0..count {
        let partition = i32::try_from(random.below(4)).unwrap();
        let effects = 1 + random.below(3);
        let record: Vec<Change> = (0..effects).map(|_| change(&mut random, partition, number, spellings)).collect();
        model.apply(number, &record, &targets);
        let scripts: Vec<&Value> = record.iter().map(|change| &change.script).collect();
        let value = json!({ "effects": scripts }).to_string();
        producer.send(&topic, partition, None, Some(value.as_bytes()), &[]);
    }
    let acks = producer.flush().await;
    assert!(model.refused.len() > count / 300, "{} refused: too few to mean anything", model.refused.len());
    let refused =
        model.refused.iter().map(|(number, codes)| ((acks[*number].partition, acks[*number].offset), codes.clone()));
    let refused: BTreeMap<(i32, i64), BTreeSet<&str>> = refused.collect();
    for size in sizes {
        let mut scene = Scene::new((kafka, postgres), base, 1, SCHEMA).await;
        scene.names.topic.clone_from(&topic);
        let keyed = TABLES.map(|(name, rest)| (name, format!("key = [\"id\"], {rest}")));
        let keyed: Vec<(&str, &str)> = keyed.iter().map(|(name, rest)| (*name, rest.as_str())).collect();
        let manifest = scene.manifest(&keyed).set("batch", &format!("{{ max-records = {size} }}"));
        scene.run_through(&manifest).await;
        assert_result(&scene, &model, &refused, *size).await;
    }
}

async fn assert_result(scene: &Scene<'_>, model: &Model, refused: &BTreeMap<(i32, i64), BTreeSet<&str>>, size: u32) {
    let letters = scene.letters().await.into_iter();
    let found: BTreeMap<(i32, i64), String> =
        letters.map(|letter| ((letter.origin.1, letter.origin.2), letter.code)).collect();
    let is_right = |place: &(i32, i64), code: &str| refused.get(place).is_some_and(|codes| codes.contains(code));
    let more: Vec<_> = found.iter().filter(|(place, code)| !is_right(place, code)).collect();
    let less: Vec<_> = refused.iter().filter(|(place, _)| !found.contains_key(place)).collect();
    assert!(more.is_empty() && less.is_empty(), "batches of {size} refused {more:?} for no reason, and not {less:?}");
    for (table, (name, _)) in TABLES.iter().enumerate() {
        let shown = COLUMNS.map(|column| format!("coalesce({column}::text, '-')")).join(" || ' ' || ");
        let found = scene.texts(&format!("select {shown} from {name} order by id")).await;
        assert_eq!(found, model.rows(table), "rows of `{name}`, batches of {size}");
    }
    for (id, wanted) in &model.changes {
        let sql = "select op || ' ' || coalesce(seq::text, '-') from change where tab = 'watched' and id = ";
        let found = scene.texts(&format!("{sql}{id} order by number")).await;
        assert!(found == *wanted, "changes of key {id} in `watched`, batches of {size}:\n{found:?}\nnot\n{wanted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_cut_batches_gives_the_interpreters_result() {
    mixes("mixed_cut", (0x5eed_0001, Spellings::Plain), 3_000, &[1, 7, 5000]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_mixed_records_give_the_interpreters_result() {
    mixes("mixed_many", (0x5eed_0002, Spellings::Plain), 20_000, &[5000]).await;
}

/// Found a record convicted by itself, with 21000: it named one key twice, spelled in two ways, and both rows went into one
/// statement.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_spelled_in_several_ways_gives_the_interpreters_result() {
    mixes("mixed_spelled", (0x5eed_0003, Spellings::Any), 2_000, &[7, 5000]).await;
}
