//! The rows of the table: what is compared with what, and what is hoped for.

use std::path::Path;

use crate::planner;
use crate::stage::{Handler, Side, Stage};
use crate::table::{Row, Table};

const RECORDS: usize = 500_000;
/// For topics of one and of 48 partitions, and for rows that need no more.
const FEWER: usize = 200_000;

/// A comparison: the ratio is the first side's rate to the second's.
struct Comparison {
    name: &'static str,
    what: &'static str,
    sides: [(Side, &'static str); 2],
    records: usize,
    goal: Option<f64>,
}

const NOTHING: Handler = Handler::Wasm("nothing");
const ORDER: Handler = Handler::Wasm("order");

const COMPARISONS: [Comparison; 6] = [
    Comparison {
        name: "nothing",
        what: "Kafka → a handler that does nothing, against librdkafka's bare poll loop",
        sides: [(Side::Runtime(NOTHING, false, None), "orders-6"), (Side::Poll, "orders-6")],
        records: RECORDS,
        goal: Some(0.5),
    },
    Comparison {
        name: "sandbox",
        what: "Kafka → handler → PostgreSQL: as Wasm against compiled in",
        sides: [
            (Side::Runtime(ORDER, true, None), "orders-6"),
            (Side::Runtime(Handler::Native, true, None), "orders-6"),
        ],
        records: RECORDS,
        goal: Some(0.9),
    },
    Comparison {
        name: "by-hand",
        what: "Kafka → handler → PostgreSQL, against a program written by hand",
        sides: [(Side::Runtime(ORDER, true, None), "orders-6"), (Side::ByHand, "orders-6")],
        records: RECORDS,
        goal: Some(1.2),
    },
    Comparison {
        name: "instances",
        what: "a fresh instance for each batch, against one that serves 1,000 batches (nothing written)",
        sides: [
            (Side::Runtime(NOTHING, false, None), "orders-6"),
            (Side::Runtime(NOTHING, false, Some(1000)), "orders-6"),
        ],
        records: RECORDS,
        goal: None,
    },
    Comparison {
        name: "partitions-1",
        what: "one partition against six",
        sides: [(Side::Runtime(ORDER, true, None), "orders-1"), (Side::Runtime(ORDER, true, None), "fewer-6")],
        records: FEWER,
        goal: None,
    },
    Comparison {
        name: "partitions-48",
        what: "48 partitions against six",
        sides: [(Side::Runtime(ORDER, true, None), "orders-48"), (Side::Runtime(ORDER, true, None), "fewer-6")],
        records: FEWER,
        goal: None,
    },
];

const TOPICS: [(&str, i32, usize); 4] =
    [("orders-6", 6, RECORDS), ("orders-1", 1, FEWER), ("fewer-6", 6, FEWER), ("orders-48", 48, FEWER)];

pub(crate) fn run(name: Option<&str>, json: Option<&Path>, rounds: usize) -> anyhow::Result<()> {
    let is_wanted = |row: &str| name.is_none_or(|name| row.contains(name));
    let wanted: Vec<&Comparison> = COMPARISONS.iter().filter(|row| is_wanted(row.name)).collect();
    let mut table = Table::default();
    if is_wanted("planner") {
        eprintln!("bench: planner");
        table.add(planner::row(rounds));
    }
    if !wanted.is_empty() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(compare(&wanted, rounds, &mut table))?;
    }
    anyhow::ensure!(!table.is_empty(), "no row has `{}` in its name", name.unwrap_or_default());
    print!("{table}");
    match json {
        Some(path) => Ok(std::fs::write(path, table.json())?),
        None => Ok(()),
    }
}

async fn compare(wanted: &[&Comparison], rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    eprintln!("bench: starting Kafka and PostgreSQL");
    let stage = Stage::start().await;
    for (topic, partitions, records) in TOPICS {
        if wanted.iter().any(|row| row.sides.iter().any(|(_, own)| *own == topic)) {
            eprintln!("bench: filling `{topic}` with {records} records");
            stage.fill(topic, partitions, records).await?;
        }
    }
    for comparison in wanted {
        let Comparison { name, what, sides: [(first, first_topic), (second, second_topic)], records, goal } =
            comparison;
        let mut row = Row::new(name, what, *goal);
        for round in 1..=rounds {
            eprintln!("bench: {name}, round {round} of {rounds}");
            let first = stage.round(*first, first_topic, *records).await?;
            let second = stage.round(*second, second_topic, *records).await?;
            row.add(first, second);
        }
        table.add(row);
    }
    Ok(())
}
