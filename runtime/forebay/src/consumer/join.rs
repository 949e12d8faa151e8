//! Small batches of a binding's lanes that go to the sink in one transaction.
//!
//! Up to two lanes at a time go at once. Whoever comes while they are under way waits for the first of them to end and goes
//! together with all others that wait, so the more there is to do the larger transactions become. If a transaction of several can
//! not be written each lane goes by itself, and only the one at fault hears of it.

use std::collections::VecDeque;
use std::sync::Arc;

use forebay_core::lane::Write;
use forebay_core::outcome::Handled;
use forebay_core::verdict::Verdict;
use forebay_sink::{Committed, WriteContext};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// So many transactions of small batches are under way at once: while one waits for the disk another one works.
const LEADERS: usize = 2;

/// A batch of more records, or more bytes of outcomes, goes by itself.
const RECORDS: usize = 200;
const BYTES: usize = 256 << 10;

/// No more lanes than these join.
const LANES: usize = 64;

/// A binding's.
#[derive(Debug, Default)]
pub(super) struct Joiner(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    leaders: usize,
    waiting: VecDeque<Follower>,
}

/// A batch with what is needed to write it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) context: WriteContext,
    pub(super) write: Write,
}

/// A lane that waits for another one to write its batch.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) batch: Arc<Batch>,
    reply: oneshot::Sender<Turn>,
}

/// What a lane does.
#[derive(Debug)]
pub(super) enum Turn {
    /// Write its own batch, and those of others.
    Lead(Leader),
    /// Nothing: another one has written it, or tried to.
    Written(Box<Result<Committed, Verdict>>),
    /// Write its own batch alone.
    Alone,
}

/// The right to write; passed on when it is dropped.
#[derive(Debug)]
pub(super) struct Leader {
    joiner: Arc<Joiner>,
    /// It was given to a lane that is gone: whoever gave it has it still.
    is_void: bool,
}

/// Whether a batch is small enough to go with others, and not because a batch may have no more: behind a full one more wait, and
/// each lane is to have the sink's hands for itself.
pub(super) fn is_small(write: &Write, max_records: usize) -> bool {
    let handled = write.handled.get(write.from..).unwrap_or_default();
    handled.len() <= RECORDS
        && handled.len() < max_records.max(2)
        && handled.iter().map(Handled::bytes).sum::<usize>() <= BYTES
}

impl Joiner {
    /// Waits for this batch's turn, or for another lane to write it.
    pub(super) async fn turn(self: &Arc<Self>, batch: &Arc<Batch>) -> Turn {
        let answer = {
            let mut books = self.0.lock();
            if books.leaders < LEADERS {
                books.leaders += 1;
                return Turn::Lead(Leader { joiner: Arc::clone(self), is_void: false });
            }
            let (reply, answer) = oneshot::channel();
            books.waiting.push_back(Follower { batch: Arc::clone(batch), reply });
            answer
        };
        let lost = || Err(Verdict::Unknown("the lane that was to write is gone".to_owned()));
        answer.await.unwrap_or_else(|_| Turn::Written(Box::new(lost())))
    }
}

impl Leader {
    /// Takes the batches that wait.
    pub(super) fn followers(&self) -> Vec<Follower> {
        let mut books = self.joiner.0.lock();
        let count = books.waiting.len().min(LANES);
        books.waiting.drain(..count).filter(|follower| !follower.reply.is_closed()).collect()
    }
}

impl Leader {
    /// Gives the right to the first that waits and is still there.
    fn pass_on(&self) {
        loop {
            let mut books = self.joiner.0.lock();
            let Some(next) = books.waiting.pop_front() else {
                books.leaders -= 1;
                return;
            };
            drop(books);
            let given = Turn::Lead(Self { joiner: Arc::clone(&self.joiner), is_void: false });
            match next.reply.send(given) {
                Err(Turn::Lead(mut returned)) => returned.is_void = true,
                Ok(()) | Err(_) => return,
            }
        }
    }
}

impl Follower {
    /// Its batch was written, or could not be.
    pub(super) fn written(self, result: Result<Committed, Verdict>) {
        self.reply(Turn::Written(Box::new(result)));
    }

    /// It is to write by itself.
    pub(super) fn part(self) {
        self.reply(Turn::Alone);
    }

