//! What is told of the process: shared between the lanes that know and the pages that ask.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_core::lane::{State, Status};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Which lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneName {
    /// The binding.
    pub binding: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// What is told of a lane.
#[derive(Debug, Clone)]
pub struct LaneView {
    /// The consumer group.
    pub group: String,
    /// What the lane says of itself.
    pub status: Status,
    /// The group's offset, once a commit was answered.
    pub committed: Option<i64>,
    /// What keeps messages from being sent.
    pub send_trouble: Option<String>,
    /// The log's end, as of about a second ago.
    pub end: Option<i64>,
    /// When the position moved last, or was at the end.
    pub moved: Instant,
}

/// All that is told.
#[derive(Debug)]
pub struct Board {
    started: Instant,
    lanes: Mutex<BTreeMap<LaneName, LaneView>>,
    /// Groups that wait for the brokers, and why.
    groups: Mutex<BTreeMap<String, GroupView>>,
    is_stopping: AtomicBool,
}

/// What is told of a group.
#[derive(Debug, Clone, Default)]
pub struct GroupView {
    /// Whether an assignment came, be it an empty one.
    pub is_joined: bool,
    /// Why it waits.
    pub trouble: Option<String>,
    /// How long ago its loop turned last.
    pub since_last_turn: Duration,
}

impl Board {
    /// Returns an empty board.
    pub fn new(groups: impl Iterator<Item = String>) -> Self {
        let groups = groups.map(|group| (group, GroupView::default())).collect();
        Self {
            started: Instant::now(),
            lanes: Mutex::default(),
            groups: Mutex::new(groups),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Returns the time since the start: the clock of the lanes.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns when a time of the lanes' clock is.
    pub fn at(&self, time: Duration) -> Instant {
        self.started + time
    }

    /// Changes what is told of a lane, if it is told of.
    pub fn lane(&self, name: &LaneName, change: impl FnOnce(&mut LaneView)) {
        if let Some(view) = self.lanes.lock().get_mut(name) {
            let before = view.status.position;
            change(view);
            if view.status.position != before || view.status.state == State::Idle {
                view.moved = Instant::now();
            }
        }
    }

    /// Tells of a lane from now on.
    pub fn put(&self, name: LaneName, view: LaneView) {
        self.lanes.lock().insert(name, view);
    }

    /// Tells of a lane no more.
    pub fn remove(&self, name: &LaneName) {
        self.lanes.lock().remove(name);
    }

    /// Returns all lanes.
    pub fn lanes(&self) -> Vec<(LaneName, LaneView)> {
        self.lanes.lock().iter().map(|(name, view)| (name.clone(), view.clone())).collect()
    }

    /// Changes what is told of a group.
    pub fn group(&self, group: &str, change: impl FnOnce(&mut GroupView)) {
        change(self.groups.lock().entry(group.to_owned()).or_default());
    }

    /// Tells of a group and its lanes no more.
    pub fn forget(&self, group: &str) {
        self.groups.lock().remove(group);
        self.lanes.lock().retain(|_, view| view.group != group);
    }

    /// Returns all groups.
    pub fn groups(&self) -> Vec<(String, GroupView)> {
        self.groups.lock().iter().map(|(group, view)| (group.clone(), view.clone())).collect()
    }

    /// Tells that the process is stopping.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Returns why the process is not ready, nothing if it is.
    pub fn not_ready(&self, stuck: Duration) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_stopping.load(Ordering::Relaxed) {
            reasons.push("the process is stopping".to_owned());
        }
        for (group, view) in self.groups() {
            match view.trouble {
                Some(trouble) => reasons.push(format!("group `{group}`: {trouble}")),
                None if !view.is_joined => reasons.push(format!("group `{group}` has no assignment yet")),
                None => {}
            }
        }
        for (name, view) in self.lanes() {
            let has_lag = view.status.position.zip(view.end).is_none_or(|(position, end)| position < end);
            let is_stuck = has_lag && view.moved.elapsed() > stuck;
            if view.status.state == State::Halted || (is_stuck && view.status.state != State::Paused) {
                let why = view.why(self.now()).unwrap_or_else(|| format!("no progress for {:?}", view.moved.elapsed()));
                reasons.push(format!("{} {}/{}: {why}", name.binding, name.topic, name.partition));
            }
        }
        reasons
    }
}

impl LaneView {
    /// Returns the state that is told: a lane whose messages can not be sent is waiting, even at the end of its log.
    pub fn state(&self) -> State {
        match (&self.send_trouble, self.status.state) {
            (Some(_), State::Running | State::Idle) => State::Waiting,
            (_, state) => state,
        }
    }

    /// Returns in one sentence why the lane does not move.
    pub fn why(&self, now: Duration) -> Option<String> {
        let (cause, since) = match (&self.status.why, &self.send_trouble) {
            (Some(why), _) => why,
            (None, Some(trouble)) => return Some(format!("kafka: {trouble}")),
            (None, None) => return None,
        };
        let age = now.saturating_sub(*since).as_secs();
        let next = self.status.next_try.map(|at| at.saturating_sub(now).as_secs());
        let next = next.map_or(String::new(), |seconds| format!("; tried again in {seconds} s"));
        Some(format!("{}: {} (for {age} s{next})", cause.reason.as_str(), cause.message))
    }

    /// Returns the messages behind the log's end.
    pub fn lag_messages(&self) -> Option<i64> {
        let (position, end) = self.status.position.zip(self.end)?;
        Some((end - position).max(0))
    }

    /// Returns the age of the first record that is not terminal, 0 at the end of the log.
    pub fn lag_seconds(&self, now_ms: i64) -> Option<f64> {
        match self.status.oldest_ms {
            Some(oldest) => {
                #[expect(clippy::cast_precision_loss, reason = "an age in milliseconds is far below 2^53")]
                let age = (now_ms - oldest).max(0) as f64 / 1000.0;
                Some(age)
            }
            None if self.lag_messages() == Some(0) => Some(0.0),
            None => None,
        }
    }
}
