//! A throw-away Apache Kafka: one KRaft node in a folder of its own, from the jars in `target/kafka/libs`.
//!
//! It can be shared by all tests of a process, or belong to one that kills, stops and restarts it.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::fs;
use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::OnceCell;

use crate::port::Port;
use crate::process::Process;
use crate::scratch::{OnFailure, Scratch};
use crate::{place, wait};

/// How long a broker may take to come up, on a machine that is busy with everything else.
const START: Duration = Duration::from_secs(90);
/// How long one request to it may take.
const REQUEST: Duration = Duration::from_secs(20);

/// Small, quick to join and to clean, and nothing happens by itself. A killed broker may register again only once its
/// session is over: the default would make every restart 9 s longer.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=2000
controller.quorum.election.timeout.ms=200
controller.quorum.election.backoff.max.ms=100
controller.quorum.fetch.timeout.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=500
log.retention.check.interval.ms=500
log.cleaner.backoff.ms=200
log.segment.delete.delay.ms=500
";

/// A broker and its controller.
pub struct Kafka {
    process: Mutex<Process>,
    port: u16,
    admin: AdminClient<DefaultClientContext>,
    scratch: Scratch,
}

impl Kafka {
    /// Returns the broker that all tests of this process share. Nobody may stop it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Starts a broker.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a broker with further settings, which win over the harness's own.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("kafka", OnFailure::Remove);
        let (port, controller) = (Port::free(), Port::free());
        let number = port.number();
        let properties = properties(&scratch, number, controller.number(), settings);
        fs::write(scratch.path().join("server.properties"), properties).expect("the folder is ours");
        format_storage(&scratch).await;
        port.release();
        controller.release();
        let process = Mutex::new(run(&scratch));
        let admin = client_config(number).create().expect("the client's settings are right");
        let kafka = Self { process, port: number, admin, scratch };
        kafka.wait_ready().await;
        kafka
    }

    /// Returns the address for clients.
    pub fn bootstrap(&self) -> String {
        bootstrap(self.port)
    }

    /// Returns a client's settings that name this broker.
    pub fn client_config(&self) -> ClientConfig {
        client_config(self.port)
    }

    /// Kills the broker with `SIGKILL`.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Asks the broker to shut down and waits until it has.
    pub async fn shut_down(&self) {
        self.process().signal(libc::SIGTERM);
        wait::until_or_dump(
            Duration::from_secs(60),
            "the broker to shut down",
            async || self.process().exit().is_some(),
            || self.process().log_tail(40),
        )
        .await;
    }

    /// Starts the broker again on its port with its data, after a kill if it still runs.
    pub async fn restart(&self) {
        self.kill();
        let process = run(&self.scratch);
        *self.process() = process;
        self.wait_ready().await;
    }

    /// Stops the broker without ending it (`SIGSTOP`): its connections stay open and silent.
    pub fn stop_process(&self) {
        self.process().signal(libc::SIGSTOP);
    }

    /// Lets a stopped broker go on (`SIGCONT`).
    pub fn cont_process(&self) {
        self.process().signal(libc::SIGCONT);
    }

    /// Makes a topic and waits until the broker serves it.
    pub async fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let results = self.admin.create_topics([&topic], &options()).await.expect("create a topic");
        results[0].as_ref().unwrap_or_else(|(name, code)| panic!("create topic `{name}`: {code}"));
        self.wait_partitions(name, partitions).await;
    }

    /// Deletes a topic and waits until the broker knows it no more.
    pub async fn delete_topic(&self, name: &str) {
        let results = self.admin.delete_topics(&[name], &options()).await.expect("delete a topic");
        results[0].as_ref().unwrap_or_else(|(name, code)| panic!("delete topic `{name}`: {code}"));
        let what = format!("topic `{name}` to be gone");
        wait::until(REQUEST, &what, async || self.partitions(name).is_none()).await;
    }

    /// Raises a topic's number of partitions to `partitions`.
    pub async fn add_partitions(&self, name: &str, partitions: i32) {
        let count = usize::try_from(partitions).expect("a count is not negative");
        let results = self.admin.create_partitions([&NewPartitions::new(name, count)], &options()).await;
        results.expect("add partitions")[0].as_ref().unwrap_or_else(|(name, code)| panic!("widen `{name}`: {code}"));
        self.wait_partitions(name, partitions).await;
    }

    /// Deletes the records of a partition below `before`.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).expect("an offset");
        let result = self.admin.delete_records(&list, &options()).await.expect("delete records");
        result.elements()[0].error().unwrap_or_else(|error| panic!("delete records of `{topic}`: {error}"));
    }

    /// Returns how many partitions a topic has, if the broker serves them all.
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), REQUEST).ok()?;
        let topic = metadata.topics().iter().find(|own| own.name() == topic && own.error().is_none())?;
        let is_served = topic.partitions().iter().all(|partition| partition.leader() == 1);
        (is_served && !topic.partitions().is_empty())
            .then(|| topic.partitions().len().try_into().expect("a small count"))
    }

    /// Returns the files of a partition's log, the oldest first.
    pub fn segments(&self, topic: &str, partition: i32) -> Vec<PathBuf> {
        let folder = self.scratch.path().join("data").join(format!("{topic}-{partition}"));
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("read `{}`: {error}", folder.display()));
        let paths = entries.map(|entry| entry.expect("a folder can be read to its end").path());
        let mut segments: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
        segments.sort();
        segments
    }

    async fn wait_partitions(&self, topic: &str, partitions: i32) {
        let what = format!("topic `{topic}` to have {partitions} partitions");
        wait::until(REQUEST, &what, async || self.partitions(topic) == Some(partitions)).await;
    }

    /// A broker listens a moment before it serves: only an answer that names a controller counts.
    async fn wait_ready(&self) {
        let probe = Duration::from_secs(2);
        let is_ready = async || {
            let exit = self.process().exit();
            assert!(exit.is_none(), "the broker ended at its start ({exit:?})\n{}", self.process().log_tail(60));
            tokio::net::TcpStream::connect(self.bootstrap()).await.is_ok()
                && self.admin.inner().fetch_metadata(None, probe).is_ok_and(|answer| !answer.brokers().is_empty())
        };
        wait::until_or_dump(START, "the broker to serve", is_ready, || self.process().log_tail(60)).await;
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a command that runs a class of Kafka's, which prints what is at least of that log level.
pub(crate) fn java(main_class: &str, level: &str, memory: &[&str]) -> Command {
    let libs = place::target().join("kafka/libs");
    assert!(libs.is_dir(), "`{}` is not there: run `cargo xtask setup`", libs.display());
    let mut command = Command::new("java");
    command.args(memory).args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
    command.arg(format!("-Dorg.apache.logging.log4j.level={level}"));
    command.arg("-cp").arg(libs.join("*")).arg(main_class);
    command
}

fn run(scratch: &Scratch) -> Process {
    let mut command = java("kafka.Kafka", "WARN", &["-Xmx384m", "-Xms128m"]);
    command.arg(scratch.path().join("server.properties")).current_dir(scratch.path());
    Process::start("the broker", command, &scratch.path().join("broker.log"), libc::SIGKILL)
}

async fn format_storage(scratch: &Scratch) {
    let mut command = java("kafka.tools.StorageTool", "WARN", &["-Xmx128m"]);
    command.args(["format", "--cluster-id", &cluster_id(), "--config"]).arg(scratch.path().join("server.properties"));
    let format = Process::start("the storage tool", command, &scratch.path().join("format.log"), libc::SIGKILL);
    let status = format.wait_exit(START).await;
    assert!(status.success(), "formatting the broker's storage failed ({status})\n{}", format.log_tail(40));
}

fn properties(scratch: &Scratch, port: u16, controller: u16, further: &[(&str, &str)]) -> String {
    let mut text = SETTINGS.to_owned();
    let data = scratch.path().join("data");
    let own = [
        ("log.dirs", data.display().to_string()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("listeners", format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
    ];
    let own = own.iter().map(|(key, value)| (*key, value.as_str()));
    // Of two lines with one key, Java takes the last.
    for (key, value) in own.chain(further.iter().copied()) {
        writeln!(text, "{key}={value}").expect("text grows");
    }
    text
}

/// Returns 16 random bytes as Kafka writes them: 22 characters of which the last holds two bits.
fn cluster_id() -> String {
    let random = RandomState::new();
    format!("{:016x}{:05x}A", random.hash_one(1), random.hash_one(2) & 0xf_ffff)
}

fn bootstrap(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn client_config(port: u16) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap(port));
    // A killed broker is looked for again at once.
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}
