//! A handler that computes, on one partition: what a second core adds.

use std::process::Command;

use crate::cpu;
use crate::manifest::Manifest;
use crate::order;
use crate::runtime::Runtime;
use crate::scale::Scale;
use crate::side::{Measured, Told, measure};
use crate::stage::{Stage, component};
use crate::table::{Row, Table};

const TOPIC: &str = "computed";
const RECORDS: usize = 60_000;
/// Turns of the scripted handler's loop for each record: about 200 µs.
const TURNS: u64 = 470_000;

const WHAT: &str = "a handler that computes 200 µs a record, one partition: the process on two cores against on one";

pub(crate) async fn run(stage: &Stage, scale: Scale, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let records = scale.count(RECORDS);
    let cores = cpu::two_cores()?;
    let [one, two] = cores.as_slice() else { anyhow::bail!("this process may run on one core only") };
    let (one, two) = (one.to_string(), format!("{one},{two}"));
    eprintln!("bench: filling `{TOPIC}` with {records} records");
    stage.fill_with(TOPIC, 1, records, |number| message(number, records as u64)).await?;
    let mut row = Row::new("cores", WHAT, None);
    for round in 1..=rounds {
        eprintln!("bench: cores, round {round} of {rounds}");
        let both = drain(stage, &two, records).await?;
        let single = drain(stage, &one, records).await?;
        row.add(both, single);
    }
    table.add(row);
    Ok(())
}

async fn drain(stage: &Stage, cores: &str, records: usize) -> anyhow::Result<Measured> {
    stage.empty("public.orders").await;
    let manifest = stage.write(&Manifest {
        topic: TOPIC,
        group: &stage.group("cores"),
        component: &component("scripted"),
        plugin: "",
        sink: "",
        binding: "",
        dead_letter: "{ topic = \"dead\" }",
        targets: &order::target("public.orders"),
    })?;
    let runtime = Runtime::command(&manifest);
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]).arg(runtime.get_program()).args(runtime.get_args());
    let drain = measure(command, stage.folder(), &Told::Metrics(manifest.admin), records).await?;
    stage.has_rows("public.orders", records).await?;
    Ok(drain.measured)
}

/// Returns an order as a script that computes first.
fn message(number: u64, count: u64) -> (String, String) {
    let id = format!("o-{number:08}");
    let at = 1_763_625_600_000_000 + number;
    let columns = format!(
        r#"{{"order_id":"{id}","customer_id":"c-{}","amount":"{}.50","quantity":1,"status":"paid","updated_at":{{"micros":{at}}}}}"#,
        number % 10_000,
        count - number
    );
    let effect = format!(r#"{{"op":"upsert","target":"orders","columns":{columns}}}"#);
    (id, format!(r#"{{"burn":{TURNS},"effects":[{effect}]}}"#))
}
