//! The same hundred thousand orders through a handler in each language, with real servers: the tables are the same, as text,
//! and so are the dead letters but for their words.

use std::collections::BTreeMap;
use std::fs;

use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::oracle::{self, DeadLetter};
use forebay_tests::port::Port;
use forebay_tests::postgres::Postgres;
use forebay_tests::process::Process;
use forebay_tests::wait;
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::languages::feed::{Feed, MESSAGES};
use crate::languages::{Project, edit};
use crate::scene::MINUTE;

const SCHEMA: &str = "
    create table orders (
        order_id bigint primary key, customer text not null, amount numeric not null, quantity int not null check (quantity >= 0),
        weight double precision not null, placed_at timestamptz not null, note text, source text, read_at timestamptz not null
    );
    create table balances (customer text primary key, orders bigint not null, amount numeric not null);";

/// What takes the place of the template's target.
const TARGETS: &str = r#"orders = { sink = "store", table = "public.orders", key = ["order_id"] }
balances = { sink = "store", table = "public.balances", key = ["customer"] }"#;

/// Headers of dead letters that differ: words, and what is of the project or of the moment.
const OWN_HEADERS: [&str; 4] =
    ["__dlq.errors.message", "__dlq.errors.group", "forebay.plugin.digest", "forebay.failed-at"];

/// A handler of orders.
struct Orders {
    language: &'static str,
    /// The handler's file, and what it says.
    source: &'static str,
    text: &'static str,
}

const RUST: Orders = Orders { language: "rust", source: "src/lib.rs", text: include_str!("sources/rust.txt") };
const JS: Orders = Orders { language: "js", source: "handler.js", text: include_str!("sources/js.txt") };
const PYTHON: Orders = Orders { language: "python", source: "handler.py", text: include_str!("sources/python.txt") };
const GO: Orders = Orders { language: "go", source: "handler.go", text: include_str!("sources/go.txt") };
const C: Orders = Orders { language: "c", source: "handler.c", text: include_str!("sources/c.txt") };

/// What a language makes of the orders.
struct Made {
    /// Each table's rows as text, in order.
    tables: Vec<Vec<String>>,
    letters: BTreeMap<(i32, i64), DeadLetter>,
    database: String,
}

impl Orders {
    /// Returns what the handler makes of them.
    async fn made(&self) -> Made {
        let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
        let feed = Feed::shared().await;
        let names = Names::new(&format!("orders_{}", self.language));
        kafka.create_topic(&names.dead_letters, 1, &[]).await;
        postgres.create_database(&names.database).await;
        postgres.execute(&names.database, SCHEMA).await;
        let project = self.project(feed, &names).await;

        let mut command = project.forebay(&["run"]);
        command.env("DATABASE_URL", postgres.url(&names.database));
        let log = project.file("run.log");
        let forebay = Process::start("forebay", command, &log, libc::SIGKILL);
        let ends = oracle::log_ends(kafka, &feed.topic);
        let client = postgres.connect(&names.database).await;
        let at_end = async || positions(&client).await == ends;
        wait::until_or_dump(2 * MINUTE, "the ledger to reach the log's end", at_end, || forebay.log_tail(60)).await;
        forebay.signal(libc::SIGTERM);
        assert_eq!(forebay.wait_exit(MINUTE).await.code(), Some(0), "{}", forebay.log_tail(60));
        let processed = format!("stopped records={MESSAGES}");
        assert!(forebay.log().contains(&processed), "not `{processed}`: {}", forebay.log_tail(60));

        let letters = oracle::dead_letters(kafka, &names.dead_letters).await.into_iter();
        let letters = letters.map(|letter| ((letter.origin.1, letter.origin.2), letter)).collect();
        let mut tables = Vec::new();
        client.batch_execute("set timezone = 'UTC'").await.unwrap();
        for table in ["orders", "balances"] {
            let mut rows = oracle::ids(&client, &format!("select t::text from {table} t")).await;
            rows.sort_unstable();
            tables.push(rows);
        }
        Made { tables, letters, database: names.database }
    }

