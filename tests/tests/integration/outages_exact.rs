//! Every fault of a server that is nobody's message, one after the other in one process: each is named on `/status`, costs no
//! record, and once it is mended all is done within ten seconds.

use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::place;
use forebay_tests::postgres::{Postgres, Stop};
use serde_json::{Value, json};
use tokio::task;
use tokio::time::sleep;

use crate::scene::{MINUTE, Scene, effect};

/// How long an outage lasts once it is named: long enough for waits between tries to be at their longest.
const HELD: Duration = Duration::from_secs(8);
/// How soon all must be done once it is mended.
const RECOVERED: Duration = Duration::from_secs(10);
const PARTITIONS: i32 = 2;

/// A trigger that behaves as the row in `fault` says: the server's own answer for a full disk, or a statement that takes long.
const SCHEMA: &str = "
create table log (n int not null);
create table sums (id int primary key, n int8);
create table fault (kind text);
create function suffer() returns trigger language plpgsql as $$ begin
    if exists (select from fault where kind = 'full') then
        raise exception 'could not extend file \"base/1/1\": No space left on device' using errcode = '53100';
    elsif exists (select from fault where kind = 'slow') then
        perform pg_sleep(60);
    end if;
    return null;
end $$;
create trigger suffer before insert on log for each statement execute function suffer()";

/// Its name, what breaks it, what mends it, and what is said of it.
type Fault = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

fn is_rejected(n: i32) -> bool {
    n % 10 == 7
}

/// A scene whose records are counted twice, once by row and once by sum; with `rejects` one in ten is rejected.
struct Exact<'a> {
    scene: Scene<'a>,
    forebay: Forebay,
    /// The folder with its log.
    _file: ManifestFile,
    rejects: bool,
}

impl Exact<'_> {
    fn put(&self, numbers: Range<i32>) {
        for n in numbers {
            let partition = n % PARTITIONS;
            if self.rejects && is_rejected(n) {
                let value = json!({ "reject": { "code": format!("bad-{n}"), "message": "no" } }).to_string();
                self.scene.producer.send(&self.scene.names.topic, partition, None, Some(value.as_bytes()), &[]);
            } else {
                let sum = effect("add", "sums", json!({ "id": n % 30, "n": 1 }));
                self.scene.put(partition, &[effect("insert", "log", json!({ "n": n })), sum]);
            }
        }
    }

    /// Waits until a partition waits and says all of `words`; returns the sentence.
    async fn until_named(&self, words: &[&str]) -> String {
        let mut said = String::new();
        let what = format!("a partition to wait and say {words:?}");
        let is_named = |status: &Value| {
            let waiting = partitions_of(status).filter(|partition| partition["state"] == "waiting");
            let mut whys = waiting.map(|partition| partition["why"].as_str().unwrap_or_default().to_owned());
            said = whys.find(|why| words.iter().all(|word| why.contains(word))).unwrap_or_default();
            !said.is_empty()
        };
        self.forebay.until(MINUTE, &what, is_named).await;
        said
    }

    /// It is named, still so after a while, and the process is as alive as ever.
    async fn holds(&self, name: &str, words: &[&str]) {
        let said = self.until_named(words).await;
        println!("{name}: {said}");
        sleep(HELD).await;
        self.until_named(words).await;
        assert_eq!(self.forebay.get("/livez").await.unwrap().status, 200, "{name}");
    }

    /// All is done soon after the cure, and exactly.
    async fn recovers(&self, name: &str, count: i32) {
        let mended = Instant::now();
        self.scene.until_at_end_within(RECOVERED, &self.forebay).await;
        println!("{name}: all done {:?} after the cure", mended.elapsed());
        self.assert_exact(name, count).await;
    }

    async fn assert_exact(&self, name: &str, count: i32) {
        let good: Vec<String> =
            (0..count).filter(|n| !(self.rejects && is_rejected(*n))).map(|n| n.to_string()).collect();
        assert!(self.scene.texts("select n::text from log order by log.n").await == good, "{name}: each record once");
        let sum = self.scene.text("select sum(n)::text from sums").await;
        assert_eq!(sum, good.len().to_string(), "{name}: the sum of all counters");
    }

    /// Codes of the letters in the order of their numbers; each is there once.
    async fn letter_codes(&self) -> Vec<String> {
        let mut letters: Vec<String> = self.scene.letters().await.into_iter().map(|letter| letter.code).collect();
        letters.sort_by_key(|code| code.trim_start_matches("bad-").parse::<i32>().unwrap_or(-1));
        letters
    }

    fn rejected(count: i32) -> Vec<String> {
        (0..count).filter(|n| is_rejected(*n)).map(|n| format!("bad-{n}")).collect()
    }
}

