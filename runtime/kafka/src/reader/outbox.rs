//! Events on their way to the lanes' owner. The thread never waits for room in the owner's channel.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::event::GroupEvent;

/// Above this, events that a later one repeats are left out. The others are bounded by the number of partitions.
const REPEATABLE_MAX: usize = 4096;

/// Events in order, those that did not fit first.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::Sender<GroupEvent>,
    waiting: VecDeque<GroupEvent>,
}

impl Outbox {
    pub(super) fn new(events: mpsc::Sender<GroupEvent>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    /// Sends an event or keeps it.
    pub(super) fn put(&mut self, event: GroupEvent) {
        if self.waiting.len() >= REPEATABLE_MAX {
            self.waiting.retain(is_needed);
        }
        self.waiting.push_back(event);
        self.push();
    }

    /// Sends what fits.
    pub(super) fn push(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // Nobody listens any more.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Returns whether events wait for room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns whether the owner is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.events.is_closed()
    }
}

fn is_needed(event: &GroupEvent) -> bool {
    match event {
        GroupEvent::Assigned(_) | GroupEvent::Revoked { .. } | GroupEvent::Fatal(_) => true,
        GroupEvent::CommitSettled { .. } | GroupEvent::Unavailable(_) | GroupEvent::Recovered => false,
    }
}
