//! The planner alone: rows that one batch turns into statements, against rows of one hot key, which are merged.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use forebay_core::manifest::settings::{self, Fold, Missing, OnConflict};
use forebay_core::outcome::{Column, Effect, Row as Effected, Value};
use forebay_core::plan::statement::plan;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableFacts, TableTarget, Target, TargetKind, Targets};

use crate::side::Measured;
use crate::table::Row;

/// Rows of a batch, and how often it is planned.
const ROWS: u64 = 5000;
const TIMES: usize = 100;

pub(crate) fn row(rounds: usize) -> Row {
    let mut row = Row::new("planner", "planning 5,000 rows of 5,000 keys, against 5,000 rows of 50 keys", None);
    let targets = targets();
    let (many, few) = (effects(ROWS), effects(50));
    for _ in 0..rounds {
        row.add(measure(&many, &targets), measure(&few, &targets));
    }
    row
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn measure(effects: &[Effect], targets: &Targets) -> Measured {
    let start = Instant::now();
    for _ in 0..TIMES {
        black_box(plan(effects.iter(), targets));
    }
    let seconds = start.elapsed().as_secs_f64();
    let rows = (effects.len() * TIMES) as f64;
    // One thread without a wait: its time is its CPU time.
    Measured { rate: rows / seconds, cpu: seconds / rows * 1e6, memory: 0.0 }
}

fn effects(keys: u64) -> Vec<Effect> {
    let text = |text: String| Value::Text(text);
    let row = |number: u64| {
        let columns = [
            ("order_id", text(format!("o-{:08}", number.wrapping_mul(1_000_003) % keys))),
            ("customer_id", text(format!("c-{}", number % 100))),
            ("amount", text("12.50".to_owned())),
            ("quantity", Value::Integer(2)),
            ("status", text("paid".to_owned())),
            ("updated_at", Value::TimestampMicros(1_763_625_600_000_000)),
        ];
        let columns = columns.map(|(name, value)| Column { name: name.to_owned(), value });
        Effect::Upsert(Effected { target: "orders".to_owned(), columns: columns.into() })
    };
    (0..ROWS).map(row).collect()
}

fn targets() -> Targets {
    let column = |name: &str, kind, type_name: &str| ColumnFacts {
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        is_nullable: false,
        has_default: false,
        is_generated: false,
    };
    let columns = vec![
        column("order_id", ColumnKind::Text(None), "text"),
        column("customer_id", ColumnKind::Text(None), "text"),
        column("amount", ColumnKind::Numeric(Some(10)), "numeric"),
        column("quantity", ColumnKind::Int4, "integer"),
        column("status", ColumnKind::Text(None), "text"),
        column("updated_at", ColumnKind::Timestamptz, "timestamptz"),
    ];
    let facts = TableFacts {
        sql_name: "public.orders".to_owned(),
        columns,
        is_strict: false,
        deferred: Vec::new(),
        takes_copy: false,
    };
    let settings = settings::Table {
        sink: "db".to_owned(),
        schema: Some("public".to_owned()),
        table: "orders".to_owned(),
        key: vec!["order_id".to_owned()],
        columns: None,
        on_conflict: OnConflict::Overwrite,
        missing: Missing::Reject,
        fold: Fold::Auto,
    };
    let table = TableTarget::try_new(settings, Arc::new(facts)).expect("the columns are there");
    Targets::new(vec![Target { name: "orders".to_owned(), kind: TargetKind::Table(Box::new(table)) }])
}
