//! Everything at once, by chance and by seed: while orders come in, processes, database, broker and the wires between them
//! break in ever other ways. In the end nothing is lost, doubled, out of order or wedged.
//!
//! `FOREBAY_SOAK_SECONDS` and `FOREBAY_SOAK_SEED` say how long and which; the faults of a seed are the same every time,
//! their moments as far as the machine allows.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use forebay_tests::forebay::{Forebay, partitions_of};
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::ManifestFile;
use forebay_tests::memory::{Memory, mebibytes};
use forebay_tests::postgres::{Postgres, Stop};
use forebay_tests::proxy::Proxy;
use forebay_tests::throttle::{Quota, Throttle};
use forebay_tests::{oracle, wait};
use tokio::time::sleep;

use crate::orders::{Orders, PARTITIONS};

const MINUTE: Duration = Duration::from_secs(60);

/// What may be broken at the same time: one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Process(usize),
    Database,
    Wire(usize),
    Broker,
}

/// A fault, as a person would call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill(usize),
    Freeze(usize, u64),
    Restart(usize),
    Starve(usize, u64),
    StopDatabase(Stop, u64),
    ReadOnly(u64),
    Lock(u64),
    Terminate,
    CutReplies(usize, u32),
    LoseReplies(usize, u32),
    Blackhole(usize),
    Refuse(usize, u64),
    KillBroker(u64),
    FreezeBroker(u64),
}

/// A small generator: the same numbers for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn fault(&mut self) -> Fault {
        let slot = usize::try_from(self.below(2)).unwrap();
        let few = |chance: &mut Self, most: u64| 1 + chance.below(most);
        match self.below(14) {
            0 => Fault::Kill(slot),
            1 => Fault::Freeze(slot, few(self, 9)),
            2 => Fault::Restart(slot),
            3 => Fault::Starve(slot, few(self, 5)),
            4 => Fault::StopDatabase(Stop::Fast, few(self, 6)),
            5 => Fault::StopDatabase(Stop::Immediate, few(self, 6)),
            6 => Fault::ReadOnly(few(self, 4)),
            7 => Fault::Lock(few(self, 8)),
            8 => Fault::Terminate,
            9 => Fault::CutReplies(slot, 5),
            10 => Fault::LoseReplies(slot, 3),
            11 => {
                if self.below(2) == 0 {
                    Fault::Blackhole(slot)
                } else {
                    Fault::Refuse(slot, few(self, 5))
                }
            }
            12 => Fault::KillBroker(few(self, 4)),
            _ => Fault::FreezeBroker(few(self, 9)),
        }
    }
}

impl Fault {
    fn part(self) -> Part {
        match self {
            Self::Kill(slot) | Self::Freeze(slot, _) | Self::Restart(slot) | Self::Starve(slot, _) => {
                Part::Process(slot)
            }
            Self::StopDatabase(..) | Self::ReadOnly(_) | Self::Lock(_) | Self::Terminate => Part::Database,
            Self::CutReplies(slot, _) | Self::LoseReplies(slot, _) | Self::Blackhole(slot) | Self::Refuse(slot, _) => {
                Part::Wire(slot)
            }
            Self::KillBroker(_) | Self::FreezeBroker(_) => Part::Broker,
        }
    }
}

