//! The planner's oracle: random effects over several tables, strict ones included, against the row-by-row interpreter.
//! However batches are cut, rows and refusals are the same.

use std::collections::BTreeSet;

use forebay_core::manifest::settings::{Fold, Missing, OnConflict, Table};
use forebay_core::outcome::{Effect, Value};
use forebay_core::plan::check::{Op, row_of};
use forebay_core::plan::interpret::{Cells, Tables};
use forebay_core::plan::target::Targets;

use super::stage::{Stage, int, row, table, text};

const SCHEMA: &str = "
create table free (id integer primary key, a integer, b integer, seq integer) strict;
create table versions (id integer primary key, a integer, b integer, seq integer) strict;
create table kept (id integer primary key, a integer, b integer, seq integer) strict;
create table checked (id integer primary key, a integer check (a < 2000000000), b integer, seq integer) strict;
create table folded (id integer primary key, a integer check (a is null or a > -100000), b integer, seq integer) strict;
create table sums (id text primary key, a text, b text, seq text) strict;
create table plain (id integer primary key on conflict replace, a integer, b integer, seq integer) strict;";

const NAMES: [&str; 7] = ["free", "versions", "kept", "checked", "folded", "sums", "plain"];
const CHECKED: usize = 3;
const SUMS: usize = 5;
/// What the check of `checked` refuses.
const TOO_MUCH: i64 = 2_000_000_000;

fn tables() -> [Table; 7] {
    NAMES.map(|name| {
        let newest = || OnConflict::Newest("seq".into());
        let (on_conflict, missing, fold) = match name {
            "versions" => (newest(), Missing::Reject, Fold::Auto),
            "checked" => (newest(), Missing::Ignore, Fold::Auto),
            "kept" => (OnConflict::Keep, Missing::Ignore, Fold::Auto),
            "folded" => (OnConflict::Overwrite, Missing::Ignore, Fold::Always),
            "plain" => (OnConflict::Overwrite, Missing::Reject, Fold::Auto),
            _ => (OnConflict::Overwrite, Missing::Ignore, Fold::Auto),
        };
        Table { on_conflict, missing, fold, ..table(name) }
    })
}

/// A generator whose sequence is its seed's.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % bound).unwrap()
    }

    fn is_one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

fn effect(random: &mut Random, number: i64) -> Effect {
    let table = usize::try_from(random.below(7)).unwrap();
    let op = match random.below(1000) {
        0..550 => Op::Upsert,
        550..700 => Op::Update,
        700..950 => Op::Add,
        950..955 => Op::Insert,
        _ => Op::Delete,
    };
    let id = random.below(5);
    let key = if random.is_one_in(10) { text(&id.to_string()) } else { int(id) };
    let mut columns = vec![("id", key)];
    if op != Op::Delete {
        for column in ["a", "b"] {
            if random.is_one_in(3) && (op != Op::Update || columns.len() > 1) {
                continue;
            }
            let value = match op {
                Op::Add => int(random.below(100) - 30),
                _ if random.is_one_in(10) => Value::Null,
                _ if column == "a" && table == CHECKED && random.is_one_in(60) => int(TOO_MUCH),
                _ => int(random.below(1000)),
            };
            columns.push((column, value));
        }
    }
    match op {
        Op::Delete | Op::Add => {}
        _ if table == SUMS || random.is_one_in(5) => {}
        _ => columns.push(("seq", int(number - random.below(30)))),
    }
    if op == Op::Update && columns.len() == 1 {
        columns.push(("a", Value::Null));
    }
    let row = row(NAMES[table], &columns);
    match op {
        Op::Upsert => Effect::Upsert(row),
        Op::Insert => Effect::Insert(row),
        Op::Update => Effect::Update(row),
        Op::Add => Effect::Add(row),
        Op::Delete => Effect::Delete(row),
    }
}

/// Applies a record to the model, and says whether a table refuses it.
fn is_refused(model: &mut Tables, record: &[Effect], targets: &Targets) -> bool {
    let mut after = model.clone();
    for effect in record {
        let (op, row) = row_of(effect).unwrap();
        let index = targets.index(&row.target).unwrap();
        let target = targets.table(index).unwrap();
        let cells: Cells =
            row.columns.iter().map(|column| (target.column(&column.name).unwrap(), column.value.clone())).collect();
        let was = after.clone();
        let there = |tables: &Tables| tables.rows(index).map_or(0, |rows| rows.keyed.len());
        let is_too_much = cells.values().any(|value| *value == int(TOO_MUCH));
        if after.row(index, target, op, cells).is_err() {
            return true;
        }
        // A check speaks wherever there is a row to check: an update of none has none.
        let mut probe = was.clone();
        let key: Cells = [(0, row.columns[0].value.clone())].into();
        let is_there = probe.row(index, target, Op::Delete, key).is_ok() && there(&probe) < there(&was);
        if is_too_much && (op != Op::Update || is_there) {
            return true;
        }
    }
    *model = after;
    false
}

fn shown(model: &Tables, target: usize) -> Vec<String> {
    let rows = model.rows(target).into_iter().flat_map(|rows| rows.keyed.values());
    let text = |value: Option<&Value>| match value {
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Text(text)) => text.clone(),
        _ => "-".to_owned(),
    };
    let mut rows: Vec<String> =
        rows.map(|row| (0..4).map(|column| text(row.get(&column))).collect::<Vec<_>>().join("|")).collect();
    rows.sort_unstable();
    rows
}

async fn mixes(seed: u64, count: i64, sizes: &[usize]) {
    let mut random = Random(seed);
    let records: Vec<Vec<Effect>> =
        (0..count).map(|number| (0..=random.below(3)).map(|_| effect(&mut random, number)).collect()).collect();
    for size in sizes {
        let mut stage = Stage::new(SCHEMA, &tables()).await;
        let targets = stage.context.targets.clone();
        let (mut model, mut wanted, mut found) = (Tables::default(), BTreeSet::new(), BTreeSet::new());
        for (number, record) in records.iter().enumerate() {
            if is_refused(&mut model, record, &targets) {
                wanted.insert(number);
            }
        }
        for (batch, records) in records.chunks(*size).enumerate() {
            let committed = stage.write(records).await.unwrap();
            assert_eq!(committed.written.done, records.len(), "{:?}", committed.written.stop);
            found.extend(committed.refused.keys().map(|index| batch * size + index));
        }
        assert!(wanted.len() > records.len() / 100, "{} refused: too few to mean anything", wanted.len());
        assert_eq!(found, wanted, "refused in batches of {size}");
        for (target, name) in NAMES.iter().enumerate() {
            assert_eq!(stage.rows(name).await, shown(&model, target), "rows of `{name}`, batches of {size}");
        }
        assert_eq!(stage.next, count);
    }
}

#[tokio::test]
async fn every_way_to_cut_batches_gives_the_interpreters_result() {
    mixes(0x5eed_0001, 1_500, &[1, 7, 400]).await;
}

#[tokio::test]
async fn other_seeds_give_the_interpreters_result() {
    for seed in 0x5eed_0100..0x5eed_0110 {
        mixes(seed, 300, &[3, 100]).await;
    }
}
