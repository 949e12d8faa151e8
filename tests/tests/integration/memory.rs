//! Resident memory with a long backlog and a database that is away: bounded by what the manifest allows, whatever waits.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, Plugin};
use forebay_tests::memory::{Sampler, mebibytes};
use forebay_tests::place;
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::wait;

use crate::scene::{MINUTE, Scene, table, until_state};

const PARTITIONS: i32 = 6;
/// What a container is given that runs with the defaults.
const CONTAINER: u64 = 256 << 20;
/// How long the database is away.
const AWAY: Duration = Duration::from_secs(60);
/// What waits for it at the least.
const HELD: u64 = 16 << 20;
/// How long a backlog may take.
const DRAIN: Duration = Duration::from_secs(180);

const SCHEMA: &str = "create table orders (order_id text primary key, customer_id text not null,
    amount numeric(12, 2) not null, quantity int not null, status text not null, updated_at timestamptz not null)";

/// A backlog of orders, and what runs over it.
pub(crate) struct Backlog<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) records: u64,
}

impl<'a> Backlog<'a> {
    /// Produces `records` orders, each with a note that makes its value as long as `length`.
    pub(crate) async fn new(servers: (&'a Kafka, &'a Postgres), base: &str, records: u64, length: usize) -> Self {
        let start = Instant::now();
        let scene = Scene::new(servers, base, PARTITIONS, SCHEMA).await;
        let mut random = Random(0x5eed_0004);
        for number in 0..records {
            let partition = i32::try_from(number).unwrap() % PARTITIONS;
            let (customer, quantity) = (number % 9_973, quantity(number));
            let start = format!(
                "{{\"order_id\":\"o-{number}\",\"customer_id\":\"c-{customer}\",\"amount\":\"{customer}.50\",\
                 \"quantity\":{quantity},\"status\":\"placed\",\"updated_at\":{},\"note\":\"",
                1_700_000_000_000 + number
            );
            let note = note(&mut random, length.saturating_sub(start.len() + 2));
            let value = format!("{start}{note}\"}}");
            scene.producer.send(&scene.names.topic, partition, None, Some(value.as_bytes()), &[]);
        }
        scene.producer.flush().await;
        eprintln!("{records} records of {length} bytes produced in {:?}", start.elapsed());
        Self { scene, records }
    }

    /// Everything but what is about records is as a manifest has it that says nothing.
    pub(crate) fn manifest(&self) -> Manifest {
        Manifest::new(self.scene.kafka)
            .warehouse(&self.scene.postgres.url(&self.scene.names.database))
            .plugin("order", Plugin::new(place::component("order")))
            .binding(Binding::new(&self.scene.names, "order"))
            .target("orders", &table("orders", "key = [\"order_id\"]"))
    }

    /// Waits until so many records are applied.
    pub(crate) async fn until_applied(&self, deadline: Duration, records: u64, forebay: &Forebay) {
        let client = self.scene.postgres.connect(&self.scene.names.database).await;
        let applied = async || {
            // Before the first start there is no ledger.
            let sum = client.query_one("select coalesce(sum(next_offset), 0)::int8 from forebay.ledger", &[]).await;
            sum.is_ok_and(|row| u64::try_from(row.get::<_, i64>(0)).unwrap() >= records)
        };
        wait::until_or_dump(deadline, &format!("{records} records to be applied"), applied, || forebay.tail()).await;
    }

    /// Stops the database and starts it again after so long; the runtime waits meanwhile, with so many bytes or more.
    pub(crate) async fn away(&self, forebay: &Forebay, away: Duration, least: u64) {
        self.scene.postgres.stop(Stop::Fast).await;
        until_state(forebay, "waiting", &["database: "]).await;
        let before = forebay.metrics().await.sum("forebay_records_total", &[]);
        tokio::time::sleep(away).await;
        let metrics = forebay.metrics().await;
        let after = metrics.sum("forebay_records_total", &[]);
        assert_eq!(before, after, "nothing can be applied without a database");
        let waiting = metrics.sum("forebay_buffered_bytes", &[]) as u64;
        eprintln!("{} MiB waited for the database", mebibytes(waiting));
        assert!(waiting > least, "only {waiting} bytes waited: nothing was held back");
        self.scene.postgres.start_again().await;
    }

