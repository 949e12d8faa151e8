//! Access to a sink: its breaker, each binding's share of its connections, and how long it took lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_core::policy::breaker::{Answer, Breaker, State};
use forebay_core::verdict::{Cause, Reason, Verdict};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::consumer::reach::{Reach, reach};

/// The transactions whose latency is told.
const RECENT: usize = 512;

/// The accesses of a process, by sink.
#[derive(Debug, Clone, Default)]
pub struct Accesses(Arc<Mutex<BTreeMap<String, Arc<Access>>>>);

/// One sink's.
#[derive(Debug)]
pub struct Access {
    name: String,
    started: Instant,
    books: Mutex<Books>,
    /// How often the breaker has closed: lanes that wait for the sink follow it.
    closings: watch::Sender<u64>,
}

#[derive(Debug)]
struct Books {
    breaker: Breaker,
    /// What the fault said that opened the breaker last.
    why: String,
    /// The connections there are.
    connections: usize,
    /// The bindings that use it.
    users: BTreeMap<String, User>,
    recent: VecDeque<Duration>,
}

/// A binding, in all its versions.
#[derive(Debug, Default)]
struct User {
    shares: usize,
    /// The connections that it holds.
    held: usize,
    /// Its lanes that wait for one, in the order in which they came.
    waiting: VecDeque<oneshot::Sender<Connection>>,
}

/// The right to one of the sink's connections; who waits gets it when it is dropped.
#[derive(Debug)]
struct Connection {
    access: Arc<Access>,
    binding: String,
}

/// A binding's share of a sink.
#[derive(Debug)]
pub(super) struct Share {
    access: Arc<Access>,
    binding: String,
}

/// A use of a sink under way.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    share: &'a Share,
    begun: Instant,
    /// Given back after what was told, whoever waits for it then.
    _connection: Option<Connection>,
    is_told: bool,
}

impl Accesses {
    /// Returns a binding's share of a sink with so many connections.
    pub(super) fn share(&self, sink: &str, connections: usize, binding: &str) -> Share {
        let mut all = self.0.lock();
        let access = all.entry(sink.to_owned()).or_insert_with(|| Arc::new(Access::new(sink, connections)));
        access.books.lock().users.entry(binding.to_owned()).or_default().shares += 1;
        Share { access: Arc::clone(access), binding: binding.to_owned() }
    }
}

impl Access {
    fn new(name: &str, connections: usize) -> Self {
        let books = Books {
            breaker: Breaker::default(),
            why: String::new(),
            connections,
            users: BTreeMap::new(),
            recent: VecDeque::with_capacity(RECENT),
        };
        Self {
            name: name.to_owned(),
            started: Instant::now(),
            books: Mutex::new(books),
            closings: watch::Sender::new(0),
        }
    }

    /// Returns the breaker's state.
    pub fn breaker(&self) -> State {
        self.books.lock().breaker.state()
    }

    /// Returns the median and the 99th percentile of the last transactions.
    pub fn latency(&self) -> Option<(Duration, Duration)> {
        let mut recent: Vec<Duration> = self.books.lock().recent.iter().copied().collect();
        recent.sort_unstable();
        let last = recent.len().checked_sub(1)?;
        Some((*recent.get(last / 2)?, *recent.get(last * 99 / 100)?))
    }

    /// Waits a moment, or says that the sink is out of reach.
    async fn ask(&self, lane: u64) -> Result<(), Verdict> {
        loop {
            let now = self.now();
            let at = {
                let mut books = self.books.lock();
                let before = books.breaker.state();
                match books.breaker.ask(lane, now) {
                    Answer::Go => return Ok(()),
                    Answer::NotBefore(at) if before == State::Closed => at,
                    Answer::NotBefore(at) => {
                        let message = format!("sink `{}` is out of reach: {}", self.name, books.why);
                        let cause = Cause::new(Reason::Database, message).with_wait(at.saturating_sub(now));
                        return Err(Verdict::Unavailable(cause));
                    }
                }
            };
            tokio::time::sleep_until(self.started + at).await;
        }
    }

