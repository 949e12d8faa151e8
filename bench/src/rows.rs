//! The rows of the table: what is compared with what, and what is hoped for.

use std::path::Path;

use anyhow::Context as _;

use crate::order::Poison;
use crate::planner;
use crate::scale::Scale;
use crate::stage::{Handler, Side, Stage, Topic};
use crate::study::Study;
use crate::table::{Row, Table};

const RECORDS: usize = 500_000;
/// For topics of one and of 48 partitions, and for rows that need no more.
const FEWER: usize = 200_000;

/// A comparison: the ratio is the first side's rate to the second's.
struct Comparison {
    name: &'static str,
    what: &'static str,
    sides: [(Side, &'static str); 2],
    goal: Option<f64>,
}

const NOTHING: Handler = Handler::Wasm("nothing");
const ORDER: Handler = Handler::Wasm("order");
const ORDERS: Option<&str> = Some("public.orders");
/// Sides of the rows with bad messages: the usual, a handler that can trap, and a table that refuses rows.
const USUAL: Side = Side::Runtime(ORDER, ORDERS, None);
const SCRIPTED: Side = Side::Runtime(Handler::Wasm("scripted"), ORDERS, None);
const CHECKED: Side = Side::Runtime(ORDER, Some("public.checked"), None);

const COMPARISONS: [Comparison; 18] = [
    Comparison {
        name: "nothing",
        what: "Kafka → a handler that does nothing, against librdkafka's bare poll loop",
        sides: [(Side::Runtime(NOTHING, None, None), "orders-6"), (Side::Poll, "orders-6")],
        goal: Some(0.5),
    },
    Comparison {
        name: "sandbox",
        what: "Kafka → handler → PostgreSQL: as Wasm against compiled in",
        sides: [
            (Side::Runtime(ORDER, ORDERS, None), "orders-6"),
            (Side::Runtime(Handler::Native, ORDERS, None), "orders-6"),
        ],
        goal: Some(0.9),
    },
    Comparison {
        name: "by-hand",
        what: "Kafka → handler → PostgreSQL, against a program written by hand",
        sides: [(Side::Runtime(ORDER, ORDERS, None), "orders-6"), (Side::ByHand, "orders-6")],
        goal: Some(1.2),
    },
    Comparison {
        name: "instances",
        what: "a fresh instance for each batch, against one that serves 1,000 batches (nothing written)",
        sides: [
            (Side::Runtime(NOTHING, None, None), "orders-6"),
            (Side::Runtime(NOTHING, None, Some(1000)), "orders-6"),
        ],
        goal: None,
    },
    Comparison {
        name: "partitions-1",
        what: "one partition against six",
        sides: [(Side::Runtime(ORDER, ORDERS, None), "orders-1"), (Side::Runtime(ORDER, ORDERS, None), "fewer-6")],
        goal: None,
    },
    Comparison {
        name: "partitions-48",
        what: "48 partitions against six",
        sides: [(Side::Runtime(ORDER, ORDERS, None), "orders-48"), (Side::Runtime(ORDER, ORDERS, None), "fewer-6")],
        goal: None,
    },
    connections("connections-2", [(Side::Connections(2), "orders-48"), (USUAL, "orders-48")]),
    connections("connections-4", [(Side::Connections(4), "orders-48"), (USUAL, "orders-48")]),
    connections("connections-16", [(Side::Connections(16), "orders-48"), (USUAL, "orders-48")]),
    poison(
        "poison-reject-1",
        "1 % that the handler rejects, against none",
        [(USUAL, "reject-1"), (USUAL, "fewer-6")],
        None,
    ),
    poison("poison-reject-10", "10 % that the handler rejects", [(USUAL, "reject-10"), (USUAL, "fewer-6")], Some(0.7)),
    poison("poison-reject-50", "50 % that the handler rejects", [(USUAL, "reject-50"), (USUAL, "fewer-6")], None),
    poison("poison-trap-1", "1 % at which the handler traps", [(SCRIPTED, "trap-1"), (SCRIPTED, "trap-0")], None),
    poison(
        "poison-trap-10",
        "10 % at which the handler traps",
        [(SCRIPTED, "trap-10"), (SCRIPTED, "trap-0")],
        Some(0.7),
    ),
    poison("poison-trap-50", "50 % at which the handler traps", [(SCRIPTED, "trap-50"), (SCRIPTED, "trap-0")], None),
    poison("poison-check-1", "1 % that the database refuses", [(CHECKED, "check-1"), (CHECKED, "fewer-6")], None),
    poison(
        "poison-check-10",
        "10 % that the database refuses",
        [(CHECKED, "check-10"), (CHECKED, "fewer-6")],
        Some(0.4),
    ),
    poison("poison-check-50", "50 % that the database refuses", [(CHECKED, "check-50"), (CHECKED, "fewer-6")], None),
];

const fn connections(name: &'static str, sides: [(Side, &'static str); 2]) -> Comparison {
    let what = "48 partitions, with so many connections to the database against the default of eight";
    Comparison { name, what, sides, goal: None }
}