    fn reply(self, turn: Turn) {
        // A lane that is gone meanwhile asks the ledger when it comes back.
        let _nobody_waits = self.reply.send(turn);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.is_void {
            self.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use forebay_core::budget::Permit;
    use forebay_core::dead_letter::Origin;
    use forebay_core::lane::Settled;
    use forebay_core::manifest::settings::Retry;
    use forebay_core::outcome::Outcomes;
    use forebay_core::plan::target::Targets;
    use forebay_core::policy::alike::Run;
    use forebay_core::records::Records;
    use forebay_sink::LaneKey;

    use super::*;

    fn batch(partition: i32) -> Arc<Batch> {
        let text = |text: &str| text.to_owned();
        let key = LaneKey { source: text("k"), group: text("g"), topic: text("t"), partition };
        let origin = Origin {
            binding: text("b"),
            group: text("g"),
            plugin: text("p"),
            digest: text("d"),
            letters: None,
            redrives: 0,
        };
        let retry = Retry {
            attempts: std::num::NonZeroU32::MIN,
            backoff_min: std::time::Duration::ZERO,
            backoff_max: std::time::Duration::ZERO,
        };
        let targets = Arc::new(Targets::new(Vec::new()));
        let context =
            WriteContext { key, targets, origin: Arc::new(origin), retry, notes_version: false, redriven: None };
        let handled = Arc::new(Outcomes::new(Vec::new(), |_| Permit::free()));
        let write = Write {
            records: Records::default(),
            handled,
            from: 0,
            attempt: 1,
            epoch: 1,
            expected: 0,
            next: 0,
            leader_epoch: None,
            run: Run::default(),
            flood: None,
            settled: Settled::default(),
        };
        Arc::new(Batch { context, write })
    }

    #[test]
    fn two_go_at_once_and_who_waits_goes_together() {
        let (joiner, mut context) = (Arc::new(Joiner::default()), Context::from_waker(Waker::noop()));
        let batches: Vec<Arc<Batch>> = (0..6).map(batch).collect();
        let mut turns: Vec<_> = batches.iter().map(|batch| Box::pin(joiner.turn(batch))).collect();
        let mut now: Vec<Poll<Turn>> = turns.iter_mut().map(|turn| turn.as_mut().poll(&mut context)).collect();
        let Poll::Ready(Turn::Lead(first)) = now.remove(0) else { panic!("the first goes") };
        let Poll::Ready(Turn::Lead(second)) = now.remove(0) else { panic!("and the second") };
        assert!(now.iter().all(Poll::is_pending));
        drop(turns.remove(5));
        // The first ends: the third leads, with the fourth and the fifth; the sixth is gone.
        drop(first);
        let Poll::Ready(Turn::Lead(third)) = turns[2].as_mut().poll(&mut context) else { panic!("the third leads") };
        let followers = third.followers();
        let partitions: Vec<i32> = followers.iter().map(|follower| follower.batch.context.key.partition).collect();
        assert_eq!(partitions, [3, 4]);
        let mut followers = followers.into_iter();
        followers.next().unwrap().part();
        drop(followers);
        assert!(matches!(turns[3].as_mut().poll(&mut context), Poll::Ready(Turn::Alone)));
        let lost = turns[4].as_mut().poll(&mut context);
        let Poll::Ready(Turn::Written(lost)) = lost else { panic!("it hears of it") };
        assert!(matches!(*lost, Err(Verdict::Unknown(_))), "whoever is forgotten asks the ledger");
        drop((second, third));
        assert_eq!(joiner.0.lock().leaders, 0);
    }

    #[test]
    fn the_right_to_write_is_not_lost_with_a_lane_that_is_gone() {
        let (joiner, mut context) = (Arc::new(Joiner::default()), Context::from_waker(Waker::noop()));
        let batches: Vec<Arc<Batch>> = (0..4).map(batch).collect();
        let mut turns: Vec<_> = batches.iter().map(|batch| Box::pin(joiner.turn(batch))).collect();
        let mut now: Vec<Poll<Turn>> = turns.iter_mut().map(|turn| turn.as_mut().poll(&mut context)).collect();
        let Poll::Ready(Turn::Lead(first)) = now.remove(0) else { panic!("the first goes") };
        let Poll::Ready(Turn::Lead(second)) = now.remove(0) else { panic!("and the second") };
        // The third gets the right and goes without a look at it: the fourth has it then.
        drop(first);
        drop(turns.remove(2));
        let fourth = pin!(turns.remove(2));
        let Poll::Ready(Turn::Lead(fourth)) = fourth.poll(&mut context) else { panic!("the fourth leads") };
        drop((second, fourth));
        assert_eq!(joiner.0.lock().leaders, 0);
    }
}
