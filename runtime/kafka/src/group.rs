//! The handle of one consumer group.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebay_core::budget::Budget;
use forebay_core::manifest::settings::Kafka;
use tokio::sync::{mpsc, oneshot};

use crate::admin::Admin;
use crate::commands::Mailbox;
use crate::commits::Offer;
use crate::config;
use crate::error::Error;
use crate::event::{Commit, GroupEvent, Partition, Start};
use crate::raw::{Client, Queue, Role, Waker};
use crate::reader::Reader;
use crate::watermarks::{Watermark, Watermarks};

/// How long leaving may take when the handle is dropped without [`Group::close`].
const DROP_DEADLINE: Duration = Duration::from_secs(5);

/// What a group needs to start.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// The cluster.
    pub kafka: Kafka,
    /// The consumer group's name.
    pub group: String,
    /// The topics to read.
    pub topics: Vec<String>,
    /// How many bytes the client itself may fetch ahead, outside the budget; at least 1 MiB is used.
    pub buffered_bytes: usize,
}

/// One consumer group: a thread that polls and never waits for a handler or a database.
///
/// All methods return at once unless they are `async`. Dropping it leaves the group in the background.
#[derive(Debug)]
pub struct Group {
    mailbox: Arc<Mailbox>,
    client: Arc<Client>,
    kafka: Arc<Kafka>,
    watermarks: Arc<Watermarks>,
    pulse: Arc<Pulse>,
}

/// Signs of life of the group's thread.
#[derive(Debug)]
pub(crate) struct Pulse {
    started: Instant,
    /// Milliseconds from the start to the last turn.
    last_turn: AtomicU64,
    /// How often the loop has turned.
    turns: AtomicU64,
    /// How often a silent partition was started again.
    pub(crate) stalls: AtomicU64,
}

impl Pulse {
    /// Notes that the loop has turned, and returns the time since the start.
    pub(crate) fn turn(&self) -> Duration {
        let now = self.started.elapsed();
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.last_turn.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        now
    }
}

impl Group {
    /// Joins the group. `events` may be of any capacity: what does not fit waits in the thread. Records of all
    /// partitions count against `budget`.
    ///
    /// # Errors
    /// If a setting is invalid or a thread cannot be had. A cluster out of reach is no error: it is waited for.
    pub fn start(settings: GroupSettings, budget: Budget, events: mpsc::Sender<GroupEvent>) -> Result<Self, Error> {
        let GroupSettings { kafka, group, topics, buffered_bytes } = settings;
        let properties = config::consumer(&kafka, &group, buffered_bytes);
        let client = Arc::new(Client::new(Role::Consumer, &properties).map_err(Error::configuration)?);
        let queue = Queue::of_consumer(&client).ok_or_else(|| Error::fatal("the client has no queue for a group"))?;
        let queue = Arc::new(queue);
        let waker = Waker::new(Arc::clone(&queue));
        let mailbox = Arc::new(Mailbox::new(waker.clone()));
        let no_thread = |error| Error::fatal(format!("start a thread for group `{group}`: {error}"));
        let watermarks = Arc::new(Watermarks::start(Arc::clone(&client)).map_err(no_thread)?);
        let pulse = Arc::new(Pulse {
            started: Instant::now(),
            last_turn: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
        });
        let what = format!("subscribe group `{group}` to {}", topics.join(", "));
        client.subscribe(&topics).map_err(|(code, text)| Error::of(&what, code, &text))?;
        let group_handle = Self {
            mailbox: Arc::clone(&mailbox),
            client,
            kafka: Arc::new(kafka),
            watermarks: Arc::clone(&watermarks),
            pulse: Arc::clone(&pulse),
        };
        let reader = Reader::new(queue, waker, mailbox, budget, events, (watermarks, pulse));
        let name = format!("kafka-{group}");
        std::thread::Builder::new().name(name).spawn(move || reader.run()).map_err(no_thread)?;
        Ok(group_handle)
    }

    /// Reads a partition from `offset`. Its feed answers with exactly one [`crate::Fetched::Seeked`]; everything after
    /// that starts at `offset`, and nothing older comes any more; what comes before the answer is to be dropped. What has
    /// been fetched ahead is kept if it begins there and nothing of it has been taken yet. Ignored once `assignment` is
    /// over; a later call replaces an earlier one that the thread has not seen yet: then one answer stands for both.
    pub fn start_at(&self, at: &Partition, assignment: u64, start: Start) {
        self.mailbox.wish(|wishes| {
            wishes.starts.insert(at.clone(), (assignment, start));
        });
    }

    /// Offers a position to commit. The newest offer wins; commits are sent a few times a second, and at once when the
    /// partition is revoked. Ignored once `assignment` is over.
    pub fn commit(&self, at: &Partition, assignment: u64, commit: Commit) {
        let offer = Offer { at: at.clone(), assignment, commit };
        self.mailbox.note(|wishes| {
            wishes.offers.insert(offer.at.clone(), offer);
        });
    }

    /// Commits everything offered so far now and waits until nothing is left to commit.
    ///
    /// # Errors
    /// If that takes longer than `deadline`; what was offered stays on offer.
    pub async fn flush_commits(&self, deadline: Duration) -> Result<(), Error> {
        let (done, wait) = oneshot::channel();
        self.mailbox.wish(|wishes| wishes.flushes.push(done));
        match tokio::time::timeout(deadline, wait).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::unavailable("commit the group's offsets: the group has been left already")),
            Err(_) => Err(Error::unavailable(format!("commit the group's offsets: no answer within {deadline:?}"))),
        }
    }

    /// Stops reading for good: no more records come, while events, commits and heartbeats go on.
    pub fn stop_fetching(&self) {
        self.mailbox.wish(|wishes| wishes.is_stopped = true);
    }

    /// Leaves the group: its partitions are revoked, with a last commit of what was offered. Returns after `deadline` at
    /// the latest; the client ends in the background.
    pub async fn close(&self, deadline: Duration) {
        let (done, wait) = oneshot::channel();
        self.mailbox.wish(|wishes| wishes.close = Some((deadline, done)));
        // An error is the sender dropped: the thread is through.
        tokio::time::timeout(deadline, wait).await.ok();
    }

    /// Returns how long ago the thread's loop last turned. A turn takes up to 5 seconds while partitions are assigned.
    pub fn since_last_turn(&self) -> Duration {
        let last = Duration::from_millis(self.pulse.last_turn.load(Ordering::Relaxed));
        self.pulse.started.elapsed().saturating_sub(last)
    }

    /// Returns a number that changes with each turn of the thread's loop.
    pub fn turns(&self) -> u64 {
        self.pulse.turns.load(Ordering::Relaxed)
    }

    /// Returns how often a partition that stayed silent below its log's end has been started again.
    pub fn stalls(&self) -> u64 {
        self.pulse.stalls.load(Ordering::Relaxed)
    }

    /// Returns the bounds of an owned partition's log as of about a second ago, `None` until they are known.
    pub fn watermarks(&self, at: &Partition) -> Option<Watermark> {
        self.watermarks.get(at)
    }

    /// Returns the cluster's id if a broker has told it already.
    pub fn cluster_id(&self) -> Option<String> {
        self.client.cluster_id(0)
    }

    #[cfg(test)]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns a way to ask questions over this group's own connections.
    pub fn admin(&self) -> Admin {
        Admin::of(Arc::clone(&self.client), Arc::clone(&self.kafka))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let (done, _) = oneshot::channel();
        self.mailbox.wish(|wishes| {
            wishes.close.get_or_insert((DROP_DEADLINE, done));
        });
    }
}
