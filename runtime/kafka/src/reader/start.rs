//! Moving the place where a partition is read.

use std::time::{Duration, Instant};

use super::turn::Reader;
use crate::error::Error;
use crate::event::{Partition, Start};
use crate::raw::{Assignment, BEGINNING, Client, Item, Protocol};
use crate::verdict::Code;

const SEEK_TIMEOUT_MS: i32 = 2000;
const RETRY: Duration = Duration::from_millis(200);

impl Reader {
    /// Answers a wish to read from somewhere.
    pub(super) fn start(&mut self, at: &Partition, assignment: u64, start: Start) {
        let own = |intake: &super::intake::Intake| intake.at == *at && intake.assignment == assignment;
        let Some(index) = self.intakes.iter().position(own) else { return };
        let Some(intake) = self.intakes.get_mut(index) else { return };
        intake.flush();
        // The client asks the log about an epoch when it seeks, and only then.
        if start.leader_epoch.is_none() && intake.adopt(start.offset) {
            return;
        }
        self.move_to(index, start, true);
    }

    /// Tries again what the client was not ready for.
    pub(super) fn retry_starts(&mut self, now: Instant) {
        for index in 0..self.intakes.len() {
            let wanted = self.intakes.get(index).and_then(|intake| intake.wanted).filter(|(_, due)| *due <= now);
            if let Some((start, _)) = wanted {
                self.move_to(index, start, true);
            }
        }
    }

    /// Reads on from `start`: in a new generation if somebody asked for it, in the same one if reading merely stalled.
    pub(super) fn move_to(&mut self, index: usize, start: Start, is_new: bool) {
        let Some(intake) = self.intakes.get(index) else { return };
        let item = Item { leader_epoch: start.leader_epoch, ..intake.item(start.offset) };
        let moved = match seek(&self.client, &item) {
            Moved::Done => true,
            // Nothing is being fetched: not yet, or no more after an error. Seeking is refused then.
            Moved::NotFetching => self.reassign(index, start.offset),
            Moved::NotYet => false,
        };
        // Each seek may wait for its time-out, and there may be many: waiting for the brokers is no standing still.
        self.pulse.turn();
        let Some(intake) = self.intakes.get_mut(index) else { return };
        intake.last_sign = Instant::now();
        match (moved, is_new) {
            (true, true) => intake.restart(start.offset),
            (true, false) => {}
            (false, true) => intake.wanted = Some((start, Instant::now() + RETRY)),
            (false, false) => {
                tracing::debug!(topic = %intake.at.topic, partition = intake.at.partition, "seek refused")
            }
        }
    }

    /// Gives a partition back to the client and takes it again at another offset. A rebalance that is pending just now may
    /// take one of the calls for its own answer; it is answered once more when its event is served.
    pub(super) fn reassign(&mut self, index: usize, offset: i64) -> bool {
        let Some(intake) = self.intakes.get_mut(index) else { return false };
        let item = intake.item(offset);
        let one = [item.clone()];
        if std::mem::take(&mut intake.is_paused) {
            self.client.resume(&one).ok();
        }
        intake.is_flowing = false;
        let result = match self.client.protocol() {
            Protocol::Cooperative => {
                // The first fails if the client has lost the partition already; then the second says what is wrong.
                self.client.assign(Assignment::Remove(&one)).ok();
                self.client.assign(Assignment::Add(&one))
            }
            Protocol::Eager => {
                let others = self.intakes.iter().enumerate().filter(|(other, _)| *other != index);
                let all: Vec<Item> =
                    others.map(|(_, intake)| intake.item(intake.next.unwrap_or(BEGINNING))).chain([item]).collect();
                self.client.assign(Assignment::Replace(&all))
            }
        };
        self.forget_current();
        match result {
            Ok(()) => true,
            Err((code, text)) => {
                self.tell(Error::of("move the position of a partition", code, &text));
                false
            }
        }
    }
}

enum Moved {
    Done,
    NotFetching,
    NotYet,
}

fn seek(client: &Client, item: &Item) -> Moved {
    match client.seek(std::slice::from_ref(item), SEEK_TIMEOUT_MS) {
        // The client turns a seek round when it gets to it; nothing fetched before can come after the call.
        Err((code, _)) if Code(code) == Code::TIMED_OUT => Moved::Done,
        Err(_) => Moved::NotYet,
        Ok(items) => match items.first().map_or(Code::STATE, |item| Code(item.error)) {
            Code(0) => Moved::Done,
            Code::STATE => Moved::NotFetching,
            _ => Moved::NotYet,
        },
    }
}
