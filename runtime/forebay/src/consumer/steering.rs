//! What is wanted of a binding, as this process knows it: what the ledger says, and what its own flood guard has decided
//! and the ledger does not know yet.

use std::time::Duration;

use forebay_core::lane::{Event, Fate, Write, fate};
use forebay_core::manifest::settings::DeadLetter;
use forebay_core::policy::flood::{Count, Flood, Level};
use forebay_core::verdict::{Cause, Reason};
use forebay_sink::{BindingKey, Committed, Pause, Wanted, Wish};
use parking_lot::Mutex;
use tokio::sync::watch;

/// One binding's.
pub struct Steering {
    /// What the ledger calls the binding.
    key: BindingKey,
    wanted: watch::Sender<Wanted>,
    /// What the flood guard wants, until the ledger has it.
    tripped: Mutex<Option<Pause>>,
    flood: Mutex<Option<Flood>>,
}

impl Steering {
    /// Nothing is wanted yet.
    pub(super) fn new(key: BindingKey, dead_letter: &DeadLetter) -> Self {
        let flood = Mutex::new(flood(dead_letter));
        Self { key, wanted: watch::Sender::default(), tripped: Mutex::default(), flood }
    }

    /// Returns what the ledger calls the binding.
    pub(super) fn key(&self) -> &BindingKey {
        &self.key
    }

    /// Limits the share of dead letters anew; what was counted before is history.
    pub(super) fn limit(&self, dead_letter: &DeadLetter) {
        *self.flood.lock() = flood(dead_letter);
    }

    /// Tells of every change.
    pub(super) fn follow(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// Returns whether all partitions are to stand still.
    pub fn is_paused(&self) -> bool {
        self.wanted.borrow().whole.is_some()
    }

    /// Takes what the ledger says. What the flood guard wants stays until the ledger has it.
    pub(super) fn take(&self, mut wanted: Wanted) {
        if wanted.whole.is_none() {
            wanted.whole.clone_from(&self.tripped.lock());
        }
        self.wanted.send_if_modified(|known| {
            let goes_on = known.whole.is_some() && wanted.whole.is_none();
            if let Some(flood) = self.flood.lock().as_mut().filter(|_| goes_on) {
                flood.reset();
            }
            let is_new = *known != wanted;
            *known = wanted;
            is_new
        });
    }

    /// Changes what is wanted where no ledger keeps it: for as long as the process runs.
    pub(super) fn change(&self, partition: Option<i32>, wish: &Wish) {
        let mut wanted = self.wanted.borrow().clone();
        match (wish, partition) {
            (Wish::Pause(pause), None) => wanted.whole = Some(pause.clone()),
            (Wish::Pause(pause), Some(partition)) => drop(wanted.partitions.insert(partition, pause.clone())),
            (Wish::Resume { accept, .. }, None) => {
                *self.tripped.lock() = None;
                wanted = Wanted { is_accepting: *accept, ..Wanted::default() };
            }
            (Wish::Resume { accept, .. }, Some(partition)) => {
                wanted.partitions.remove(&partition);
                wanted.is_accepting = *accept;
            }
        }
        self.take(wanted);
    }

    /// The flood guard has tripped.
    pub(super) fn trip(&self, pause: Pause) {
        self.tripped.lock().get_or_insert_with(|| pause.clone());
        self.wanted.send_if_modified(|known| known.whole.is_none().then(|| known.whole = Some(pause)).is_some());
    }

    /// Returns what the flood guard wants and the ledger does not know yet.
    pub(super) fn tripped(&self) -> Option<Pause> {
        self.tripped.lock().clone()
    }

    /// The ledger has what the flood guard wants.
    pub(super) fn is_kept(&self) {
        *self.tripped.lock() = None;
    }

    /// A transaction begins: what it adds to, and what of it is known already.
    pub(super) fn begin(&self, write: &Write, now: Duration) -> Option<(Level, Count)> {
        let mut flood = self.flood.lock();
        let flood = flood.as_mut()?;
        let handled = write.handled.get(write.from..).unwrap_or_default();
        // What the handler rejects is final; a fault may turn out to be nobody's message.
        let dead = handled.iter().filter(|handled| handled.is_rejected()).count() as u64;
        let batch = Count { records: handled.len() as u64, dead };
        Some((flood.begin(batch, now), batch))
    }

    /// A transaction has ended; with nothing if it failed.
    pub(super) fn end(&self, batch: Count, write: &Write, committed: Option<&Committed>, now: Duration) {
        let mut flood = self.flood.lock();
        let Some(flood) = flood.as_mut() else { return };
        let done = committed.map_or(Count::default(), |committed| {
            let both = write.handled.iter().enumerate().take(committed.written.done).skip(write.from);
            let is_dead =
                |(index, handled)| matches!(fate(handled, committed.refused.get(&index)), Fate::DeadLettered(_));
            let records = committed.written.done.saturating_sub(write.from) as u64;
            Count { records, dead: both.filter(|one| is_dead(*one)).count() as u64 }
        });
        flood.end(batch, done, now);
    }

    /// Returns what a lane hears of what is wanted.
    pub(super) fn event(&self, wanted: &Wanted, partition: i32) -> Event {
        let pause = wanted.pause(partition).map(|pause| {
            let which = if wanted.whole.is_some() { String::new() } else { format!(" --partition {partition}") };
            let Pause { by, why, at } = pause;
            let (at, why) = (spaced(" at ", at), spaced(": ", why));
            let message =
                format!("paused by {by}{at}{why}; `forebay resume {}{which}` lets it go on", self.key.binding);
            Cause::new(Reason::Paused, message)
        });
        Event::Wanted { pause, is_accepting: wanted.is_accepting }
    }
}

fn flood(dead_letter: &DeadLetter) -> Option<Flood> {
    match dead_letter {
        DeadLetter::Topic { pause_above, .. } => Some(Flood::new(*pause_above)),
        DeadLetter::Drop => None,
    }
}

fn spaced(before: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{before}{text}") }
}
