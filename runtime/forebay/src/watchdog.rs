//! The watchdog: it ends a process whose loops no longer turn, rather than let it hold its partitions.
//!
//! A consumer whose loop stands still goes on sending heartbeats, so its group would wait for it for minutes, and a lane
//! that stands is never missed at all. The watchdog counts its own looks, not time: a process that was stopped, or gets no
//! processor, looks as seldom as it works.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::error;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// A loop that has not turned for this many looks stands. Every loop turns once a second, and waits for a server at most
/// for some seconds in between.
const STANDING: u32 = 60;

/// The exit status of a bug of ours.
const EXIT: i32 = 70;

/// Looks after loops.
#[derive(Default)]
pub struct Watchdog {
    loops: Mutex<Vec<Loop>>,
}

/// How often a loop has turned: it holds one of these as long as it is to be looked after.
pub type Turns = Arc<AtomicU64>;

struct Loop {
    name: String,
    /// A number that changes with each turn; nothing once the loop is over.
    sign: Box<dyn Fn() -> Option<u64> + Send>,
    last: u64,
    standing: u32,
}

impl Watchdog {
    /// Starts the thread that looks, as long as somebody holds what is returned.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let watchdog = Arc::new(Self::default());
        let weak = Arc::downgrade(&watchdog);
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || run(&weak))?;
        Ok(watchdog)
    }

    /// Looks after a loop until its turns are dropped.
    pub fn turns(&self, name: impl Into<String>) -> Turns {
        let turns = Turns::default();
        let weak = Arc::downgrade(&turns);
        self.watch(name, move || Some(weak.upgrade()?.load(Ordering::Relaxed)));
        turns
    }

    /// Looks after a loop by a number that changes with each turn, until there is none.
    pub fn watch(&self, name: impl Into<String>, sign: impl Fn() -> Option<u64> + Send + 'static) {
        let known = Loop { name: name.into(), sign: Box::new(sign), last: u64::MAX, standing: 0 };
        self.loops.lock().push(known);
    }

    /// Looks once, and returns the names of the loops that stand.
    fn look(&self) -> Vec<String> {
        let mut loops = self.loops.lock();
        loops.retain_mut(Loop::look);
        loops.iter().filter(|one| one.standing >= STANDING).map(|one| one.name.clone()).collect()
    }
}

impl Loop {
    /// Returns whether the loop still runs.
    fn look(&mut self) -> bool {
        let Some(turns) = (self.sign)() else { return false };
        self.standing = if turns == self.last { self.standing.saturating_add(1) } else { 0 };
        self.last = turns;
        true
    }
}

fn run(watchdog: &Weak<Watchdog>) {
    loop {
        std::thread::park_timeout(LOOK);
        let Some(watchdog) = watchdog.upgrade() else { return };
        let standing = watchdog.look();
        if !standing.is_empty() {
            let (loops, looks) = (standing.join(", "), STANDING);
            error!(
                "a bug of ours: {loops} did not turn for {looks} s; the process ends with {EXIT}, and its partitions go on elsewhere"
            );
            std::process::exit(EXIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_loop_that_stands_and_forgets_one_that_is_over() {
        let watchdog = Watchdog::default();
        let (turning, standing, over) = (watchdog.turns("a"), watchdog.turns("b"), watchdog.turns("c"));
        drop(over);
        for look in 0..STANDING {
            assert!(watchdog.look().is_empty(), "look {look}");
            turning.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(watchdog.look(), ["b"]);
        standing.fetch_add(1, Ordering::Relaxed);
        assert!(watchdog.look().is_empty());
    }
}