    /// Returns a new project with this handler in it, built, for the servers of the tests.
    async fn project(&self, feed: &Feed, names: &Names) -> Project {
        let project = Project::new(self.language).await;
        fs::write(project.file(self.source), self.text).unwrap();
        let (manifest, kafka) = (project.file("forebay.toml"), Kafka::shared().await);
        let text = fs::read_to_string(&manifest).unwrap();
        let target = text.lines().find(|line| line.starts_with("items = ")).unwrap();
        let admin = Port::free().release();
        for (from, to) in [
            (target, TARGETS),
            ("localhost:9092", &kafka.bootstrap()),
            ("topic = \"my-app\"", &format!("topic = \"{}\"", feed.topic)),
            ("\"my-app-forebay\"", &format!("\"{}\"", names.group)),
            ("\"my-app.dlq\"", &format!("\"{}\"", names.dead_letters)),
            ("largest-amount = 1000", "largest-quantity = 100"),
            ("[kafka]", &format!("[admin]\nlisten = \"127.0.0.1:{admin}\"\n[kafka]")),
        ] {
            edit(&manifest, from, to);
        }
        project.build().await;
        project
    }

    /// Panics unless each bad message, and no other, is a dead letter that says what is wrong with it.
    fn assert_contained(&self, feed: &Feed, made: &Made) {
        let thrown_at = 1 + self.text.lines().position(|line| line.contains("there is no customer")).unwrap();
        let thrown_at = format!("{}:{thrown_at}", self.source);
        for (place, trouble) in &feed.refused {
            let letter = made.letters.get(place);
            let letter = letter.unwrap_or_else(|| panic!("{}: no letter of `{}`", self.language, trouble.name));
            let said = letter.record.header("__dlq.errors.message").unwrap();
            let found = (letter.class.as_str(), letter.code.as_str());
            assert_eq!(found, (trouble.class, trouble.code), "{}, {}: {said}", self.language, trouble.name);
            let is_told = match trouble.name {
                "throw" => said.contains("there is no customer") && said.contains(&thrown_at),
                "spin" => said.contains("limits.cpu"),
                "hog" => said.contains("limits.memory"),
                _ => !said.is_empty(),
            };
            assert!(is_told, "{}, {}: {said}", self.language, trouble.name);
        }
        let others: Vec<_> = made.letters.iter().filter(|(place, _)| !feed.refused.contains_key(place)).collect();
        assert!(others.is_empty(), "{}: letters of good messages: {others:?}", self.language);
    }
}

async fn positions(client: &Client) -> BTreeMap<(String, i32), i64> {
    let rows = client.query("select topic, partition, next_offset from forebay.ledger", &[]).await.unwrap_or_default();
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

/// What all others are held against. That it is right is looked at, too: all could be wrong alike.
async fn in_rust() -> &'static Made {
    static IN_RUST: OnceCell<Made> = OnceCell::const_new();
    let made = async || {
        let (feed, made) = (Feed::shared().await, RUST.made().await);
        RUST.assert_contained(feed, &made);
        let client = Postgres::shared().await.connect(&made.database).await;
        let rows = client.query("select order_id, customer from orders", &[]).await.unwrap();
        let orders: BTreeMap<i64, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(orders == feed.orders, "orders: {} and {}", orders.len(), feed.orders.len());
        let rows = client.query("select customer, orders from balances", &[]).await.unwrap();
        let balances: BTreeMap<String, u64> =
            rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect();
        assert!(balances == feed.made, "balances: {} and {}", balances.len(), feed.made.len());
        made
    };
    IN_RUST.get_or_init(made).await
}

async fn assert_same_as_in_rust(orders: &Orders) {
    let (feed, rust, made) = (Feed::shared().await, in_rust().await, orders.made().await);
    orders.assert_contained(feed, &made);
    for (ours, theirs) in made.tables.iter().zip(&rust.tables) {
        let different = ours.iter().zip(theirs).find(|(ours, theirs)| ours != theirs);
        assert_eq!(different, None, "rows in {} and in Rust", orders.language);
        assert_eq!(ours.len(), theirs.len(), "rows in {} and in Rust", orders.language);
    }
    for (place, ours) in &made.letters {
        assert_eq!(comparable(ours), comparable(&rust.letters[place]), "{}: {place:?}", orders.language);
    }
}

/// A dead letter without what is its own.
fn comparable(letter: &DeadLetter) -> impl PartialEq + std::fmt::Debug {
    let record = &letter.record;
    let headers = record.headers.iter().filter(|(name, _)| !OWN_HEADERS.iter().any(|own| own.as_bytes() == name));
    (
        letter.origin.clone(),
        record.partition,
        record.key.clone(),
        record.value.clone(),
        headers.cloned().collect::<Vec<_>>(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_rust_are_what_they_should_be() {
    in_rust().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_javascript_are_the_same_as_in_rust() {
    assert_same_as_in_rust(&JS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_python_are_the_same_as_in_rust() {
    assert_same_as_in_rust(&PYTHON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_go_are_the_same_as_in_rust() {
    assert_same_as_in_rust(&GO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_c_are_the_same_as_in_rust() {
    assert_same_as_in_rust(&C).await;
}
