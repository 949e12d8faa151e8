//! The model of a process: lanes, and what they asked for and have not been answered.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use forebay_core::lane::{Action, Authority, Command, Event, Lane, Settings, Write, Written};
use forebay_core::manifest::settings::{BatchLimits, Retry};
use forebay_core::outbox::Outgoing;
use forebay_core::outcome::Outcome;
use forebay_core::verdict::Verdict;

#[derive(Default)]
pub struct Process {
    pub lanes: Vec<Shell>,
    /// Stopped by a signal: nothing turns, but what it sent to the database goes on there.
    pub is_frozen: bool,
}

pub struct Shell {
    pub lane: Lane,
    pub partition: usize,
    pub asked: Vec<Asked>,
    pub fetch: i64,
    pub generation: u64,
    pub wake: Option<Duration>,
    pub highest_seen: i64,
    /// The version of the plugin in force.
    pub version: u32,
    pub is_draining: bool,
    pub is_drained: bool,
}

/// What waits for an answer.
pub enum Asked {
    Acquire,
    Seek(i64),
    /// With the version that was in force when it was asked for.
    Compute(Command, u32),
    Write(Write),
    /// The database answered; the answer is on its way.
    Reply(Result<Written, Verdict>),
    Send(u64, std::sync::Arc<Vec<Outgoing>>),
}

impl Shell {
    pub fn new(partition: usize, group: Option<i64>, settings: Settings) -> Self {
        let mut actions = Vec::new();
        let lane = Lane::new(settings, &mut actions);
        let fetch = group.unwrap_or_default();
        let mut shell = Self {
            lane,
            partition,
            asked: Vec::new(),
            fetch,
            generation: 0,
            wake: None,
            highest_seen: -1,
            version: 0,
            is_draining: false,
            is_drained: false,
        };
        let commits = shell.take(actions);
        assert!(commits.is_empty());
        shell
    }

    /// Tells the lane, and returns the group offsets it asks to commit.
    pub fn hear(&mut self, event: Event, now: Duration) -> Vec<i64> {
        let mut actions = Vec::new();
        self.lane.hear(event, now, &mut actions);
        self.take(actions)
    }

    fn take(&mut self, actions: Vec<Action>) -> Vec<i64> {
        let mut commits = Vec::new();
        for action in actions {
            match action {
                Action::Acquire => self.asked.push(Asked::Acquire),
                Action::StartAt { offset, .. } => self.asked.push(Asked::Seek(offset)),
                Action::Compute(command) => self.asked.push(Asked::Compute(command, self.version)),
                Action::Write(write) => {
                    assert_eq!(outdated(&write, self.version), None, "an older version's outcome is written");
                    self.asked.push(Asked::Write(*write));
                }
                Action::Send { id, messages } => self.asked.push(Asked::Send(id, messages)),
                Action::Commit { offset, .. } => commits.push(offset),
                Action::WakeAt(at) => self.wake = Some(at),
                // No share of dead letters is limited here.
                Action::Pause(_) => {}
                Action::Drained => self.is_drained = true,
            }
        }
        commits
    }
}

/// Returns the version that a write is of, if it is not the one in force.
fn outdated(write: &Write, version: u32) -> Option<String> {
    let fresh = write.handled.iter().skip(write.from);
    let versions = fresh.filter_map(|handled| match &handled.result {
        Ok(Outcome::Skip(by)) => Some(by.clone()),
        _ => None,
    });
    versions.into_iter().find(|by| *by != version.to_string())
}

pub fn settings(authority: Authority, seed: u64) -> Settings {
    let batch = BatchLimits {
        max_records: NonZeroUsize::new(1 + (seed % 40) as usize).unwrap(),
        max_bytes: NonZeroUsize::new(1000).unwrap(),
        linger: Duration::from_millis(seed % 7),
    };
    let (backoff_min, backoff_max) = (Duration::from_millis(50), Duration::from_millis(200));
    let retry = Retry { attempts: NonZeroU32::new(100_000).unwrap(), backoff_min, backoff_max };
    Settings { batch, retry, authority, outbox_bytes: 2000, seed, binding: "b".into() }
}