    /// Drains what is left, looks whether it is exact, and returns the peak.
    pub(crate) async fn drain(&self, forebay: &Forebay, sampler: &Sampler) -> u64 {
        let start = Instant::now();
        self.until_applied(DRAIN, self.records, forebay).await;
        eprintln!("drained in {:?}", start.elapsed());
        self.scene.until_at_end(forebay).await;
        forebay.until_caught_up(MINUTE, PARTITIONS as usize).await;
        let (peak, largest) = (sampler.peak(), sampler.largest());
        for (at, memory) in sampler.outline(Duration::from_secs(5)) {
            let (resident, anonymous) = (mebibytes(memory.resident), mebibytes(memory.anonymous));
            eprintln!("{:>5.1} s  resident {resident:>4} MiB, of it in no file {anonymous:>4} MiB", at.as_secs_f64());
        }
        eprintln!("peak {} MiB; in no file {} MiB at {:?}", mebibytes(peak), mebibytes(largest.1.anonymous), largest.0);
        self.scene.rest(forebay).await;
        assert_eq!(self.scene.letter_codes().await, []);
        let found = "select count(*) || ' ' || sum(quantity) || ' ' || sum(substr(order_id, 3)::int8) from orders";
        let quantities: u64 = (0..self.records).map(quantity).sum();
        let numbers: u64 = (0..self.records).sum();
        let wanted = format!("{} {quantities} {numbers}", self.records);
        assert_eq!(self.scene.text(found).await, wanted, "orders, their quantities, and the sum of their numbers");
        peak
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn quantity(number: u64) -> u64 {
    number % 11 + 1
}

/// Returns text of that length, no two alike, with words that come again: a compressor makes an eighth or so of it.
fn note(random: &mut Random, length: usize) -> String {
    let words = "the customer wants it left at the door, or with the neighbours, and never before ten; ".repeat(2);
    let mut note = String::with_capacity(length + words.len() + 16);
    while note.len() < length {
        write!(note, "{:016x}{words}", random.next()).expect("text grows");
    }
    note.truncate(length);
    note
}

#[tokio::test(flavor = "multi_thread")]
async fn two_million_small_records_and_a_database_that_is_away_fit_a_small_container() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::start().await);
    let backlog = Backlog::new((&kafka, &postgres), "memory_small", 2_000_000, 200).await;
    let manifest = backlog.manifest().write();
    let forebay = Forebay::start(&manifest, &[]);
    let sampler = Sampler::start(forebay.pid());
    backlog.until_applied(MINUTE, 500_000, &forebay).await;
    backlog.away(&forebay, AWAY, HELD).await;
    let positions: i64 = backlog.scene.positions().await.values().sum();
    assert!(positions < 1_800_000, "it was away in the middle, not at position {positions}");
    let peak = backlog.drain(&forebay, &sampler).await;
    assert!(peak < CONTAINER, "the peak is {} MiB", mebibytes(peak));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gigabytes_of_large_records_and_a_database_that_is_away_fit_a_small_container() {
    let (kafka, postgres) = (Kafka::start().await, Postgres::start().await);
    let backlog = Backlog::new((&kafka, &postgres), "memory_large", 20_000, 100 << 10).await;
    let manifest = backlog.manifest().write();
    let forebay = Forebay::start(&manifest, &[]);
    let sampler = Sampler::start(forebay.pid());
    backlog.until_applied(MINUTE, 1, &forebay).await;
    backlog.away(&forebay, AWAY, HELD).await;
    let positions: i64 = backlog.scene.positions().await.values().sum();
    assert!(positions < 18_000, "it was away at the beginning, not at position {positions}");
    let peak = backlog.drain(&forebay, &sampler).await;
    assert!(peak < CONTAINER, "the peak is {} MiB", mebibytes(peak));
}
