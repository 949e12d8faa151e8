//! The orders example under load: events that are known one by one, and what must have become of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, Plugin};
use forebay_tests::names::Names;
use forebay_tests::oracle;
use forebay_tests::place;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::{Ack, Producer};
use forebay_tests::reader;

pub(crate) const PARTITIONS: i32 = 6;

/// A scenario around `examples/01-orders`: its component, its schema, its targets.
pub(crate) struct Orders<'a> {
    pub(crate) kafka: &'a Kafka,
    pub(crate) postgres: &'a Postgres,
    pub(crate) names: Names,
    /// What was produced, by the order in which it was.
    events: Vec<Event>,
    /// After this many events comes one that is none.
    poison_every: Option<u32>,
    /// Where those lie.
    poison: BTreeSet<(i32, i64)>,
}

#[derive(Clone)]
struct Event {
    order: u32,
    status: &'static str,
    updated_at: i64,
    ack: Ack,
}

impl<'a> Orders<'a> {
    pub(crate) async fn new(kafka: &'a Kafka, postgres: &'a Postgres, base: &str) -> Self {
        let names = Names::new(base);
        kafka.create_topic(&names.topic, PARTITIONS, &[]).await;
        kafka.create_topic(&names.dead_letters, 3, &[]).await;
        kafka.create_topic(&names.published, 2, &[]).await;
        postgres.create_database(&names.database).await;
        let schema = std::fs::read_to_string(place::root().join("examples/01-orders/schema.sql")).unwrap();
        postgres.execute(&names.database, &schema).await;
        Self { kafka, postgres, names, events: Vec::new(), poison_every: None, poison: BTreeSet::new() }
    }

    /// Puts a record that is no event behind every `count` events.
    pub(crate) fn poison_every(mut self, count: u32) -> Self {
        self.poison_every = Some(count);
        self
    }

    /// Makes the database refuse what comes out of the order of the log.
    pub(crate) async fn refuse_disorder(&self) {
        let guard = "create table last_seen (source_partition int primary key, source_offset bigint not null); \
            create function in_order() returns trigger language plpgsql as $$ begin \
            insert into last_seen values (new.source_partition, new.source_offset) on conflict (source_partition) \
            do update set source_offset = excluded.source_offset where last_seen.source_offset < excluded.source_offset; \
            if not found then raise exception 'out of order'; end if; return new; end $$; \
            create trigger in_order before insert on order_audit for each row execute function in_order()";
        self.postgres.execute(&self.names.database, guard).await;
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let component = place::root().join("examples/01-orders/plugin/orders.wasm");
        let table = |rest: &str| format!("{{ sink = \"warehouse\", table = \"public.{rest} }}");
        let orders = table("orders\", key = [\"order_id\"], on-conflict = \"newest(updated_at)\"");
        Manifest::new(self.kafka)
            .warehouse(&self.postgres.url(&self.names.database))
            .plugin("orders", Plugin::new(component))
            .binding(Binding::new(&self.names, "orders"))
            .target("orders", &orders)
            .target("audit", &table("order_audit\""))
            .target("totals", &table("customer_totals\", key = [\"customer_id\"]"))
            .target("shipped", &format!("{{ topic = \"{}\" }}", self.names.published))
    }

