//! Records that violate a constraint among many that only look as if they did: exactly the guilty are convicted, with the
//! right code, and the tables are the same however batches are cut.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::postgres::Postgres;
use forebay_tests::producer::Producer;
use serde_json::{Value, json};

use crate::scene::{Scene, effect};

const PARTITIONS: i32 = 2;
const KEY: &str = "key = [\"id\"]";
/// Rows that are written again and again.
const HOT: i32 = 5;
/// How long one run over all records may take.
const RUN: Duration = Duration::from_secs(120);
/// A parent that nobody ever is.
const NOBODY: i32 = -1;

const SCHEMA: &str = "
create table parent (id int primary key);
create table child (id int primary key, parent int not null references parent);
create table person (
    id int primary key, email text unique, n int not null default 0 check (n >= 0), during int4range,
    small smallint, word varchar(8), must text not null default 'x', note text,
    exclude using gist (during with &&));
create table sums (id int primary key, n int8 not null);
create table log (at bigserial, part int, number int);
create function complain() returns trigger language plpgsql as $$ begin
    if new.note = 'refused' then raise exception 'no'; end if;
    return new;
end $$;
create trigger complain before insert or update on person for each row execute function complain()";

/// How many kinds of guilty records there are.
const CRIMES: usize = 11;

/// Partition and offset of each guilty record, with its class and code.
type Guilt = BTreeMap<(i32, i64), (String, String)>;

/// What the tables must hold in the end, and who is guilty of what.
#[derive(Default)]
struct Model {
    people: BTreeMap<i32, Person>,
    parents: BTreeSet<i32>,
    children: BTreeMap<i32, i32>,
    sums: BTreeMap<i32, i64>,
    /// Numbers of the records applied, by partition, in order.
    log: BTreeMap<i32, Vec<usize>>,
    guilty: Guilt,
}

#[derive(Clone)]
struct Person {
    email: String,
    n: i64,
    /// The range's start; it is five long.
    during: i32,
}

/// A partition's records in the making.
struct Life {
    partition: i32,
    random: Random,
    records: Vec<Value>,
    /// The next id that nobody has.
    next: i32,
    alive: Vec<i32>,
    /// The last parent, whose child has the same id.
    family: Option<i32>,
    crimes: usize,
    model: Model,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

impl Person {
    fn row(&self, id: i32) -> Value {
        json!({ "id": id, "email": self.email, "n": self.n, "during": range(self.during) })
    }
}

fn range(start: i32) -> String {
    format!("[{start},{})", start + 5)
}

impl Life {
    /// Lives through `count` records or a few more, of which one in `rate` begins something that is no good.
    fn live(model: Model, partition: i32, seed: u64, (count, rate): (usize, usize)) -> Self {
        let first = partition * 10_000_000;
        let mut life = Self {
            partition,
            random: Random(seed + partition.unsigned_abs() as u64),
            records: Vec::new(),
            next: first + HOT,
            alive: Vec::new(),
            crimes: 0,
            family: None,
            model,
        };
        for _ in 0..5 {
            life.arrive();
        }
        while life.records.len() < count {
            match life.random.below(rate) {
                0 => life.offend(),
                _ => life.behave(),
            }
        }
        life
    }

    /// Adds a record with these effects behind two that all have, which fall with the others if it is guilty.
    fn put(&mut self, effects: &[Value], guilt: Option<(&str, &str)>) {
        let number = self.records.len();
        let sum = self.partition * 10_000_000 + i32::try_from(number % 7).unwrap();
        let mut all = vec![
            effect("insert", "log", json!({ "part": self.partition, "number": number })),
            effect("add", "sums", json!({ "id": sum, "n": number })),
        ];
        all.extend_from_slice(effects);
        self.records.push(json!({ "effects": all }));
        if let Some((class, code)) = guilt {
            let place = (self.partition, i64::try_from(number).unwrap());
            self.model.guilty.insert(place, (class.to_owned(), code.to_owned()));
            return;
        }
        *self.model.sums.entry(sum).or_default() += i64::try_from(number).unwrap();
        self.model.log.entry(self.partition).or_default().push(number);
    }

