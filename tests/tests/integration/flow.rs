//! What scenarios about speed share: their size, a load that is steady, and how many rows there are in each second. Not a test.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::oracle;
use forebay_tests::producer::Producer;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::scene::{Scene, effect};

/// How often a load hands over what is due.
const TICK: Duration = Duration::from_millis(20);

/// Returns the scenario's whole size where the environment wants it, and what the ordinary test command takes otherwise.
pub(crate) fn sized<T>(whole: T, tenth: T) -> T {
    if std::env::var_os("FOREBAY_WHOLE").is_some() { whole } else { tenth }
}

/// Returns the seconds since the Unix epoch: the databases are on this machine, and have the same clock.
pub(crate) fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs_f64()
}

/// Returns a table with the partition and the number of each record, and when its row was written. It has no key: what is
/// written twice is there twice.
pub(crate) fn log(name: &str) -> String {
    format!(
        "create table {name} (p int not null, n bigint not null, at timestamptz not null default clock_timestamp());
         create index on {name} (at);"
    )
}

/// Returns the value of a record that becomes one row of a [`log`].
pub(crate) fn row(table: &str, partition: i32, n: u64) -> String {
    json!({ "effects": [effect("insert", table, json!({ "p": partition, "n": n }))] }).to_string()
}

/// A topic that gets `per_second` records, spread over its partitions.
pub(crate) struct Load<'a> {
    producer: &'a Producer,
    topic: &'a str,
    partitions: i32,
    per_second: u64,
}

impl<'a> Load<'a> {
    pub(crate) fn new(scene: &'a Scene<'_>, topic: &'a str, partitions: i32, per_second: u64) -> Self {
        Self { producer: &scene.producer, topic, partitions, per_second }
    }

    /// Hands over record after record, by partition and number, until it is told to stop; returns how many there were.
    pub(crate) async fn run(&self, value: impl Fn(i32, u64) -> String, stop: &watch::Sender<bool>) -> u64 {
        let (mut stop, start, mut ticks, mut n) = (stop.subscribe(), Instant::now(), tokio::time::interval(TICK), 0);
        while !*stop.borrow_and_update() {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * self.per_second as f64) as u64;
            while n < due {
                self.send(&value, n);
                n += 1;
            }
        }
        n
    }

    /// Hands over records 0 to `count`, and waits until the broker has them: a backlog.
    pub(crate) async fn backlog(&self, value: impl Fn(i32, u64) -> String, count: u64) {
        (0..count).for_each(|n| self.send(&value, n));
        self.producer.flush().await;
    }

    fn send(&self, value: &impl Fn(i32, u64) -> String, n: u64) {
        let partition = i32::try_from(n % u64::from(self.partitions.unsigned_abs())).expect("a partition's number");
        self.producer.send(self.topic, partition, Some(b"k"), Some(value(partition, n).as_bytes()), &[]);
    }
}

/// Returns how many rows of a [`log`] were written in each of so many seconds after `from`.
pub(crate) async fn per_second(scene: &Scene<'_>, table: &str, from: f64, seconds: u64) -> Vec<u64> {
    let sql = format!(
        "select floor(extract(epoch from at) - {from}) || ' ' || count(*) from {table}
         where at >= to_timestamp({from}) and at < to_timestamp({from} + {seconds}) group by floor(extract(epoch from at) - {from})"
    );
    let mut counts = vec![0; usize::try_from(seconds).expect("a few")];
    let last = counts.len() - 1;
    for text in scene.texts(&sql).await {
        let (second, count) = text.split_once(' ').expect("two numbers");
        let second = second.parse::<f64>().expect("a number") as usize;
        // What the server's rounding puts beside the edge belongs to the edge.
        counts[second.min(last)] += count.parse::<u64>().expect("a number");
    }
    counts
}

/// Returns how many rows of a [`log`] were written between two times.
pub(crate) async fn between(scene: &Scene<'_>, table: &str, from: f64, to: f64) -> f64 {
    let sql =
        format!("select count(*)::text from {table} where at >= to_timestamp({from}) and at < to_timestamp({to})");
    scene.text(&sql).await.parse().expect("a count")
}

/// Returns the middle one.
pub(crate) fn median(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// Each of the records 0 to `count` has one row.
pub(crate) async fn assert_rows(scene: &Scene<'_>, table: &str, count: u64) {
    let sql = format!("select count(*) || ' ' || count(distinct n) || ' ' || min(n) || ' ' || max(n) from {table}");
    let wanted = format!("{count} {count} 0 {}", count - 1);
    assert_eq!(scene.text(&sql).await, wanted, "rows of `{table}`, different ones, the first and the last");
}

/// Waits until a table has so many rows.
pub(crate) async fn until_rows(scene: &Scene<'_>, table: &str, count: u64, deadline: Duration, running: &Forebay) {
    let client = scene.postgres.connect(&scene.names.database).await;
    let sql = format!("select count(*) from {table}");
    let has_them = async || client.query_one(&sql, &[]).await.is_ok_and(|row| row.get::<_, i64>(0) as u64 >= count);
    forebay_tests::wait::until_or_dump(deadline, &format!("{count} rows in `{table}`"), has_them, || running.tail())
        .await;
}

/// Waits until all is written that the topic has at this moment; returns how long that took.
pub(crate) async fn until_written(scene: &Scene<'_>, topic: &str, deadline: Duration, running: &Forebay) -> Duration {
    let (start, ends) = (Instant::now(), oracle::log_ends(scene.kafka, topic));
    let is_written = async || {
        let positions = scene.positions().await;
        ends.iter().all(|(place, end)| positions.get(place).is_some_and(|position| position >= end))
    };
    let what = format!("all of `{topic}` to be written");
    forebay_tests::wait::until_or_dump(deadline, &what, is_written, || running.tail()).await;
    start.elapsed()
}

/// Returns how many partitions a process is at work on.
pub(crate) fn owned(status: &Value) -> usize {
    partitions_of(status).filter(|partition| partition["state"] != "starting").count()
}

/// Returns the partitions of one binding in a `/status`.
pub(crate) fn of_binding<'a>(status: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let bindings = status["bindings"].as_array().into_iter().flatten();
    let own = bindings.filter(move |binding| binding["name"] == name);
    own.flat_map(|binding| binding["partitions"].as_array().into_iter().flatten())
}
