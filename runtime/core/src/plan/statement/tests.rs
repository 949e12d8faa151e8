//! The plan's result against the row-by-row oracle's, over random effects on few keys.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::manifest::settings::{self, OnConflict};
use crate::outcome::Column;
use crate::plan::interpret::{Cells, Tables};
use crate::plan::target::{ColumnFacts, ColumnKind, TableFacts, Target, TargetKind};

fn column(name: &str, kind: ColumnKind) -> ColumnFacts {
    ColumnFacts {
        name: name.into(),
        kind,
        type_name: "bigint".into(),
        is_nullable: true,
        has_default: false,
        is_generated: false,
    }
}

fn table(name: &str, on_conflict: OnConflict, is_strict: bool, fold: Fold) -> Target {
    let names = ["k", "a", "b", "v"];
    let facts = TableFacts {
        sql_name: name.into(),
        columns: names.map(|name| column(name, ColumnKind::Int8)).to_vec(),
        is_strict,
        deferred: Vec::new(),
        takes_copy: false,
    };
    let settings = settings::Table {
        sink: "s".into(),
        schema: None,
        table: name.into(),
        key: vec!["k".into()],
        columns: None,
        on_conflict,
        missing: settings::Missing::Ignore,
        fold,
    };
    let kind = TargetKind::Table(Box::new(TableTarget::try_new(settings, Arc::new(facts)).unwrap()));
    Target { name: name.into(), kind }
}

fn targets() -> Targets {
    Targets::new(vec![
        table("overwrite", OnConflict::Overwrite, false, Fold::Auto),
        table("keep", OnConflict::Keep, false, Fold::Auto),
        table("newest", OnConflict::Newest("v".into()), false, Fold::Auto),
        table("strict", OnConflict::Overwrite, true, Fold::Auto),
        table("always", OnConflict::Overwrite, true, Fold::Always),
    ])
}

/// A key that can not be compared is spelled as text with a leading zero: its row must keep its order.
fn key() -> impl Strategy<Value = Value> {
    (0_i64..4).prop_map(Value::Integer)
}

fn effect() -> impl Strategy<Value = Effect> {
    let name = prop::sample::select(vec!["overwrite", "keep", "newest", "strict", "always"]);
    let cell = prop::option::of((-3_i64..4).prop_map(Value::Integer));
    (name, 0..4_usize, key(), cell.clone(), cell.clone(), cell).prop_map(|(target, op, k, a, b, v)| {
        let mut columns = vec![Column { name: "k".into(), value: k }];
        for (name, value) in [("a", a), ("b", b), ("v", v)] {
            columns.extend(value.filter(|_| op != 3).map(|value| Column { name: name.into(), value }));
        }
        let row = Row { target: target.into(), columns };
        match op {
            0 => Effect::Upsert(row),
            1 => Effect::Update(row),
            2 => Effect::Add(row),
            _ => Effect::Delete(row),
        }
    })
}

/// Applies statements as a database would: rows of one statement in an order of its own, each key once.
fn execute(statements: &[Statement<'_>], targets: &Targets, is_reversed: bool) -> Tables {
    let mut tables = Tables::default();
    for statement in statements {
        let table = targets.table(statement.target).unwrap();
        let mut rows: Vec<_> = (0..statement.len()).map(|index| statement.row(index).to_vec()).collect();
        if is_reversed && !table.facts.is_strict {
            rows.reverse();
        }
        let mut seen = std::collections::BTreeSet::new();
        for row in rows {
            let cells: Cells = statement.columns.iter().copied().zip(row.into_iter().cloned()).collect();
            let key = format!("{:?}", cells.get(&table.key[0]));
            let is_new = seen.insert(key);
            assert!(is_new || statement.op == Op::Add, "a key twice in one {:?} statement", statement.op);
            tables.row(statement.target, table, statement.op, cells).unwrap();
        }
    }
    tables
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_plan_equals_one_by_one(effects in prop::collection::vec(effect(), 0..24)) {
        let targets = targets();
        let mut expected = Tables::default();
        for effect in &effects {
            expected.apply(std::slice::from_ref(effect), &targets).unwrap();
        }
        let statements = plan(effects.iter(), &targets);
        for is_reversed in [false, true] {
            let got = execute(&statements, &targets, is_reversed);
            for target in 0..targets.len() {
                let rows = |tables: &Tables| tables.rows(target).map(|rows| rows.keyed.clone()).unwrap_or_default();
                prop_assert_eq!(rows(&got), rows(&expected), "target {}", target);
            }
        }
    }
}

fn upsert(target: &str, key: i64, columns: &[(&str, i64)]) -> Effect {
    let columns = std::iter::once(("k", key)).chain(columns.iter().copied());
    let columns = columns.map(|(name, value)| Column { name: name.into(), value: Value::Integer(value) });
    Effect::Upsert(Row { target: target.into(), columns: columns.collect() })
}

#[test]
fn merges_the_columns_of_one_key_into_one_row() {
    let effects =
        [upsert("overwrite", 1, &[("a", 1)]), upsert("overwrite", 1, &[("b", 2)]), upsert("overwrite", 1, &[("a", 3)])];
    let targets = targets();
    let statements = plan(effects.iter(), &targets);
    assert_eq!(statements.len(), 1);
    assert_eq!(statements[0].columns, [0, 1, 2]);
    assert_eq!(
        (statements[0].len(), statements[0].row(0)),
        (1, &[&Value::Integer(1), &Value::Integer(3), &Value::Integer(2)][..])
    );
}

#[test]
fn merges_nothing_where_a_constraint_could_refuse_the_row_merged_away() {
    let effects = [upsert("strict", 1, &[("a", 1)]), upsert("strict", 1, &[("a", 2)])];
    let targets = targets();
    assert_eq!(plan(effects.iter(), &targets).len(), 2);
}

#[test]
fn sorts_the_rows_of_a_free_table_by_key() {
    let effects = [5, -1, 3].map(|key| upsert("overwrite", key, &[("a", 1)]));
    let targets = targets();
    let statements = plan(effects.iter(), &targets);
    let keys: Vec<&Value> = statements[0].column(0).collect();
    assert_eq!(keys, [&Value::Integer(-1), &Value::Integer(3), &Value::Integer(5)]);
}

#[test]
fn runs_targets_in_the_manifests_order_and_deletes_in_the_reverse() {
    let delete = |target: &str, key| {
        let columns = vec![Column { name: "k".into(), value: Value::Integer(key) }];
        Effect::Delete(Row { target: target.into(), columns })
    };
    let effects = [delete("overwrite", 8), upsert("keep", 1, &[]), delete("keep", 9), upsert("overwrite", 2, &[])];
    let targets = targets();
    let order: Vec<(usize, Op)> = plan(effects.iter(), &targets).iter().map(|s| (s.target, s.op)).collect();
    assert_eq!(order, [(0, Op::Upsert), (1, Op::Upsert), (1, Op::Delete), (0, Op::Delete)]);
}