    /// Produces events of orders that go from placed over paid to shipped, and waits until all are acknowledged.
    pub(crate) async fn produce(&mut self, count: u32) {
        let producer = Producer::new(self.kafka);
        let first = u32::try_from(self.events.len()).unwrap();
        let mut planned = Vec::new();
        for number in first..first + count {
            // Three events of an order, some hundreds of records apart.
            let (block, within) = (number / 900, number % 900);
            let order = block * 300 + within % 300;
            let status = ["placed", "paid", "shipped"][(within / 300) as usize];
            let updated_at = 1_700_000_000_000 + i64::from(number);
            let partition = i32::try_from(order).unwrap() % PARTITIONS;
            let value = format!(
                "{{\"order_id\":\"o-{order}\",\"customer_id\":\"c-{}\",\"amount\":\"{}.50\",\"quantity\":2,\
                 \"status\":\"{status}\",\"updated_at\":{updated_at}}}",
                order % 97,
                order % 50
            );
            let key = format!("o-{order}");
            producer.send(&self.names.topic, partition, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
            planned.push(Some((order, status, updated_at)));
            if self.poison_every.is_some_and(|every| number % every == 0) {
                producer.send(&self.names.topic, partition, Some(key.as_bytes()), Some(b"no event"), &[]);
                planned.push(None);
            }
        }
        for (planned, ack) in planned.into_iter().zip(producer.flush().await) {
            match planned {
                Some((order, status, updated_at)) => self.events.push(Event { order, status, updated_at, ack }),
                None => drop(self.poison.insert((ack.partition, ack.offset))),
            }
        }
    }

    /// Waits until the ledger is at the end of every partition's log.
    pub(crate) async fn until_at_end(&self, deadline: Duration, running: &Forebay) {
        let ends = oracle::log_ends(self.kafka, &self.names.topic);
        let client = self.postgres.connect(&self.names.database).await;
        let at_end = async || {
            let rows = client.query("select topic, partition, next_offset from forebay.ledger", &[]).await;
            let rows = rows.unwrap_or_default();
            let positions: BTreeMap<(String, i32), i64> =
                rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
            positions == ends
        };
        forebay_tests::wait::until_or_dump(deadline, "the ledger to reach the log's end", at_end, || running.tail())
            .await;
    }

    /// Waits until the positions of all partitions add up to at least `position`.
    pub(crate) async fn until_position(&self, deadline: Duration, position: i64, running: &Forebay) {
        let client = self.postgres.connect(&self.names.database).await;
        let reached = async || {
            // Before the first start there is no ledger.
            let sum = client.query_one("select coalesce(sum(next_offset), 0)::bigint from forebay.ledger", &[]).await;
            sum.is_ok_and(|row| row.get::<_, i64>(0) >= position)
        };
        let what = format!("position {position}");
        forebay_tests::wait::until_or_dump(deadline, &what, reached, || running.tail()).await;
    }

    /// Everything exactly right: rows, audit, counters, messages; and nothing dead-lettered but what is no event.
    pub(crate) async fn assert_exact(&self) {
        self.assert_rows().await;
        let mut shipped: Vec<String> = Vec::new();
        let mut ids = BTreeSet::new();
        for record in reader::read_all(self.kafka, &self.names.published).await {
            // A crash may repeat a message under its id.
            if ids.insert(record.header("forebay.id").expect("every message has an id").to_owned()) {
                let value: serde_json::Value = serde_json::from_str(record.text()).unwrap();
                shipped.push(format!("{} {}", value["order_id"].as_str().unwrap(), value["shipped_at"]));
            }
        }
        shipped.sort_unstable();
        let wanted = self.events.iter().filter(|event| event.status == "shipped");
        let mut wanted: Vec<String> = wanted.map(|event| format!("o-{} {}", event.order, event.updated_at)).collect();
        wanted.sort_unstable();
        assert_eq!(shipped.len(), wanted.len(), "messages published");
        assert!(shipped == wanted, "the messages published are not those of the orders shipped");
        let letters = oracle::dead_letters(self.kafka, &self.names.dead_letters).await;
        let innocent = letters.iter().find(|letter| !self.poison.contains(&(letter.origin.1, letter.origin.2)));
        assert!(innocent.is_none(), "{} dead letters, and one of an innocent: {innocent:?}", letters.len());
        let guilty: BTreeSet<(i32, i64)> = letters.iter().map(|letter| (letter.origin.1, letter.origin.2)).collect();
        assert_eq!(guilty.len(), self.poison.len(), "every record that is no event has a dead letter");
    }

    async fn assert_rows(&self) {
        let client = self.postgres.connect(&self.names.database).await;
        let audit = "select source_partition || '/' || source_offset from order_audit";
        let fates = oracle::Fates {
            acknowledged: self
                .events
                .iter()
                .map(|event| format!("{}/{}", event.ack.partition, event.ack.offset))
                .collect(),
            applied: oracle::ids(&client, audit).await,
            dead_lettered: Vec::new(),
            skipped: BTreeSet::new(),
        };
        fates.assert_exact();
        let mut orders: BTreeMap<String, (String, i64)> = BTreeMap::new();
        let mut totals: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for event in &self.events {
            let entry = orders.entry(format!("o-{}", event.order)).or_default();
            if event.updated_at >= entry.1 {
                *entry = (event.status.to_owned(), event.updated_at);
            }
            if event.status == "placed" {
                let total = totals.entry(format!("c-{}", event.order % 97)).or_default();
                total.0 += 1;
                total.1 += i64::from(event.order % 50) * 100 + 50;
            }
        }
        let found =
            client.query("select order_id, status, (extract(epoch from updated_at) * 1000)::bigint from orders", &[]);
        let found: BTreeMap<String, (String, i64)> =
            found.await.unwrap().iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert!(found == orders, "orders: {} found, {} expected, or their states differ", found.len(), orders.len());
        let found = client.query("select customer_id, orders, (spent * 100)::bigint from customer_totals", &[]);
        let found: BTreeMap<String, (i64, i64)> =
            found.await.unwrap().iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(found, totals, "counters");
    }

    /// Ledger, group offsets and log ends are one, as Kafka's own tool shows them too.
    pub(crate) async fn assert_at_rest(&self) {
        let client = self.postgres.connect(&self.names.database).await;
        oracle::assert_at_rest(self.kafka, &client, &self.names.group, &[&self.names.topic]).await;
        for row in forebay_tests::groups::describe(self.kafka, &self.names.group).await {
            assert_eq!(row.lag, Some(0), "as Kafka's own tool shows it: {row:?}");
        }
        let outbox: i64 = client.query_one("select count(*) from forebay.outbox", &[]).await.unwrap().get(0);
        assert_eq!(outbox, 0, "rows left in the outbox");
    }
}