/// Everything that can be broken.
struct World<'a> {
    kafka: &'a Kafka,
    postgres: &'a Postgres,
    database: String,
    proxies: [Proxy; 2],
    manifests: [ManifestFile; 2],
    processes: [RefCell<Rc<Forebay>>; 2],
    /// What processes that are gone have said: a panic must not go unseen.
    logs: RefCell<Vec<String>>,
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl World<'_> {
    fn process(&self, slot: usize) -> Rc<Forebay> {
        self.processes[slot].borrow().clone()
    }

    fn start(&self, slot: usize) {
        let before = self.processes[slot].replace(Rc::new(Forebay::start(&self.manifests[slot], &[])));
        self.logs.borrow_mut().push(before.log());
    }

    async fn inflict(&self, fault: Fault) {
        match fault.part() {
            Part::Process(slot) => self.inflict_on_process(slot, fault).await,
            Part::Database => self.inflict_on_database(fault).await,
            Part::Wire(slot) => self.inflict_on_wire(&self.proxies[slot], fault).await,
            Part::Broker => self.inflict_on_broker(fault).await,
        }
    }

    async fn inflict_on_process(&self, slot: usize, fault: Fault) {
        let process = self.process(slot);
        match fault {
            Fault::Kill(_) => {
                process.kill9();
                self.start(slot);
            }
            Fault::Freeze(_, count) => {
                process.sigstop();
                sleep(seconds(count)).await;
                process.sigcont();
            }
            Fault::Restart(_) => {
                process.stop(seconds(30)).await;
                self.start(slot);
            }
            Fault::Starve(_, count) => {
                let _throttle = Throttle::start(&process, Quota::TENTH);
                sleep(seconds(count)).await;
            }
            other => unreachable!("{other:?} is no process's"),
        }
    }

    async fn inflict_on_database(&self, fault: Fault) {
        match fault {
            Fault::StopDatabase(how, count) => {
                self.postgres.stop(how).await;
                sleep(seconds(count)).await;
                self.postgres.start_again().await;
            }
            Fault::ReadOnly(count) => {
                self.sql("alter system set default_transaction_read_only = on").await;
                self.sql("select pg_reload_conf()").await;
                sleep(seconds(count)).await;
                self.sql("alter system reset default_transaction_read_only").await;
                self.sql("select pg_reload_conf()").await;
            }
            Fault::Lock(count) => {
                let client = self.postgres.connect(&self.database).await;
                client.batch_execute("begin; lock table customer_totals in access exclusive mode").await.unwrap();
                sleep(seconds(count)).await;
            }
            Fault::Terminate => {
                let kill = format!(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' \
                     and application_name = 'forebay'",
                    self.database
                );
                for _ in 0..8 {
                    self.sql(&kill).await;
                    sleep(Duration::from_millis(250)).await;
                }
            }
            other => unreachable!("{other:?} is not the database's"),
        }
    }

    async fn inflict_on_wire(&self, proxy: &Proxy, fault: Fault) {
        match fault {
            Fault::CutReplies(_, count) => proxy.cut_commit_replies(count),
            Fault::LoseReplies(_, count) => proxy.lose_reply(count),
            Fault::Blackhole(_) => proxy.blackhole_existing(),
            Fault::Refuse(_, count) => {
                proxy.refuse();
                sleep(seconds(count)).await;
                proxy.pass();
            }
            other => unreachable!("{other:?} is no wire's"),
        }
    }

    async fn inflict_on_broker(&self, fault: Fault) {
        match fault {
            Fault::KillBroker(count) => {
                self.kafka.kill();
                sleep(seconds(count)).await;
                self.kafka.restart().await;
            }
            Fault::FreezeBroker(count) => {
                self.kafka.stop_process();
                sleep(seconds(count)).await;
                self.kafka.cont_process();
            }
            other => unreachable!("{other:?} is not the broker's"),
        }
    }

    async fn sql(&self, sql: &str) {
        self.postgres
            .connect("postgres")
            .await
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn position(&self) -> i64 {
        let Ok(client) = self.postgres.try_connect(&self.database).await else { return 0 };
        let sum = client.query_one("select coalesce(sum(next_offset), 0)::bigint from forebay.ledger", &[]).await;
        sum.map_or(0, |row| row.get(0))
    }

    fn tails(&self) -> String {
        [0, 1].map(|slot| self.process(slot).tail()).join("\n")
    }

    /// Breaks this and that until `end`, and sees that the records go on after each.
    async fn torment(&self, chance: &mut Chance, end: Instant) -> u32 {
        let mut rounds = 0;
        while Instant::now() < end {
            let (one, other) = (chance.fault(), chance.fault());
            let both = chance.below(3) == 0 && one.part() != other.part();
            eprintln!("soak: {one:?}{}", if both { format!(" and {other:?}") } else { String::new() });
            match both {
                true => drop(tokio::join!(self.inflict(one), self.inflict(other))),
                false => self.inflict(one).await,
            }
            let before = self.position().await;
            let moves = async || self.position().await > before;
            wait::until_or_dump(2 * MINUTE, "records to be applied after a fault", moves, || self.tails()).await;
            sleep(Duration::from_millis(500 + chance.below(2_500))).await;
            rounds += 1;
        }
        rounds
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_disordered_or_wedged_by_faults_of_every_kind() {
    let (length, seed) = (setting("FOREBAY_SOAK_SECONDS", 120), setting("FOREBAY_SOAK_SEED", 1));
    eprintln!("soak: {length} s with seed {seed}");
    let (kafka, postgres) = (Kafka::start().await, Postgres::start().await);
    let mut orders = Orders::new(&kafka, &postgres, "soak").await.poison_every(700);
    orders.refuse_disorder().await;
    let proxies = [(); 2].map(|()| Proxy::start(postgres.port()));
    let manifests = [0, 1].map(|slot: usize| {
        let manifest = orders.manifest().warehouse(&proxies[slot].url_as("postgres", &orders.names.database));
        let manifest = manifest.property("session.timeout.ms", "5000").property("heartbeat.interval.ms", "500");
        manifest.set("batch", "{ max-records = 400 }").write()
    });
    let processes = [0, 1].map(|slot: usize| RefCell::new(Rc::new(Forebay::start(&manifests[slot], &[]))));
    let (database, logs) = (orders.names.database.clone(), RefCell::default());
    let world = World { kafka: &kafka, postgres: &postgres, database, proxies, manifests, processes, logs };
    orders.produce(2_000).await;
    wait::until_or_dump(MINUTE, "the first records", async || world.position().await > 0, || world.tails()).await;
    let end = Instant::now() + seconds(length);
    let produce = async {
        while Instant::now() < end {
            orders.produce(900).await;
            sleep(Duration::from_millis(400)).await;
        }
    };
    let mut chance = Chance(seed);
    let (rounds, ()) = tokio::join!(world.torment(&mut chance, end), produce);
    assert!(rounds >= u32::try_from(length / 40).unwrap(), "only {rounds} rounds of faults");
    let last = [0, 1].map(|slot| world.process(slot));
    orders.until_at_end(3 * MINUTE, &last[0]).await;
    let owned = async || {
        let mut count = 0;
        for process in &last {
            let status = process.status().await;
            count += partitions_of(&status).filter(|one| one["lag_messages"] == 0).count();
        }
        count == PARTITIONS as usize
    };
    wait::until_or_dump(MINUTE, "every partition to be owned and caught up", owned, || world.tails()).await;
    let peaks = last.each_ref().map(|process| Memory::of(process.pid()).map(|memory| mebibytes(memory.peak)));
    for process in &last {
        process.stop(seconds(25)).await;
    }
    orders.assert_exact().await;
    orders.assert_at_rest().await;
    world.logs.borrow_mut().extend(last.iter().map(|process| process.log()));
    let panics =
        world.logs.borrow().iter().filter(|log| log.contains("panicked") || log.contains("a bug of ours")).count();
    assert_eq!(panics, 0, "processes that met a bug of ours");
    let records = oracle::log_ends(&kafka, &orders.names.topic).into_values().sum::<i64>();
    eprintln!("soak: {rounds} rounds, {records} records, exactly right; peaks of the last processes {peaks:?} MiB");
}
