//! One consumer group at work: it gives each assigned partition a lane and takes it away again. It never waits for a
//! handler or a database: a revoked lane ends by itself, and its transaction, if one is under way, is fenced or done
//! before the next owner's first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::budget::Budget;
use forebay_core::lane::{State, Status};
use forebay_core::manifest::settings::Kafka;
use forebay_kafka::{Assigned, Error, Group, GroupEvent, GroupSettings, Partition, Producer};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::consumer::live::Live;
use crate::consumer::observer::Observer;
use crate::consumer::positions;
use crate::consumer::shell::Shell;
use crate::consumer::surroundings::{Order, Surroundings};
use crate::consumer::{topics, wanted};
use crate::metrics::Metrics;
use crate::status::{Board, LaneName, LaneView};
use crate::watchdog::Watchdog;

/// Events of the group's thread that may wait here; the thread keeps what does not fit.
const EVENTS: usize = 64;

/// How long a group that ended with a fatal error waits before it starts anew.
const RESTART: Duration = Duration::from_secs(3);

/// What every group of the process works with.
#[derive(Clone)]
pub struct Ground {
    /// The bindings in force.
    pub live: Live,
    /// The cluster.
    pub kafka: Kafka,
    /// Sends what the lanes decide.
    pub producer: Producer,
    /// The process's one byte budget.
    pub budget: Budget,
    /// Bytes for the client's own queue.
    pub client_bytes: usize,
    /// Bytes of a lane's outbox.
    pub outbox_bytes: usize,
    /// What is told.
    pub board: Arc<Board>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who this process is.
    pub owner: Arc<str>,
    /// How long a stop may take.
    pub deadline: Duration,
    /// Who watches each record, if anybody does.
    pub observer: Option<Observer>,
    /// Looks after loops.
    pub watchdog: Arc<Watchdog>,
}

/// One consumer group.
pub struct Runner {
    /// The group's name.
    pub group: String,
    /// What it works with.
    pub ground: Ground,
}

struct Running {
    assignment: u64,
    orders: mpsc::Sender<Order>,
}

enum Ended {
    Stopped,
    Fatal,
}

