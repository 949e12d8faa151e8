//! All groups of a manifest at work: started together, stopped together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forebay_core::budget::Budget;
use forebay_core::manifest::settings::{self, Manifest};
use forebay_kafka::{Admin, Producer};
use forebay_plugin_host::{Host, Plugin};
use forebay_sink::Database;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::consumer::{Accesses, Binding, Ground, Live, Needs, Observer, Runner};
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::status::Board;
use crate::watchdog::{Turns, Watchdog};

/// How often the runtime shows that it runs tasks.
const BEAT: Duration = Duration::from_secs(1);

/// What the groups are made of: whatever can be found wrong without a server has been.
#[derive(Clone)]
pub struct Parts {
    /// What the manifest says.
    pub manifest: Arc<Manifest>,
    /// Runs handlers.
    pub host: Arc<Host>,
    /// The plugins by name.
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    /// The databases by name.
    pub sinks: BTreeMap<String, Database>,
    /// Who may use the databases.
    pub accesses: Accesses,
    /// Who watches each record, if anybody does.
    pub observer: Option<Observer>,
}

impl Parts {
    /// Returns a binding that has asked no server yet.
    pub(super) fn binding(
        &self,
        settings: &settings::Binding,
        admin: &Admin,
        room_bytes: usize,
    ) -> Result<Binding, Error> {
        let needs = Needs {
            host: self.host.clone(),
            plugin: self.plugin(&settings.plugin)?,
            sink: settings.sink().and_then(|sink| self.sinks.get(sink)).cloned(),
            admin: admin.clone(),
            source: self.manifest.kafka.name.clone(),
        };
        let sink = settings.sink().and_then(|sink| Some((sink, self.manifest.sinks.get(sink)?)));
        let share = sink.map(|(name, sink)| self.accesses.share(name, sink.pool_size.get(), &settings.name));
        Ok(Binding::new(settings.clone(), needs, room_bytes).with_share(share))
    }

    pub(super) fn plugin(&self, name: &str) -> Result<Arc<Plugin>, Error> {
        let lost = || Error::new(ErrorKind::Internal, format!("plugin `{name}` was not loaded"));
        self.plugins.get(name).cloned().ok_or_else(lost)
    }
}

/// The groups.
pub struct Consumers {
    /// What is told of lanes and groups.
    pub board: Arc<Board>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The bindings in force.
    pub live: Live,
    /// The one byte budget.
    pub budget: Budget,
    pub(super) ground: Ground,
    /// Bytes for what is made of records, and as many for what the clients fetch ahead.
    quarter: usize,
    teams: BTreeMap<String, Team>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One group at work.
struct Team {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Consumers {
    /// Starts every group.
    ///
    /// # Errors
    /// Where a client can not be made of the manifest's settings.
    pub fn start(parts: &Parts, started_at: Timestamp) -> Result<Self, Error> {
        let manifest = &parts.manifest;
        let metrics =
            Metrics::new().map_err(|error| Error::new(ErrorKind::Internal, format!("register metrics: {error}")))?;
        let metrics = Arc::new(metrics);
        let producer = Producer::start(&manifest.kafka).map_err(|error| of_client(&error))?;
        // One sum: half of it for records, a quarter for what is made of them, a quarter for what the clients fetch ahead.
        // The shares lend nothing to each other, or all could be records that wait for room to become rows.
        let quarter = manifest.buffered_bytes / 4;
        let live = Live::new(bindings(parts, quarter)?);
        let groups = live.groups();
        let board = Arc::new(Board::new(groups.iter().cloned()));
        let budget = Budget::new(manifest.buffered_bytes - 2 * quarter);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let no_thread = |error| Error::new(ErrorKind::Internal, format!("start the watchdog: {error}"));
        let watchdog = Watchdog::start().map_err(no_thread)?;
        tasks.spawn(beat(watchdog.turns("the async runtime"), stop.clone()));
        let ground = Ground {
            live: live.clone(),
            kafka: manifest.kafka.clone(),
            producer,
            budget: budget.clone(),
            client_bytes: quarter / groups.len().max(1),
            outbox_bytes: (manifest.buffered_bytes / 16).max(1 << 20),
            board: board.clone(),
            metrics: metrics.clone(),
            owner: owner(started_at).into(),
            deadline: manifest.shutdown_deadline,
            observer: parts.observer.clone(),
            watchdog,
        };
        let teams = BTreeMap::new();
        let mut consumers = Self { board, metrics, live, budget, ground, quarter, teams, tasks, stop };
        consumers.begin(groups);
        Ok(consumers)
    }

    /// Starts groups.
    pub(super) fn begin(&mut self, groups: BTreeSet<String>) {
        self.ground.client_bytes = self.quarter / self.live.groups().len().max(1);
        for group in groups {
            // Known from the first moment on: a group that has not joined yet is not ready.
            self.board.group(&group, |_| {});
            let team = Team { tasks: TaskTracker::new(), stop: self.stop.child_token() };
            let runner = Runner { group: group.clone(), ground: self.ground.clone() };
            team.tasks.spawn(runner.run(team.stop.clone()));
            self.teams.insert(group, team);
        }
    }

    /// Stops groups gracefully, as the whole process does.
    pub(super) async fn end(&mut self, groups: &BTreeSet<String>) {
        let teams: Vec<Team> = groups.iter().filter_map(|group| self.teams.remove(group)).collect();
        for team in &teams {
            team.stop.cancel();
            team.tasks.close();
        }
        for team in teams {
            team.tasks.wait().await;
        }
        groups.iter().for_each(|group| self.board.forget(group));
    }

    /// Stops every group gracefully: what is in flight is finished, written and committed, within the manifest's deadline.
    pub async fn stop(mut self) {
        self.board.stop();
        self.stop.cancel();
        let groups = self.teams.keys().cloned().collect();
        self.end(&groups).await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Turns once a second, as long as tasks are run.
async fn beat(turns: Turns, stop: CancellationToken) {
    while !stop.is_cancelled() {
        turns.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

fn bindings(parts: &Parts, room_bytes: usize) -> Result<Vec<Arc<Binding>>, Error> {
    let manifest = &parts.manifest;
    let admin = Admin::start(&manifest.kafka).map_err(|error| of_client(&error))?;
    let mut bindings = Vec::with_capacity(manifest.bindings.len());
    for settings in &manifest.bindings {
        let room_bytes = room_bytes / manifest.bindings.len().max(1);
        bindings.push(Arc::new(parts.binding(settings, &admin, room_bytes)?));
    }
    Ok(bindings)
}

pub(super) fn of_client(error: &forebay_kafka::Error) -> Error {
    Error::new(ErrorKind::Config, error.to_string())
}

/// Returns the name of this machine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Who this process is, for people who look into the ledger.
fn owner(started_at: Timestamp) -> String {
    format!("{}:{}:{}", host_name(), std::process::id(), started_at.as_second())
}
