//! What a team writes by hand when it knows its trade: poll, parse, upsert 500 rows by `unnest` over four connections, and
//! commit what is written. It has no dead letters, no fences, no retries: a bad message or a lost connection ends it.

use std::time::Duration;

use anyhow::Context as _;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls, Statement};

use crate::order::Order;
use crate::side::{Given, Progress};

const ROWS: usize = 500;
const CONNECTIONS: usize = 4;
/// More batches waiting for a connection would only add memory.
const WAITING: usize = 2;

const UPSERT: &str = "insert into orders (order_id, customer_id, amount, quantity, status, updated_at) \
    select a, b, c::numeric, d, e, to_timestamp(f::float8 / 1000) \
    from unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::text[], $6::int8[]) as v(a, b, c, d, e, f) \
    on conflict (order_id) do update set customer_id = excluded.customer_id, amount = excluded.amount, \
    quantity = excluded.quantity, status = excluded.status, updated_at = excluded.updated_at";

/// Rows of one partition, by column.
#[derive(Default)]
struct Batch {
    partition: i32,
    next: i64,
    ids: Vec<String>,
    customers: Vec<String>,
    amounts: Vec<String>,
    quantities: Vec<i32>,
    statuses: Vec<String>,
    times: Vec<i64>,
}

/// Up to where a partition is written, and how many rows that were.
type Written = (i32, i64, usize);

pub(crate) fn run(given: &Given) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (written, mut done) = mpsc::channel(64);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (sender, batches) = mpsc::channel(WAITING);
        let (url, written) = (given.url.clone(), written.clone());
        runtime.spawn(async move {
            if let Err(error) = write(&url, batches, written).await {
                eprintln!("by hand: {error:#}");
                std::process::exit(1);
            }
        });
        connections.push(sender);
    }
    let consumer: BaseConsumer = given.consumer().create()?;
    consumer.subscribe(&[&given.topic])?;
    let mut progress = Progress::new(given);
    let mut open: Vec<Batch> = Vec::new();
    while !progress.is_done() {
        while let Ok((partition, next, rows)) = done.try_recv() {
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset(&given.topic, partition, Offset::Offset(next))?;
            consumer.commit(&offsets, CommitMode::Async)?;
            progress.add(rows);
        }
        let Some(message) = consumer.poll(Duration::from_millis(5)) else {
            // Nothing more for the moment: what there is goes.
            for batch in open.iter_mut().filter(|batch| !batch.ids.is_empty()) {
                send(&connections, batch)?;
            }
            continue;
        };
        let message = message?;
        let order: Order<'_> = serde_json::from_slice(message.payload().context("a tombstone")?)?;
        let partition = usize::try_from(message.partition())?;
        if open.len() <= partition {
            open.resize_with(partition + 1, Batch::default);
        }
        let batch = &mut open[partition];
        (batch.partition, batch.next) = (message.partition(), message.offset() + 1);
        batch.push(&order);
        if batch.ids.len() == ROWS {
            send(&connections, batch)?;
        }
    }
    Ok(())
}

/// A partition's batches go over one connection, so that they stay in order.
fn send(connections: &[mpsc::Sender<Batch>], batch: &mut Batch) -> anyhow::Result<()> {
    let full = std::mem::take(batch);
    let connection = &connections[usize::try_from(full.partition)? % connections.len()];
    connection.blocking_send(full).context("the connection is gone")
}

async fn write(url: &str, mut batches: mpsc::Receiver<Batch>, written: mpsc::Sender<Written>) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let upsert = client.prepare(UPSERT).await?;
    while let Some(batch) = batches.recv().await {
        batch.write(&client, &upsert).await?;
        written.send((batch.partition, batch.next, batch.ids.len())).await?;
    }
    Ok(())
}

impl Batch {
    fn push(&mut self, order: &Order<'_>) {
        self.ids.push(order.order_id.to_owned());
        self.customers.push(order.customer_id.to_owned());
        self.amounts.push(order.amount.to_owned());
        self.quantities.push(order.quantity);
        self.statuses.push(order.status.to_owned());
        self.times.push(order.updated_at);
    }

    async fn write(&self, client: &Client, upsert: &Statement) -> anyhow::Result<()> {
        let Self { partition: _, next: _, ids, customers, amounts, quantities, statuses, times } = self;
        client.execute(upsert, &[ids, customers, amounts, quantities, statuses, times]).await?;
        Ok(())
    }
}