    /// Returns somebody who lives, most often somebody who came a moment ago.
    fn somebody(&mut self) -> i32 {
        let bound = [4, self.alive.len()][self.random.below(2)].min(self.alive.len());
        self.alive[self.alive.len() - 1 - self.random.below(bound)]
    }

    fn newcomer(&self) -> (i32, Person) {
        (self.next, Person { email: format!("e-{}", self.next), n: i64::from(self.next % 90), during: self.next * 10 })
    }

    fn welcome(&mut self, id: i32, person: Person) {
        self.model.people.insert(id, person);
        self.alive.push(id);
        self.next = id + 1;
    }

    fn arrive(&mut self) {
        let (id, person) = self.newcomer();
        self.put(&[effect("upsert", "person", person.row(id))], None);
        self.welcome(id, person);
    }

    /// Something legal, in one record or in several; much of it is not if its rows are written all at once.
    fn behave(&mut self) {
        match self.random.below(9) {
            0 | 1 => self.arrive(),
            2 => {
                self.arrive();
                let id = self.next - 1;
                let person = self.model.people.get_mut(&id).unwrap();
                person.n += 1;
                let row = json!({ "id": id, "n": person.n });
                self.put(&[effect("update", "person", row)], None);
            }
            3 => self.hand_over(true),
            4 => self.hand_over(false),
            5 => {
                let id = self.next;
                self.next += 1;
                self.model.parents.insert(id);
                self.model.children.insert(id, id);
                self.family = Some(id);
                let child = effect("upsert", "child", json!({ "id": id, "parent": id }));
                self.put(&[effect("upsert", "parent", json!({ "id": id })), child], None);
            }
            6 => self.exchange(),
            7 => self.leave_and_come_back(),
            _ => {
                let id = self.partition * 10_000_000 + i32::try_from(self.random.below(HOT as usize)).unwrap();
                let n = i64::try_from(self.records.len()).unwrap();
                let person = Person { email: format!("hot-{id}"), n, during: id * 10 };
                self.put(&[effect("upsert", "person", person.row(id))], None);
                self.model.people.insert(id, person);
            }
        }
    }

    /// One goes, and another comes with the same address and the same range.
    fn hand_over(&mut self, is_one_record: bool) {
        let gone = self.somebody();
        self.alive.retain(|id| *id != gone);
        let heritage = self.model.people.remove(&gone).unwrap();
        let (id, newcomer) = self.newcomer();
        let person = Person { n: newcomer.n, ..heritage };
        let effects = [effect("delete", "person", json!({ "id": gone })), effect("insert", "person", person.row(id))];
        if is_one_record {
            self.put(&effects, None);
        } else {
            effects.iter().for_each(|effect| self.put(std::slice::from_ref(effect), None));
        }
        self.welcome(id, person);
    }

    /// One moves away, and then another takes the address that is free now.
    fn exchange(&mut self) {
        let (one, other) = (self.somebody(), self.somebody());
        if one == other {
            return self.arrive();
        }
        let email = format!("m-{}-{}", self.partition, self.records.len());
        let free = std::mem::replace(&mut self.model.people.get_mut(&one).unwrap().email, email.clone());
        self.model.people.get_mut(&other).unwrap().email.clone_from(&free);
        let update = |id: i32, email: &str| effect("update", "person", json!({ "id": id, "email": email }));
        self.put(&[update(one, &email), update(other, &free)], None);
    }

    /// A family goes, child and parent in one record; the next ones bring it back.
    fn leave_and_come_back(&mut self) {
        let Some(id) = self.family else { return self.arrive() };
        let (parent, child) = (json!({ "id": id }), json!({ "id": id, "parent": id }));
        self.put(&[effect("delete", "child", parent.clone()), effect("delete", "parent", parent.clone())], None);
        self.put(&[effect("upsert", "parent", parent)], None);
        self.put(&[effect("insert", "child", child)], None);
    }

