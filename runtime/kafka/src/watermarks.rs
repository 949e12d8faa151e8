//! Where the logs of the owned partitions start and end, asked about once a second on a thread of its own.
//!
//! A fetch tells a log's end only while the partition is read; lag is needed most when it is not. The end is the last
//! stable offset, because the client asks with `read_committed`: a lag against records of open transactions would never
//! reach zero.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::event::Partition;
use crate::raw::{BEGINNING, Client, END, Item};

const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT_MS: i32 = 5000;

/// The bounds of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The first offset that is still there.
    pub low: i64,
    /// The offset after the last that may be read: the last stable offset.
    pub high: i64,
    /// When the cluster said so.
    pub at: Instant,
}

/// The bounds of all owned partitions, kept fresh until dropped.
#[derive(Debug)]
pub(crate) struct Watermarks {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    owned: Vec<Partition>,
    known: HashMap<Partition, Watermark>,
    is_over: bool,
}

impl Watermarks {
    /// Starts the thread.
    pub(crate) fn start(client: Arc<Client>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let asking = Arc::clone(&shared);
        std::thread::Builder::new().name("kafka-watermarks".to_owned()).spawn(move || run(&client, &asking))?;
        Ok(Self { shared })
    }

    /// Says which partitions to ask about.
    pub(crate) fn own(&self, owned: Vec<Partition>) {
        let mut state = self.shared.state.lock();
        state.known.retain(|at, _| owned.contains(at));
        state.owned = owned;
        self.shared.changed.notify_all();
    }

    /// Returns what is known about a partition.
    pub(crate) fn get(&self, at: &Partition) -> Option<Watermark> {
        self.shared.state.lock().known.get(at).copied()
    }
}

impl Drop for Watermarks {
    fn drop(&mut self) {
        self.shared.state.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

fn run(client: &Client, shared: &Shared) {
    loop {
        let owned = {
            let mut state = shared.state.lock();
            while state.owned.is_empty() && !state.is_over {
                shared.changed.wait(&mut state);
            }
            if state.is_over {
                return;
            }
            state.owned.clone()
        };
        match bounds(client, &owned, TIMEOUT_MS) {
            Ok(found) => {
                let mut state = shared.state.lock();
                for (at, watermark) in found {
                    if state.owned.contains(&at) {
                        state.known.insert(at, watermark);
                    }
                }
            }
            Err((_, text)) => tracing::debug!(error = text, "the logs' ends are not known"),
        }
        let mut state = shared.state.lock();
        let next = Instant::now() + INTERVAL;
        while !state.is_over && !shared.changed.wait_until(&mut state, next).timed_out() {}
    }
}

/// Asks each partition's leader for the bounds of its log. Waits. Partitions that nobody answers for are left out.
pub(crate) fn bounds(
    client: &Client,
    partitions: &[Partition],
    timeout_ms: i32,
) -> Result<Vec<(Partition, Watermark)>, (i32, String)> {
    let ask = |offset| {
        let items: Vec<Item> = partitions.iter().map(|at| Item::new(&at.topic, at.partition, offset)).collect();
        client.offsets_for_times(&items, timeout_ms)
    };
    let (lows, highs) = (ask(BEGINNING)?, ask(END)?);
    let at = Instant::now();
    let both = partitions.iter().zip(lows.iter().zip(&highs));
    let is_of = |at: &Partition, item: &Item| at.partition == item.partition && *at.topic == *item.topic;
    let known = both.filter(|(at, (low, high))| {
        is_of(at, low) && is_of(at, high) && low.error == 0 && high.error == 0 && high.offset >= 0
    });
    Ok(known
        .map(|(partition, (low, high))| {
            (partition.clone(), Watermark { low: low.offset.max(0), high: high.offset, at })
        })
        .collect())
}