const fn poison(
    name: &'static str,
    what: &'static str,
    sides: [(Side, &'static str); 2],
    goal: Option<f64>,
) -> Comparison {
    Comparison { name, what, sides, goal }
}

const TOPICS: [Topic; 14] = [
    topic("orders-6", 6, RECORDS, Poison::None),
    topic("orders-1", 1, FEWER, Poison::None),
    topic("fewer-6", 6, FEWER, Poison::None),
    topic("orders-48", 48, FEWER, Poison::None),
    topic("reject-1", 6, FEWER, Poison::Reject(100)),
    topic("reject-10", 6, FEWER, Poison::Reject(10)),
    topic("reject-50", 6, FEWER, Poison::Reject(2)),
    topic("trap-0", 6, FEWER, Poison::Trap(0)),
    topic("trap-1", 6, FEWER, Poison::Trap(100)),
    topic("trap-10", 6, FEWER, Poison::Trap(10)),
    topic("trap-50", 6, FEWER, Poison::Trap(2)),
    topic("check-1", 6, FEWER, Poison::Check(100)),
    topic("check-10", 6, FEWER, Poison::Check(10)),
    topic("check-50", 6, FEWER, Poison::Check(2)),
];

const fn topic(name: &'static str, partitions: u64, records: usize, poison: Poison) -> Topic {
    Topic { name, partitions, records, poison }
}

/// Runs what has `name` in its name, prints it, and writes it as JSON. What was measured before something failed is printed,
/// too.
pub(crate) fn run(name: Option<&str>, json: Option<&Path>, rounds: usize, scale: Scale) -> anyhow::Result<()> {
    let is_wanted = |row: &str| name.is_none_or(|name| row.contains(name));
    let rows: Vec<&Comparison> = COMPARISONS.iter().filter(|row| is_wanted(row.name)).collect();
    let studies: Vec<Study> = Study::ALL.into_iter().filter(|study| is_wanted(study.name())).collect();
    let has_planner = is_wanted("planner");
    let is_empty = rows.is_empty() && studies.is_empty() && !has_planner;
    anyhow::ensure!(!is_empty, "no row has `{}` in its name", name.unwrap_or_default());
    let mut table = Table::default();
    if has_planner {
        eprintln!("bench: planner");
        table.add(planner::row(rounds));
    }
    let mut measured = Ok(());
    if !rows.is_empty() || !studies.is_empty() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        measured = runtime.block_on(measure(&rows, &studies, rounds, scale, &mut table));
    }
    if !table.is_empty() {
        print!("{table}");
    }
    if let Some(path) = json {
        std::fs::write(path, table.json())?;
    }
    measured
}

async fn measure(
    rows: &[&Comparison],
    studies: &[Study],
    rounds: usize,
    scale: Scale,
    table: &mut Table,
) -> anyhow::Result<()> {
    eprintln!("bench: starting Kafka and PostgreSQL");
    let stage = Stage::start().await;
    compare(&stage, rows, rounds, table).await?;
    for study in studies {
        study.run(&stage, scale, rounds, table).await.with_context(|| study.name())?;
    }
    Ok(())
}

async fn compare(stage: &Stage, wanted: &[&Comparison], rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    for topic in &TOPICS {
        if wanted.iter().any(|row| row.sides.iter().any(|(_, own)| *own == topic.name)) {
            eprintln!("bench: filling `{}` with {} records", topic.name, topic.records);
            stage.fill(topic).await?;
        }
    }
    let named =
        |name: &str| TOPICS.iter().find(|topic| topic.name == name).with_context(|| format!("no topic `{name}`"));
    for Comparison { name, what, sides: [(first, first_topic), (second, second_topic)], goal } in wanted {
        let (first_topic, second_topic) = (named(first_topic)?, named(second_topic)?);
        let mut row = Row::new(name, what, *goal).with_bad(first_topic.poison.share());
        for round in 1..=rounds {
            eprintln!("bench: {name}, round {round} of {rounds}");
            let first = stage.round(*first, first_topic).await?;
            let second = stage.round(*second, second_topic).await?;
            row.add(first, second);
        }
        table.add(row);
    }
    Ok(())
}
