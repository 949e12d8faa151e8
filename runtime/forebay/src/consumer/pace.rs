//! How fast a binding may go in this process: its rate, and its governor. Both outlive its versions.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::policy::governor::{Governor, Sample};
use forebay_core::policy::rate::{Full, Limiter, Rate, Scope};
use forebay_core::verdict::Verdict;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One binding's.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    books: Mutex<Books>,
    /// Something ended, or the share is another.
    changed: Notify,
    /// Whoever waits first is served first: partitions share fairly.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Books {
    rate: Rate,
    limiter: Limiter,
    governor: Option<Governor>,
    /// How often the governor said no.
    refusals: u64,
    owned: u64,
    /// How many partitions each topic has; not known before the first of them is acquired.
    totals: BTreeMap<String, Option<u64>>,
}

/// What metrics say of a governor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Governed {
    /// The records that may be under way.
    pub limit: f64,
    /// The records that are.
    pub under_way: u64,
}

/// A partition that this process owns.
#[derive(Debug)]
pub(super) struct Owned(Arc<Pace>);

/// A batch that may go. Ends when it is told of, or dropped.
#[derive(Debug)]
pub(super) struct Admission {
    pace: Arc<Pace>,
    records: u64,
    is_governed: bool,
    is_counted: bool,
    /// When its transaction began, and how often the governor had said no by then.
    begun: Option<(Duration, u64)>,
    /// Whether it is as large as the governor lets a batch be.
    is_cut: bool,
}

impl Pace {
    pub(super) fn new(rate: Rate, topics: &[String]) -> Self {
        let books = Books {
            rate,
            limiter: Limiter::new(),
            governor: None,
            refusals: 0,
            owned: 0,
            totals: topics.iter().map(|topic| (topic.clone(), None)).collect(),
        };
        let pace = Self {
            started: Instant::now(),
            books: Mutex::new(books),
            changed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        };
        pace.limit(rate);
        pace
    }

    /// Takes other settings.
    pub(super) fn limit(&self, rate: Rate) {
        self.change(|books| {
            books.rate = rate;
            match (rate.target_latency, &mut books.governor) {
                (None, governor) => *governor = None,
                (Some(target), Some(governor)) => governor.aim(target),
                (Some(target), governor) => *governor = Some(Governor::new(target)),
            }
        });
    }

    /// Whether it should be told how many partitions a topic has: it never was, or there may be more by now.
    pub(super) fn wants_total(&self, topic: &str) -> bool {
        let books = self.books.lock();
        let is_shared = books.rate.max.is_some() && books.rate.scope == Scope::Group;
        is_shared || books.totals.get(topic).is_none_or(Option::is_none)
    }

    /// A topic has so many partitions.
    pub(super) fn total(&self, topic: &str, partitions: i32) {
        let partitions = u64::from(partitions.unsigned_abs());
        if self.books.lock().totals.get(topic) != Some(&Some(partitions)) {
            self.change(|books| {
                books.totals.insert(topic.to_owned(), Some(partitions));
            });
        }
    }

    /// A partition is ours until the answer is dropped.
    pub(super) fn own(self: &Arc<Self>) -> Owned {
        self.change(|books| books.owned += 1);
        Owned(Arc::clone(self))
    }

    /// Returns the most records of a batch, where something limits them.
    pub(super) fn batch_max(&self) -> Option<NonZeroUsize> {
        let books = self.books.lock();
        let governed = books.governor.as_ref().map(Governor::batch_max);
        books.limiter.batch_max().into_iter().chain(governed).min()
    }

    /// Returns the rate that holds in this process, in records per second.
    pub fn rate(&self) -> Option<f64> {
        self.books.lock().limiter.rate()
    }

    /// Returns what the governor does.
    pub fn governed(&self) -> Option<Governed> {
        let books = self.books.lock();
        let of = |governor: &Governor| Governed { limit: governor.limit(), under_way: governor.under_way() };
        books.governor.as_ref().map(of)
    }

    /// Waits until a batch may go; `throttled` hears when it is the rate that it waits for.
    pub(super) async fn admit(self: &Arc<Self>, records: usize, throttled: impl Fn(bool)) -> Admission {
        let records = records as u64;
        let mut admission = Admission {
            pace: Arc::clone(self),
            records,
            is_governed: false,
            is_counted: false,
            begun: None,
            is_cut: false,
        };
        loop {
            // Asked for before the look, so that no change in between is missed.
            let changed = self.changed.notified();
            if self.govern(&mut admission) {
                break;
            }
            changed.await;
        }
        let _turn = self.turn.lock().await;
        let throttle = Throttle(&throttled);
        loop {
            let changed = self.changed.notified();
            let full = self.books.lock().limiter.begin(records, self.now());
            let Err(full) = full else { break };
            (throttle.0)(true);
            match full {
                Full::Until(at) => tokio::select! {
                    () = tokio::time::sleep_until(self.started + at) => {}
                    () = changed => {}
                },
                Full::UntilAnEnd => changed.await,
            }
        }
        admission.is_counted = true;
        admission
    }

    fn govern(&self, admission: &mut Admission) -> bool {
        let mut books = self.books.lock();
        let Books { governor, refusals, .. } = &mut *books;
        let Some(governor) = governor else { return true };
        if governor.begin(admission.records) {
            admission.is_cut = admission.records >= governor.batch_max().get() as u64;
            admission.is_governed = true;
        } else {
            *refusals += 1;
        }
        admission.is_governed
    }

