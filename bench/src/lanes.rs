//! What a record costs by how many partitions its topic has, where little comes and where much does.

use std::time::Duration;

use anyhow::Context as _;

use crate::curve::Curve;
use crate::drivers::Window;
use crate::offering::{Offered, Offering};
use crate::scale::Scale;
use crate::stage::{DATABASE, Stage};
use crate::table::Table;

const PARTITIONS: [u64; 3] = [1, 6, 48];
/// Records a second.
const RATES: [u64; 3] = [200, 2_000, 30_000];
const WINDOW: Duration = Duration::from_secs(20);

const WHAT: &str =
    "driver locations at a steady rate, evenly over 1, 6 and 48 partitions; CPU seconds per million records";
const TRANSACTIONS: &str = "select xact_commit from pg_stat_database where datname = $1";

pub(crate) async fn run(stage: &Stage, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    stage.note_commit_times().await;
    stage.postgres().execute(DATABASE, forebay_tests::location::TABLE).await;
    let columns = [
        ("done/s", 0),
        ("p50 s", 4),
        ("p99 s", 4),
        ("tx/s", 0),
        ("records/tx", 1),
        ("forebay", 1),
        ("database", 1),
        ("broker", 1),
    ];
    let mut curve = Curve::new("lanes", WHAT, "load", &columns);
    for rate in RATES {
        for partitions in PARTITIONS {
            eprintln!("bench: lanes, {partitions} partitions, {rate} records a second");
            let offered = Offered { rate, malformed: 0, among: 1, evenly_over: Some(partitions) };
            let mut offering = Offering::begin(stage, offered).await?;
            offering.look_for(scale.time(WINDOW) / 4, WINDOW).await?;
            let before = transactions(stage).await?;
            let window = Window::measure(&mut offering, scale.time(WINDOW) / 4, scale.time(WINDOW)).await?;
            // The warm-up of the window counts as well.
            let seconds = scale.time(WINDOW).as_secs_f64() * 1.25;
            let per_second = (transactions(stage).await? - before) / seconds;
            let (p50, p99) = window.staleness();
            let spent = window.spent;
            let figures = [
                window.done,
                p50,
                p99,
                per_second,
                window.done / per_second,
                spent.forebay,
                spent.database,
                spent.broker,
            ];
            curve.add(format!("{rate}/s over {partitions}"), &figures);
            offering.finish().await?;
        }
    }
    table.add_curve(curve);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
async fn transactions(stage: &Stage) -> anyhow::Result<f64> {
    let rows = stage.postgres().query(DATABASE, TRANSACTIONS, &[&DATABASE]).await;
    Ok(rows.first().context("a database has statistics")?.get::<_, i64>(0) as f64)
}