impl Runner {
    /// Runs until `stop` is cancelled; a group that ends with a fatal error is started anew.
    pub async fn run(self, stop: CancellationToken) {
        let span = info_span!("consumer", group = %self.group);
        async {
            while !stop.is_cancelled() {
                match self.start(&stop).await {
                    Ok(Ended::Stopped) => return,
                    Ok(Ended::Fatal) => {}
                    Err(error) => error!(%error, "the consumer can not be started"),
                }
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(RESTART) => {}
                }
            }
        }
        .instrument(span)
        .await;
    }

    async fn start(&self, stop: &CancellationToken) -> Result<Ended, Error> {
        let (events, mut heard) = mpsc::channel(EVENTS);
        let settings = GroupSettings {
            kafka: self.ground.kafka.clone(),
            group: self.group.clone(),
            topics: self.ground.live.topics(&self.group),
            buffered_bytes: self.ground.client_bytes,
        };
        let group = Arc::new(Group::start(settings, self.ground.budget.clone(), events)?);
        let around = Surroundings {
            group: group.clone(),
            producer: self.ground.producer.clone(),
            budget: self.ground.budget.clone(),
            board: self.ground.board.clone(),
            metrics: self.ground.metrics.clone(),
            owner: self.ground.owner.clone(),
            live: self.ground.live.clone(),
            outbox_bytes: self.ground.outbox_bytes,
            observer: self.ground.observer.clone(),
            watchdog: self.ground.watchdog.clone(),
        };
        let watched = Arc::downgrade(&group);
        let loop_name = format!("the loop of group `{}`", self.group);
        self.ground.watchdog.watch(loop_name, move || Some(watched.upgrade()?.turns()));
        let lanes = TaskTracker::new();
        let mut running: HashMap<Partition, Running> = HashMap::new();
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        // One for each topic at the most, and the watch waits while they are not taken.
        let (made_anew, mut anew) = mpsc::channel(1);
        let watched = stop.child_token();
        let _ends_the_watch = watched.clone().drop_guard();
        let watch = topics::watch(group.admin(), self.ground.live.topics(&self.group), made_anew, watched.clone());
        lanes.spawn(watch.in_current_span());
        let (moved_by_hand, mut moved) = mpsc::channel(1);
        for (sink, source) in self.ground.live.sinks(&self.group) {
            let bindings = self.ground.live.steerings(&self.group, &sink.0);
            lanes.spawn(wanted::watch(sink.clone(), bindings, watched.clone()).in_current_span());
            let watch = positions::watch(sink, (source, self.group.clone()), moved_by_hand.clone(), watched.clone());
            lanes.spawn(watch.in_current_span());
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(topic) = anew.recv() => {
                    warn!(topic, "the topic was made anew");
                    for (_, lane) in running.iter().filter(|(partition, _)| *partition.topic == *topic) {
                        let _it_ended_already = lane.orders.try_send(Order::Anew);
                    }
                }
                Some(partition) = moved.recv() => {
                    if let Some(lane) = running.get(&partition) {
                        info!(partition = name(&partition), "its position was moved by hand; it is taken up from there");
                        let _it_ended_already = lane.orders.try_send(Order::Moved);
                    }
                }
                _ = beat.tick() => self.ground.board.group(&self.group, |view| view.since_last_turn = group.since_last_turn()),
                event = heard.recv() => match event {
                    Some(GroupEvent::Fatal(error)) => {
                        error!(%error, "the group lost everything; it is started anew");
                        self.ground.board.group(&self.group, |view| view.trouble = Some(error.to_string()));
                        self.let_go(&mut running);
                        return Ok(Ended::Fatal);
                    }
                    Some(event) => self.on(event, &around, &lanes, &mut running),
                    None => return Ok(Ended::Fatal),
                },
            }
        }
        self.stop(&group, &lanes, running, heard).await;
        Ok(Ended::Stopped)
    }

    fn on(
        &self,
        event: GroupEvent,
        around: &Surroundings,
        lanes: &TaskTracker,
        running: &mut HashMap<Partition, Running>,
    ) {
        match event {
            GroupEvent::Assigned(assigned) => {
                self.ground.metrics.rebalances.with_label_values(&[self.group.as_str(), "assigned"]).inc();
                // An assignment is also how a topic that was missing says that it is there now.
                self.ground.board.group(&self.group, |view| (view.is_joined, view.trouble) = (true, None));
                let partitions: Vec<String> = assigned.iter().map(|assigned| name(&assigned.partition)).collect();
                info!(partitions = partitions.join(" "), "partitions assigned");
                for assigned in assigned {
                    self.assign(assigned, around, lanes, running);
                }
            }
            GroupEvent::Revoked { partitions, lost } => {
                let kind = if lost { "lost" } else { "revoked" };
                self.ground.metrics.rebalances.with_label_values(&[self.group.as_str(), kind]).inc();
                let names: Vec<String> = partitions.iter().map(|(partition, _)| name(partition)).collect();
                info!(partitions = names.join(" "), kind, "partitions taken away");
                if lost {
                    // The group goes on without us until it has us again.
                    self.ground.board.group(&self.group, |view| view.is_joined = false);
                }
                for (partition, assignment) in partitions {
                    if running.get(&partition).is_some_and(|lane| lane.assignment == assignment)
                        && let Some(lane) = running.remove(&partition)
                    {
                        self.release(&partition, &lane);
                    }
                }
            }
            GroupEvent::CommitSettled { partition, offset, result: Ok(()), .. } => {
                self.ground.board.lane(&self.lane_name(&partition), |view| view.committed = Some(offset));
            }
            GroupEvent::CommitSettled { partition, offset, result: Err(error), .. } => {
                warn!(partition = name(&partition), offset, %error, "the group's offset could not be committed; it is tried again");
            }
            GroupEvent::Unavailable(error) => {
                warn!(%error, "the group waits");
                let brokers = self.ground.kafka.bootstrap_servers.join(", ");
                let trouble = format!("{error}; the brokers are {brokers}; it is tried again until they answer");
                self.ground.board.group(&self.group, |view| view.trouble = Some(trouble));
            }
            GroupEvent::Recovered => {
                info!("the group goes on");
                self.ground.board.group(&self.group, |view| view.trouble = None);
            }
            GroupEvent::Fatal(_) => {}
        }
    }

    fn assign(
        &self,
        assigned: Assigned,
        around: &Surroundings,
        lanes: &TaskTracker,
        running: &mut HashMap<Partition, Running>,
    ) {
        let Assigned { partition, assignment, committed, feed } = assigned;
        let Some(binding) = self.ground.live.reads(&self.group, &partition.topic) else {
            error!(partition = name(&partition), "assigned, but no binding reads this topic");
            return;
        };
        let lane = self.lane_name(&partition);
        let status = Status { state: State::Starting, position: None, why: None, next_try: None, oldest_ms: None };
        let known = committed.ok();
        let committed = known.iter().flatten().map(|committed| committed.offset).next();
        let (group, end) = (self.group.clone(), None);
        let view = LaneView { group, status, committed, send_trouble: None, end, moved: Instant::now() };
        self.ground.board.put(lane.clone(), view);
        // A topic made anew, a drain, a let; and room for a topic that is made anew often.
        let (orders, heard) = mpsc::channel(8);
        let span = info_span!("lane", topic = %partition.topic, partition = partition.partition);
        let at = partition.clone();
        let (shell, actions) = Shell::new(binding, around.clone(), (at, assignment, feed, known), lane, heard);
        lanes.spawn(shell.run(actions).instrument(span));
        if let Some(before) = running.insert(partition, Running { assignment, orders }) {
            let _it_ended_already = before.orders.try_send(Order::Let);
        }
    }

    fn release(&self, partition: &Partition, lane: &Running) {
        let _it_ended_already = lane.orders.try_send(Order::Let);
        self.ground.board.remove(&self.lane_name(partition));
    }

    fn let_go(&self, running: &mut HashMap<Partition, Running>) {
        for (partition, lane) in running.drain() {
            self.release(&partition, &lane);
        }
        self.ground.board.group(&self.group, |view| view.is_joined = false);
    }

    /// Stops fetching, finishes what is in flight, commits, leaves the group; all of it within the deadline.
    async fn stop(
        &self,
        group: &Group,
        lanes: &TaskTracker,
        running: HashMap<Partition, Running>,
        mut heard: mpsc::Receiver<GroupEvent>,
    ) {
        // A little is left for the process itself.
        let end = Instant::now() + self.ground.deadline - (self.ground.deadline / 20).min(Duration::from_secs(1));
        group.stop_fetching();
        for lane in running.values() {
            let _it_ended_already = lane.orders.try_send(Order::Drain);
        }
        lanes.close();
        let drained = async {
            loop {
                tokio::select! {
                    () = lanes.wait() => return,
                    // A rebalance during the stop: what is taken away ends, what comes is left alone.
                    Some(event) = heard.recv() => if let GroupEvent::Revoked { partitions, .. } = event {
                        for lane in partitions.iter().filter_map(|(partition, _)| running.get(partition)) {
                            let _it_ended_already = lane.orders.try_send(Order::Let);
                        }
                    },
                }
            }
        };
        // Some seconds are left for the commit and the goodbye.
        let reserve = (self.ground.deadline / 4).min(Duration::from_secs(5));
        if tokio::time::timeout_at(end - reserve, drained).await.is_err() {
            warn!("not everything in flight could be finished within the deadline; it runs again after the restart");
        }
        if let Err(error) = group.flush_commits(end.saturating_duration_since(Instant::now()).min(reserve)).await {
            warn!(%error, "the group's offsets may be behind; the ledger is not");
        }
        group.close(end.saturating_duration_since(Instant::now())).await;
        info!("left the group");
    }

    fn lane_name(&self, partition: &Partition) -> LaneName {
        let binding = self.ground.live.reads(&self.group, &partition.topic);
        let binding = binding.map(|binding| binding.settings.name.clone());
        LaneName {
            binding: binding.unwrap_or_default(),
            topic: partition.topic.to_string(),
            partition: partition.partition,
        }
    }
}

fn name(partition: &Partition) -> String {
    format!("{}/{}", partition.topic, partition.partition)
}