    fn tell(&self, verdict: Option<&Verdict>) {
        let now = self.now();
        let mut books = self.books.lock();
        let before = books.breaker.state();
        match verdict.map_or(Reach::There, reach) {
            Reach::Away(why) => {
                let jitter = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                books.breaker.failed(jitter, now);
                books.why = why.to_owned();
            }
            Reach::There => books.breaker.succeeded(now),
            Reach::Unsaid => books.breaker.given_up(now),
        }
        let (state, closings) = (books.breaker.state(), books.breaker.closings());
        drop(books);
        match (before, state) {
            (State::Closed, State::Open) => warn!(sink = self.name, "the breaker opens: the sink is out of reach"),
            (State::Open | State::HalfOpen, State::Closed) => info!(sink = self.name, "the breaker closes"),
            _ => {}
        }
        self.closings.send_if_modified(|known| std::mem::replace(known, closings) != closings);
    }

    /// Gives the connections that are free to who waits.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = self.books.lock().next();
            let Some((binding, reply)) = next else { return };
            // A lane that is gone meanwhile leaves it to the next one.
            drop(reply.send(Connection { access: Arc::clone(self), binding }));
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(user) = self.access.books.lock().users.get_mut(&self.binding) {
            user.held -= 1;
        }
        self.access.grant();
    }
}

impl Books {
    /// Whether a binding may have one more connection: one is kept for each other that has none.
    fn has_room(&self, binding: &str) -> bool {
        let held: usize = self.users.values().map(|user| user.held).sum();
        let kept = self.users.iter().filter(|(name, user)| *name != binding && user.held == 0).count();
        let own = self.users.get(binding).map_or(0, |user| user.held);
        held < self.connections && (own == 0 || held + kept < self.connections)
    }

    /// Takes a connection for the lane that has waited longest, of the binding that holds the fewest.
    fn next(&mut self) -> Option<(String, oneshot::Sender<Connection>)> {
        let waiting = self.users.iter().filter(|(name, user)| !user.waiting.is_empty() && self.has_room(name));
        let binding = waiting.min_by_key(|(_, user)| user.held)?.0.clone();
        let user = self.users.get_mut(&binding)?;
        let reply = user.waiting.pop_front()?;
        user.held += 1;
        Some((binding, reply))
    }
}

impl Share {
    /// Returns what is told of the sink.
    pub(super) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Tells each time that the sink is back.
    pub(super) fn follow(&self) -> watch::Receiver<u64> {
        self.access.closings.subscribe()
    }

    /// Asks a question of the sink, unless it is out of reach.
    pub(super) async fn ask<T>(
        &self,
        lane: u64,
        question: impl Future<Output = Result<T, Verdict>>,
    ) -> Result<T, Verdict> {
        self.access.ask(lane).await?;
        let mut pass = Pass { share: self, begun: Instant::now(), _connection: None, is_told: false };
        let answer = question.await;
        pass.is_told = true;
        self.access.tell(answer.as_ref().err());
        answer
    }

    /// Waits for a connection of this binding's share; who came first has it first.
    ///
    /// # Errors
    /// Where the sink is out of reach.
    pub(super) async fn enter(&self, lane: u64) -> Result<Pass<'_>, Verdict> {
        let (reply, granted) = oneshot::channel();
        self.access.books.lock().users.entry(self.binding.clone()).or_default().waiting.push_back(reply);
        self.access.grant();
        let Ok(connection) = granted.await else {
            let message = format!("binding `{}` has let go of its share of the sink", self.binding);
            return Err(Verdict::Unavailable(Cause::new(Reason::Database, message).of_target()));
        };
        let (begun, connection) = (Instant::now(), Some(connection));
        let mut pass = Pass { share: self, begun, _connection: connection, is_told: true };
        self.access.ask(lane).await?;
        (pass.begun, pass.is_told) = (Instant::now(), false);
        Ok(pass)
    }
}