    /// Something that the contract or the database refuses. Whatever key it names, the next one may have.
    fn offend(&mut self) {
        let crime = self.crimes % CRIMES;
        self.crimes += 1;
        let victim = self.somebody();
        let (id, newcomer) = self.newcomer();
        let Person { email, during, .. } = self.model.people[&victim].clone();
        let person = |column: &str, value: Value| {
            let mut row = newcomer.row(id);
            row[column] = value;
            effect("upsert", "person", row)
        };
        let child = |parent: i32| effect("upsert", "child", json!({ "id": id, "parent": parent }));
        let (offence, guilt) = match crime {
            0 => (person("email", json!(email)), ("data", "23505")),
            1 => (person("n", json!(-1)), ("data", "23514")),
            2 => (child(NOBODY), ("data", "23503")),
            3 => (person("must", Value::Null), ("contract", "null")),
            4 => (person("during", json!(range(during + 4))), ("data", "23P01")),
            5 => (person("small", json!(32_768)), ("contract", "range")),
            6 => (person("note", json!("refused")), ("data", "P0001")),
            7 => (effect("insert", "person", newcomer.row(victim)), ("data", "23505")),
            8 => (person("word", json!("ninechars")), ("contract", "length")),
            9 => (effect("add", "person", json!({ "id": victim, "n": -1_000_000 })), ("data", "23514")),
            _ => (person("note", json!("refused")), ("data", "P0001")),
        };
        // A good effect of its own falls with it.
        self.put(&[effect("upsert", "parent", json!({ "id": id })), offence], Some(guilt));
        if crime == CRIMES - 1 {
            // The parent fell with its record, so the child is an orphan.
            self.put(&[child(id)], Some(("data", "23503")));
            // Somebody of that name soon after would be a parent that the child may well have waited for.
            self.next += 1;
        }
    }
}

impl Model {
    async fn assert_is(&self, scene: &Scene<'_>, size: u32) {
        let letters = scene.letters().await.into_iter();
        let found: Guilt =
            letters.map(|letter| ((letter.origin.1, letter.origin.2), (letter.class, letter.code))).collect();
        let differs = |a: &Guilt, b: &Guilt| -> Vec<String> {
            a.iter().filter(|(place, why)| b.get(place) != Some(why)).map(|entry| format!("{entry:?}")).collect()
        };
        let (more, less) = (differs(&found, &self.guilty), differs(&self.guilty, &found));
        assert!(
            more.is_empty() && less.is_empty(),
            "batches of {size} convict {more:?} for no reason, and not {less:?}"
        );
        let rows = |table: &str, columns: &str| format!("select concat_ws(' ', {columns}) from {table} order by id");
        let people = self.people.iter().map(|(id, it)| format!("{id} {} {} {} x", it.email, it.n, range(it.during)));
        let children = self.children.iter().map(|(id, parent)| format!("{id} {parent}"));
        let sums = self.sums.iter().map(|(id, n)| format!("{id} {n}"));
        let tables: [(&str, &str, Vec<String>); 4] = [
            ("person", "id, email, n, during, small, word, must, note", people.collect()),
            ("parent", "id", self.parents.iter().map(i32::to_string).collect()),
            ("child", "id, parent", children.collect()),
            ("sums", "id, n", sums.collect()),
        ];
        for (table, columns, wanted) in tables {
            assert_same(scene, size, &rows(table, columns), wanted).await;
        }
        for (partition, numbers) in &self.log {
            let log = format!("select number::text from log where part = {partition} order by at");
            assert_same(scene, size, &log, numbers.iter().map(usize::to_string).collect()).await;
        }
    }
}

/// Compares a query's rows, and names the first that differ.
async fn assert_same(scene: &Scene<'_>, size: u32, sql: &str, wanted: Vec<String>) {
    let found = scene.texts(sql).await;
    let first = (0..found.len().max(wanted.len())).find(|at| found.get(*at) != wanted.get(*at));
    if let Some(at) = first {
        let (some, other) = (found.get(at), wanted.get(at));
        panic!("batches of {size}: `{sql}` has {} rows, not {}; {some:?}, not {other:?}", found.len(), wanted.len());
    }
}

/// Produces the records once, and runs them through with batches of each size: the most in one, and the least that they
/// must hold on average for the run to say anything about that size.
async fn lives(base: &str, (seed, count, rate): (u64, usize, usize), sizes: &[(u32, f64)]) {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let topic = Names::new(base).topic;
    kafka.create_topic(&topic, PARTITIONS, &[]).await;
    let producer = Producer::new(kafka);
    let (mut model, mut produced) = (Model::default(), 0);
    for partition in 0..PARTITIONS {
        let life = Life::live(model, partition, seed, (count / 2, rate));
        assert!(life.crimes >= CRIMES, "{} crimes in partition {partition}: not one of each", life.crimes);
        for record in &life.records {
            producer.send(&topic, partition, None, Some(record.to_string().as_bytes()), &[]);
        }
        produced += life.records.len();
        model = life.model;
    }
    producer.flush().await;
    for (size, mean) in sizes {
        let start = Instant::now();
        let mut scene = Scene::new((kafka, postgres), base, 1, SCHEMA).await;
        scene.names.topic.clone_from(&topic);
        let targets = [("parent", KEY), ("child", KEY), ("person", KEY), ("sums", KEY), ("log", "")];
        let manifest = scene
            .manifest(&targets)
            .set("batch", &format!("{{ max-records = {size}, linger = \"100ms\" }}"))
            .set("retry", "{ attempts = 2, backoff = \"50ms..100ms\" }");
        let forebay = Forebay::start(&manifest.write(), &[]);
        scene.until_at_end_within(RUN, &forebay).await;
        let metrics = forebay.metrics().await;
        let batches = metrics.sum("forebay_batch_records_count", &[]);
        let found = metrics.sum("forebay_batch_records_sum", &[]) / batches;
        eprintln!("batches of {size}: {batches} of {found:.1} in {:?}; {} guilty", start.elapsed(), model.guilty.len());
        assert!(found >= *mean && found <= f64::from(*size), "batches of {size} hold {found} records on average");
        scene.rest(&forebay).await;
        model.assert_is(&scene, *size).await;
        let applied = metrics.sum("forebay_records_total", &[("state", "applied")]);
        assert_eq!(applied as usize, produced - model.guilty.len(), "counted as applied, batches of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_a_batch_convicts_whom_large_batches_do() {
    lives("guilty_few", (0x5eed_0005, 1_000, 15), &[(1, 1.0), (7, 4.0), (500, 100.0), (5000, 200.0)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guilty_record_in_200_is_convicted_alone_however_batches_are_cut() {
    lives("guilty_many", (0x5eed_0006, 20_000, 140), &[(7, 4.0), (500, 250.0), (5000, 1_000.0)]).await;
}

/// Two updates that are legal only in their order, and two that are not legal only in their order: a database that goes
/// through a statement's rows in an order of its own sees an address taken that is free, and free that is taken.
#[tokio::test(flavor = "multi_thread")]
async fn updates_of_a_unique_column_run_in_order() {
    let row = |op: &str, id: i32, email: &str| effect(op, "person", json!({ "id": id, "email": email }));
    let people = [row("insert", 1, "a"), row("insert", 2, "b")];
    let legal = [row("update", 2, "c"), row("update", 1, "b")];
    let (early, late) = ([row("update", 2, "a")], [row("update", 1, "c")]);
    let cases: [(&str, &[&[Value]]); 2] = [("legal", &[&people, &legal]), ("early", &[&people, &early, &late])];
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    for size in [1, 5000] {
        for (name, records) in cases {
            let scene = Scene::shared("guilty_updates", SCHEMA).await;
            for record in records {
                scene.put(0, record);
            }
            let manifest = scene.manifest(&[("person", KEY)]).set("batch", &format!("{{ max-records = {size} }}"));
            scene.run_through(&manifest).await;
            let guilty: Vec<i64> = scene.letter_codes().await.into_iter().map(|(offset, ..)| offset).collect();
            let rows = scene.texts("select id || email from person order by id").await;
            found.push(format!("{name} in batches of {size}: {guilty:?} guilty, rows {}", rows.join(" ")));
        }
        wanted.push(format!("legal in batches of {size}: [] guilty, rows 1b 2c"));
        wanted.push(format!("early in batches of {size}: [1] guilty, rows 1c 2b"));
    }
    assert_eq!(found, wanted);
}