    fn change(&self, change: impl FnOnce(&mut Books)) {
        let mut books = self.books.lock();
        change(&mut books);
        let Books { rate, limiter, owned, totals, .. } = &mut *books;
        let total: Option<u64> = totals.values().copied().sum();
        // Until the number of partitions is known nothing may go.
        let (owned, total) = match (rate.scope, total) {
            (Scope::Process, _) => (1, 1),
            (Scope::Group, Some(total)) => (*owned, total),
            (Scope::Group, None) => (0, 1),
        };
        limiter.set(rate.max.map(std::num::NonZero::get), owned, total, self.now());
        drop(books);
        self.changed.notify_waiters();
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Says that nothing is waited for any more, whatever ends the waiting.
struct Throttle<'a, T: Fn(bool)>(&'a T);

impl<T: Fn(bool)> Drop for Throttle<'_, T> {
    fn drop(&mut self) {
        (self.0)(false);
    }
}

impl Admission {
    /// Its transaction begins.
    pub(super) fn begin(&mut self) {
        let refusals = self.pace.books.lock().refusals;
        self.begun = Some((self.pace.now(), refusals));
    }

    /// Its transaction has ended. What is not known to have failed may come to be seen.
    pub(super) fn end<T>(mut self, result: &Result<T, Verdict>) {
        let seen = if matches!(result, Ok(_) | Err(Verdict::Unknown(_))) { self.records } else { 0 };
        let word = match result {
            Ok(_) => Some(true),
            // What was too slow to come to its end is slow.
            Err(Verdict::Unavailable(_)) => Some(false),
            Err(_) => None,
        };
        self.finish(seen, word);
    }

    /// `word` is whether it went well, where that says anything of the sink.
    fn finish(&mut self, seen: u64, word: Option<bool>) {
        let now = self.pace.now();
        let mut books = self.pace.books.lock();
        let refusals = books.refusals;
        if std::mem::take(&mut self.is_counted) {
            books.limiter.end(self.records, seen, now);
        }
        if std::mem::take(&mut self.is_governed)
            && let Some(governor) = &mut books.governor
        {
            match (self.begun, word) {
                (Some((begun, before)), Some(is_good)) => {
                    let was_limited = is_good && (self.is_cut || refusals > before);
                    governor.end(Sample { records: self.records, begun, ended: now, was_limited });
                }
                _ => governor.give_up(self.records),
            }
        }
        drop(books);
        self.pace.changed.notify_waiters();
    }
}

impl Drop for Admission {
    /// Its task is gone: what it had begun may come to be seen.
    fn drop(&mut self) {
        if self.is_counted || self.is_governed {
            let seen = if self.begun.is_some() { self.records } else { 0 };
            self.finish(seen, None);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.change(|books| books.owned -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Waker};

    use super::*;

    fn rate(max: u64, scope: Scope) -> Rate {
        Rate { max: NonZeroU64::new(max), scope, target_latency: None }
    }

    fn is_pending(future: Pin<&mut impl Future>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    async fn passes(pace: &Arc<Pace>) {
        pace.admit(1, |_| {}).await.end(&Ok::<_, Verdict>(()));
    }

    #[tokio::test]
    async fn a_process_has_the_share_of_what_it_owns_once_that_is_known() {
        let topics = ["a".to_owned(), "b".to_owned()];
        let pace = Arc::new(Pace::new(rate(900, Scope::Group), &topics));
        let first = pace.own();
        {
            let mut waiting = pin!(pace.admit(1, |_| {}));
            assert!(is_pending(waiting.as_mut()), "nobody knows how many partitions there are");
            pace.total("a", 4);
            assert!(is_pending(waiting.as_mut()), "nor of the other topic");
            pace.total("b", 2);
            waiting.await.end(&Ok::<_, Verdict>(()));
        }
        assert_eq!(pace.rate(), Some(150.0));
        passes(&pace).await;
        let second = pace.own();
        assert_eq!(pace.rate(), Some(300.0));
        assert_eq!(pace.batch_max(), NonZeroUsize::new(7));
        drop((first, second));
        assert_eq!(pace.rate(), Some(0.0));
        pace.limit(rate(900, Scope::Process));
        assert_eq!(pace.rate(), Some(900.0));
        pace.limit(Rate::default());
        assert_eq!((pace.rate(), pace.batch_max()), (None, None));
    }

    #[tokio::test]
    async fn who_waits_says_so_and_hears_of_another_rate() {
        let pace = Arc::new(Pace::new(rate(1, Scope::Process), &[]));
        let waits = AtomicBool::new(false);
        let told = |waiting: bool| waits.store(waiting, Ordering::Relaxed);
        let mut waiting = pin!(pace.admit(1, told));
        assert!(is_pending(waiting.as_mut()), "it begins with nothing");
        assert!(waits.load(Ordering::Relaxed));
        pace.limit(rate(1_000, Scope::Process));
        waiting.await.end(&Ok::<_, Verdict>(()));
        assert!(!waits.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn the_governor_holds_back_what_is_too_much_at_once() {
        let target_latency = Some(Duration::from_millis(50));
        let pace = Arc::new(Pace::new(Rate { target_latency, ..Rate::default() }, &[]));
        let limit = pace.governed().unwrap().limit;
        let mut first = pace.admit(400, |_| {}).await;
        first.begin();
        let mut second = pin!(pace.admit(400, |_| {}));
        assert!(is_pending(second.as_mut()));
        // Longer than the target.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(is_pending(second.as_mut()));
        first.end(&Ok::<_, Verdict>(()));
        assert!(pace.governed().unwrap().limit < limit, "it took too long");
        assert_eq!(pace.governed().unwrap().under_way, 0);
        let second = second.await;
        assert_eq!(pace.governed().unwrap().under_way, 400);
        drop(second);
        assert_eq!(pace.governed().unwrap().under_way, 0, "its lane is gone");
    }
}
