//! One record a second through an idle consumer: how long from its producing until another connection sees its row.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use forebay_tests::process::Process;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};

use crate::curve::Curve;
use crate::distribution::Distribution;
use crate::manifest::Manifest;
use crate::notices::{HUSH, Notices, TELL};
use crate::order::{self, Poison};
use crate::runtime::Runtime;
use crate::scale::Scale;
use crate::stage::{DATABASE, Stage, component};
use crate::table::Table;

/// Records that are measured.
const SAMPLES: usize = 60;
/// Records before them: joining the group, the first connection, the first instance.
const WARM: usize = 5;
const INTERVAL: Duration = Duration::from_secs(1);

const WHAT: &str =
    "one record a second, one partition: from its producing until its row is visible to another connection";

pub(crate) async fn run(stage: &Stage, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let samples = scale.count(SAMPLES);
    stage.postgres().execute(DATABASE, TELL).await;
    eprintln!("bench: latency, {samples} records through `forebay run`");
    let forebay = through_forebay(stage, samples).await?;
    eprintln!("bench: latency, {samples} records through the program written by hand");
    let by_hand = through_by_hand(stage, samples).await?;
    stage.postgres().execute(DATABASE, HUSH).await;
    let columns = [("records", 0), ("p50 ms", 1), ("p90 ms", 1), ("p99 ms", 1), ("max ms", 1)];
    let mut curve = Curve::new("latency", WHAT, "side", &columns);
    let percentiles = |it: &Distribution| [it.percentile(50), it.percentile(90), it.percentile(99), it.max()];
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let line = |it: &Distribution| [vec![it.len() as f64], percentiles(it).to_vec()].concat();
    curve.add("forebay", &line(&forebay));
    curve.add("by-hand", &line(&by_hand));
    let ratios = percentiles(&forebay).into_iter().zip(percentiles(&by_hand)).map(|(first, second)| first / second);
    curve.add("ratio", &[f64::NAN].into_iter().chain(ratios).collect::<Vec<_>>());
    table.add_curve(curve);
    Ok(())
}

async fn through_forebay(stage: &Stage, samples: usize) -> anyhow::Result<Distribution> {
    let (topic, group) = ("latency-forebay", stage.group("latency"));
    stage.kafka().create_topic(topic, 1, &[]).await;
    let manifest = stage.write(&Manifest {
        topic,
        group: &group,
        component: &component("order"),
        plugin: "",
        sink: "",
        binding: "",
        dead_letter: "{ topic = \"dead\" }",
        targets: &order::target("public.orders"),
    })?;
    stage.empty("public.orders").await;
    let runtime = Runtime::start(&manifest);
    runtime.until_owns(1).await?;
    sample(stage, topic, samples).await
}

async fn through_by_hand(stage: &Stage, samples: usize) -> anyhow::Result<Distribution> {
    let (topic, group) = ("latency-by-hand", stage.group("latency"));
    stage.kafka().create_topic(topic, 1, &[]).await;
    stage.empty("public.orders").await;
    let (command, _told) = stage.own("side-by-hand", topic, &group, samples + WARM)?;
    let log = stage.folder().join(format!("{group}.log"));
    let _process = Process::start("side", command, &log, libc::SIGKILL);
    sample(stage, topic, samples).await
}

/// Produces a record, waits for its row, and so on.
async fn sample(stage: &Stage, topic: &str, samples: usize) -> anyhow::Result<Distribution> {
    let mut notices = Notices::listen(&stage.url()).await?;
    let mut config = stage.kafka().client_config();
    let producer: ThreadedProducer<DefaultProducerContext> = config.set("linger.ms", "0").create()?;
    let (count, mut latencies) = (WARM + samples, Vec::new());
    let start = Instant::now();
    for number in 0..count as u64 {
        // A little beside the second, so that nothing else that comes each second falls in with it.
        let beside = Duration::from_millis(number * 37 % 100);
        tokio::time::sleep_until((start + INTERVAL * u32::try_from(number)? + beside).into()).await;
        let (id, value) = order::message(number, count as u64, Poison::None, false);
        let produced = Instant::now();
        let sent = producer.send(BaseRecord::to(topic).key(&id).payload(&value).partition(0));
        sent.map_err(|(error, _)| error).context("produce a record")?;
        let visible = notices.until_visible(&id).await?;
        if number >= WARM as u64 {
            latencies.push(visible.duration_since(produced).as_secs_f64() * 1e3);
        }
    }
    Ok(Distribution::new(latencies))
}