impl Pass<'_> {
    /// The use has ended so.
    pub(super) fn end<T>(mut self, result: &Result<T, Verdict>) {
        self.is_told = true;
        let access = &self.share.access;
        if result.is_ok() {
            let mut books = access.books.lock();
            if books.recent.len() >= RECENT {
                books.recent.pop_front();
            }
            books.recent.push_back(self.begun.elapsed());
        }
        access.tell(result.as_ref().err());
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let access = &self.share.access;
        if !self.is_told {
            access.books.lock().breaker.given_up(access.now());
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut books = self.access.books.lock();
        let user = books.users.get_mut(&self.binding);
        if user.is_some_and(|user| {
            user.shares -= 1;
            user.shares == 0
        }) {
            books.users.remove(&self.binding);
        }
        drop(books);
        self.access.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Verdict {
        Verdict::Unavailable(Cause::new(Reason::Database, "connection refused"))
    }

    #[tokio::test]
    async fn a_binding_leaves_a_connection_to_each_other_that_has_none() {
        let accesses = Accesses::default();
        let [held, other] = ["held", "other"].map(|binding| accesses.share("warehouse", 3, binding));
        let _first = held.enter(1).await.unwrap();
        let second = held.enter(2).await.unwrap();
        let third = held.enter(3);
        tokio::pin!(third);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(third.as_mut().poll(&mut context).is_pending(), "the last one is the other's");
        let other_has_one = other.enter(4).await.unwrap();
        assert!(third.as_mut().poll(&mut context).is_pending(), "all are in use");
        drop(second);
        let third = third.await.unwrap();
        drop(third);
        drop(other_has_one);
        drop(other);
        let _all = (held.enter(5).await.unwrap(), held.enter(6).await.unwrap());
    }

    #[tokio::test]
    async fn who_came_first_has_the_next_connection_and_who_is_gone_none() {
        let accesses = Accesses::default();
        let share = accesses.share("warehouse", 1, "orders");
        let first = share.enter(1).await.unwrap();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut others: Vec<_> = (2..5).map(|lane| Box::pin(share.enter(lane))).collect();
        assert!(others.iter_mut().all(|other| other.as_mut().poll(&mut context).is_pending()));
        let mut is_ready = |other: usize| others[other].as_mut().poll(&mut context).is_ready();
        drop(first);
        assert!(!is_ready(1) && !is_ready(2), "the second lane is before them, although it has not looked yet");
        // It never looks, and one of those behind it is gone as well.
        drop(others.drain(..2));
        let last = others.remove(0).await.unwrap();
        drop(last);
        assert_eq!(share.access.books.lock().users["orders"].held, 0);
    }

    #[tokio::test]
    async fn a_fault_of_the_connection_opens_the_breaker_for_all_and_one_of_a_target_for_nobody() {
        let accesses = Accesses::default();
        let share = accesses.share("warehouse", 8, "orders");
        let locked = Verdict::Unavailable(Cause::new(Reason::Database, "a lock").of_target());
        for verdict in [locked, Verdict::Fenced] {
            share.enter(1).await.unwrap().end(&Err::<(), _>(verdict));
            assert_eq!(share.access().breaker(), State::Closed);
        }
        let closings = share.follow();
        share.enter(1).await.unwrap().end(&Err::<(), _>(away()));
        assert_eq!(share.access().breaker(), State::Open);
        let Err(Verdict::Unavailable(cause)) = share.enter(2).await else { panic!("it is open") };
        assert!(cause.message.contains("`warehouse` is out of reach: connection refused"), "{}", cause.message);
        let wait = cause.wait.unwrap();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        tokio::time::sleep(wait).await;
        let probe = share.enter(2).await.unwrap();
        assert!(share.enter(3).await.is_err(), "one probe at a time");
        probe.end(&Ok::<_, Verdict>(()));
        assert_eq!(share.access().breaker(), State::Closed);
        assert!(closings.has_changed().unwrap(), "who waits hears of it");
        drop(share.enter(3).await.unwrap());
        let (p50, p99) = share.access().latency().unwrap();
        assert!(p50 <= p99);
    }

    #[tokio::test]
    async fn a_question_that_never_reached_the_sink_says_nothing_of_it() {
        let accesses = Accesses::default();
        let share = accesses.share("warehouse", 8, "orders");
        let asked = share.ask(1, async { Err::<(), _>(away()) }).await;
        assert!(asked.is_err());
        // The breaker's first wait.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let kafka = Verdict::Unavailable(Cause::new(Reason::Kafka, "no broker"));
        let asked = share.ask(1, async { Err::<(), _>(kafka) }).await;
        assert!(asked.is_err());
        assert_eq!(share.access().breaker(), State::Open, "and the next one probes");
        assert!(share.ask(2, async { Ok::<_, Verdict>(()) }).await.is_ok());
        assert_eq!(share.access().breaker(), State::Closed);
    }
}