async fn exact<'a>(servers: (&'a Kafka, &'a Postgres), base: &str, rejects: bool) -> Exact<'a> {
    let scene = Scene::new(servers, base, PARTITIONS, SCHEMA).await;
    let role = scene.names.database.clone();
    scene.execute(&format!("create role {role} login; grant create on database {role} to {role}")).await;
    scene.execute(&format!("grant select, insert, update, delete on log, sums, fault to {role}")).await;
    let manifest = scene.manifest(&[("log", ""), ("sums", "key = [\"id\"]")]);
    let manifest = manifest.warehouse(&scene.postgres.url_as(&role, &role));
    let manifest = manifest.sink_key("timeouts", "{ lock = \"1s\", statement = \"3s\" }");
    let file = manifest.write();
    let exact = Exact { forebay: Forebay::start(&file, &[]), scene, _file: file, rejects };
    exact.put(0..200);
    exact.scene.until_at_end(&exact.forebay).await;
    exact
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_database_is_named_and_mended_within_ten_seconds() {
    let postgres = Postgres::start().await;
    let exact = exact((Kafka::shared().await, &postgres), "exact_database", false).await;
    let role = exact.scene.names.database.clone();
    let both = |sql: &str| sql.replace("ROLE", &role);
    let by_statement: [Fault; 4] = [
        (
            "read-only",
            &["alter system set default_transaction_read_only = on", "select pg_reload_conf()"],
            &["alter system reset default_transaction_read_only", "select pg_reload_conf()"],
            &["database: ", "25006", "read-only"],
        ),
        (
            "disk full",
            &["insert into fault values ('full')"],
            &["delete from fault"],
            &["database: ", "53100", "No space left"],
        ),
        (
            "out of connections",
            &[
                "alter database ROLE connection limit 0",
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ROLE'",
            ],
            &["alter database ROLE connection limit -1"],
            &["database: ", "53300", "ROLE"],
        ),
        (
            "slow statements",
            &["insert into fault values ('slow')"],
            &["delete from fault"],
            &["database: ", "57014", "statement timeout"],
        ),
    ];
    let mut count = 200;
    for (name, breaks, mends, words) in by_statement {
        for sql in breaks {
            exact.scene.execute(&both(sql)).await;
        }
        exact.put(count..count + 200);
        count += 200;
        let words: Vec<String> = words.iter().map(|word| both(word)).collect();
        exact.holds(name, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(exact.scene.positions().await.into_values().sum::<i64>(), i64::from(count - 200), "{name}");
        for sql in mends {
            exact.scene.execute(&both(sql)).await;
        }
        exact.recovers(name, count).await;
    }

    postgres.stop(Stop::Immediate).await;
    exact.put(count..count + 200);
    exact.holds("away", &["database: ", "sink `warehouse`"]).await;
    postgres.start_again().await;
    exact.recovers("away", count + 200).await;

    // Its connections are new: what they prepare would wait for the lock as well.
    let mut blocker = postgres.connect(&role).await;
    let lock = blocker.transaction().await.unwrap();
    lock.batch_execute("lock table log in access exclusive mode").await.unwrap();
    exact.put(count + 200..count + 400);
    exact.holds("locked table", &["database: ", "55P03", "lock timeout"]).await;
    lock.rollback().await.unwrap();
    exact.recovers("locked table", count + 400).await;

    exact.scene.rest(&exact.forebay).await;
    assert_eq!(exact.letter_codes().await, [""; 0]);
}

/// Runs Kafka's tool for rights.
async fn rights(kafka: &Kafka, args: &[&str]) {
    let mut command = Command::new("java");
    command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    command.arg(place::target().join("kafka/libs/*")).arg("org.apache.kafka.tools.AclCommand");
    command.args(["--bootstrap-server", &kafka.bootstrap(), "--add", "--allow-principal", "User:ANONYMOUS"]).args(args);
    let output = task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
}

/// Rejected records want a dead-letter topic that is not there, or may not be written; then the broker goes away.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_broker_is_named_and_mended_within_ten_seconds() {
    // Where nobody has a right, everybody has it.
    let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    let settings = [("authorizer.class.name", authorizer), ("allow.everyone.if.no.acl.found", "true")];
    let kafka = Kafka::start_with(&settings).await;
    let exact = exact((&kafka, Postgres::shared().await), "exact_broker", true).await;
    let letters = exact.scene.names.dead_letters.as_str();
    let sent = async |count: i32, since: i32| {
        let start = Instant::now();
        let wanted = Exact::rejected(count).into_iter().skip(Exact::rejected(since).len()).collect::<Vec<_>>();
        let is_there = async || exact.letter_codes().await == wanted;
        let dump = || exact.forebay.tail();
        forebay_tests::wait::until_or_dump(RECOVERED, "exactly the letters of what was rejected", is_there, dump).await;
        println!("letters are there {:?} after it", start.elapsed());
    };
    sent(200, 0).await;

    kafka.delete_topic(letters).await;
    exact.put(200..400);
    exact.holds("no dead-letter topic", &["kafka: ", letters, "does not exist"]).await;
    assert_eq!(exact.scene.text("select count(*)::text from log").await, "360", "good ones do not wait for letters");
    kafka.create_topic(letters, 1, &[]).await;
    sent(400, 200).await;
    exact.recovers("no dead-letter topic", 400).await;

    rights(&kafka, &["--operation", "Read", "--operation", "Describe", "--topic", letters]).await;
    exact.put(400..600);
    exact.holds("no right to write", &["kafka: ", letters, "not allowed to write"]).await;
    rights(&kafka, &["--operation", "Write", "--topic", letters]).await;
    sent(600, 200).await;
    exact.recovers("no right to write", 600).await;

    kafka.kill();
    let is_named = |status: &Value| {
        let bindings = status["bindings"].as_array().unwrap();
        let of_binding = bindings[0]["why"].as_str().unwrap_or_default().to_owned();
        let of_partitions = partitions_of(status).map(|one| one["why"].as_str().unwrap_or_default().to_owned());
        let mut all = of_partitions.chain([of_binding]);
        all.any(|why| why.starts_with("kafka: ") && (why.contains("no broker answers") || why.contains("127.0.0.1")))
    };
    exact.forebay.until(MINUTE, "/status to say that the broker is away", is_named).await;
    println!("broker away: {}", exact.forebay.status().await["bindings"]);
    sleep(HELD).await;
    assert!(is_named(&exact.forebay.status().await), "and still to say so: {}", exact.forebay.status().await);
    kafka.restart().await;
    exact.put(600..800);
    exact.recovers("broker away", 800).await;
    sent(800, 200).await;

    exact.scene.rest(&exact.forebay).await;
    assert_eq!(exact.letter_codes().await, Exact::rejected(800)[20..], "and no letter twice, none of any other record");
}
