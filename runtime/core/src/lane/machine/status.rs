//! What is told of a lane.

use crate::lane::batch::Batch;
use crate::lane::event::{State, Status};
use crate::lane::machine::{Lane, Phase};
use crate::verdict::{Cause, Reason};

impl Lane {
    /// Returns what is told of the lane.
    pub fn status(&self) -> Status {
        let outbox = || Cause::new(Reason::Outbox, "messages that were decided wait for Kafka's acknowledgement");
        let (state, why) = match (&self.trouble, self.position) {
            _ if self.paused.is_some() && !self.is_draining => (State::Paused, self.paused.clone()),
            (Some(trouble), _) if trouble.is_halt => (State::Halted, Some((trouble.cause.clone(), trouble.since))),
            (Some(trouble), _) => (State::Waiting, Some((trouble.cause.clone(), trouble.since))),
            (None, _) if self.is_draining => (State::Draining, None),
            (None, None) => (State::Starting, None),
            (None, Some(_)) if self.is_outbox_full() => (State::Waiting, Some((outbox(), self.last_write))),
            (None, Some(_)) if self.generation.is_none() => (State::Starting, None),
            (None, Some(_)) if self.is_idle() && self.end == self.position => (State::Idle, None),
            (None, Some(_)) => (State::Running, None),
        };
        let next_try = match self.phase {
            Phase::Blocked { until, .. } => Some(until),
            Phase::Acquiring | Phase::Open | Phase::Drained => None,
        };
        let first = self.batches.front().and_then(Batch::first).or(self.queue.first());
        let oldest_ms = first.and_then(|record| record.timestamp_ms);
        Status { state, position: self.position, why, next_try, oldest_ms }
    }
}
