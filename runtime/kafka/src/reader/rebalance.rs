//! Partitions come and go. Nothing here waits for anybody but the group's coordinator, and for it at most 5 seconds.

use std::time::Duration;

use super::intake::Intake;
use super::turn::Reader;
use crate::admin::committed;
use crate::commits::Batch;
use crate::error::Error;
use crate::event::{Assigned, GroupEvent, Partition};
use crate::feed::feed;
use crate::raw::{Assignment, BEGINNING, Event, Item, NO_OFFSET, Protocol};
use crate::verdict::Code;

const COMMITTED_TIMEOUT_MS: i32 = 5000;

impl Reader {
    /// Answers a rebalance.
    pub(super) fn on_rebalance(&mut self, event: &Event) {
        self.absorb();
        let items = event.partitions();
        match Code(event.code()) {
            Code::ASSIGN => self.on_assign(&items),
            Code::REVOKE => self.on_revoke(&items, self.client.is_assignment_lost()),
            code => {
                tracing::warn!(%code, "the group's rebalance failed; letting go of every partition");
                self.let_go(true);
                self.client.assign(Assignment::Clear).ok();
                self.tell(Error::of("rebalance the group", code.0, &event.text()));
            }
        }
    }

    /// Starts to read at once: at the committed offset, explicitly at the log's beginning where there is none or nobody
    /// knows. The lane finds its own position meanwhile and moves reading there if it differs.
    fn on_assign(&mut self, items: &[Item]) {
        let asked: Vec<Item> = items.iter().map(|item| Item::new(&item.topic, item.partition, NO_OFFSET)).collect();
        let found = if asked.is_empty() { Ok(Vec::new()) } else { self.client.committed(&asked, COMMITTED_TIMEOUT_MS) };
        let mut plan = Vec::with_capacity(items.len());
        let mut assigned = Vec::with_capacity(items.len());
        for item in items {
            let position = match &found {
                Err((code, text)) => Err(Error::of("ask for the committed offset", *code, text)),
                Ok(found) => {
                    let own = found.iter().find(|other| other.partition == item.partition && other.topic == item.topic);
                    match own {
                        Some(own) if own.error != 0 => {
                            Err(Error::of("ask for the committed offset", own.error, &Code(own.error).text()))
                        }
                        Some(own) => Ok(committed(own)),
                        None => Ok(None),
                    }
                }
            };
            let start = position.as_ref().ok().and_then(|position| position.as_ref());
            let mut planned = Item::new(&item.topic, item.partition, start.map_or(BEGINNING, |start| start.offset));
            planned.leader_epoch = start.and_then(|start| start.leader_epoch);
            plan.push(planned);
            self.assignments += 1;
            let at = Partition { topic: item.topic.as_str().into(), partition: item.partition };
            let (inlet, feed) = feed(self.waker.clone());
            // A partition that comes twice without having gone is a new assignment; its old feed ends here.
            self.intakes.retain(|intake| intake.at != at);
            let start = start.map(|start| start.offset);
            self.intakes.push(Intake::new(at.clone(), self.assignments, start, inlet));
            assigned.push(Assigned { partition: at, assignment: self.assignments, committed: position, feed });
        }
        let assignment = match self.client.protocol() {
            Protocol::Eager => Assignment::Replace(&plan),
            Protocol::Cooperative => Assignment::Add(&plan),
        };
        let result = self.client.assign(assignment);
        self.forget_current();
        if let Err((code, text)) = result {
            let gone = |intake: &Intake| assigned.iter().any(|assigned| assigned.partition == intake.at);
            self.intakes.retain(|intake| !gone(intake));
            self.tell(Error::of("start reading assigned partitions", code, &text));
        } else {
            // Also with nothing in it: the group has us, and others have the partitions.
            self.recover();
            self.outbox.put(GroupEvent::Assigned(assigned));
        }
        self.own_watermarks();
    }

    /// Lets partitions go: their last offers are committed if they are still ours, their feeds end, their records are
    /// dropped. Handlers are pure and a transaction not yet committed is rolled back, so nothing is waited for.
    fn on_revoke(&mut self, items: &[Item], lost: bool) {
        let is_meant = |intake: &Intake| items.iter().any(|item| intake.is(item.topic.as_bytes(), item.partition));
        let paused: Vec<Item> = self
            .intakes
            .iter()
            .filter(|intake| intake.is_paused && is_meant(intake))
            .map(|intake| intake.item(0))
            .collect();
        if !paused.is_empty() {
            // The flag would survive into the next assignment.
            self.client.resume(&paused).ok();
        }
        let going: Vec<Intake> = self.intakes.extract_if(.., |intake| is_meant(intake)).collect();
        let partitions: Vec<Partition> = going.iter().map(|intake| intake.at.clone()).collect();
        if lost {
            self.commits.forget(&partitions);
        } else if let Some(batch) = self.commits.part(&partitions, self.now()) {
            self.send(batch);
        }
        let assignment = match self.client.protocol() {
            Protocol::Eager => Assignment::Clear,
            Protocol::Cooperative => Assignment::Remove(items),
        };
        if let Err((code, text)) = self.client.assign(assignment) {
            self.tell(Error::of("let revoked partitions go", code, &text));
        }
        self.forget_current();
        self.report_revoked(going, lost);
    }

    /// Drops every partition without a word to the coordinator.
    pub(super) fn let_go(&mut self, lost: bool) {
        let going = std::mem::take(&mut self.intakes);
        let partitions: Vec<Partition> = going.iter().map(|intake| intake.at.clone()).collect();
        self.commits.forget(&partitions);
        self.forget_current();
        self.report_revoked(going, lost);
    }

    fn report_revoked(&mut self, going: Vec<Intake>, lost: bool) {
        if !going.is_empty() {
            let partitions = going.iter().map(|intake| (intake.at.clone(), intake.assignment)).collect();
            // Dropping the intakes ends the feeds before the owner hears of it.
            drop(going);
            self.outbox.put(GroupEvent::Revoked { partitions, lost });
        }
        self.own_watermarks();
    }

    fn own_watermarks(&self) {
        self.watermarks.own(self.intakes.iter().map(|intake| intake.at.clone()).collect());
    }

    /// Sends a commit. Its answer is an event of the same queue: the client's own commit callback never fires for it.
    pub(super) fn send(&mut self, batch: Batch) {
        let items = batch.offers.iter().map(|offer| Item {
            leader_epoch: offer.commit.leader_epoch,
            metadata: Some(offer.commit.metadata.as_bytes().to_vec()),
            ..Item::new(&offer.at.topic, offer.at.partition, offer.commit.offset)
        });
        let items: Vec<Item> = items.collect();
        if let Err((code, text)) = self.client.commit(&items, &self.queue, batch.id) {
            self.settle(batch.id, code, &text, &[]);
        }
    }

    /// Takes the coordinator's answer to a commit.
    pub(super) fn on_commit(&mut self, event: &Event) {
        let (id, code, items) = (event.commit_id(), event.code(), event.partitions());
        self.settle(id, code, &Code(code).text(), &items);
    }

    fn settle(&mut self, id: usize, code: i32, text: &str, items: &[Item]) {
        // An answer of one code may mean some partitions or the whole request: it is the request unless one of them
        // carries an error itself.
        let is_partial = items.iter().any(|item| item.error != 0);
        let error_of = |at: &Partition| {
            let own = items.iter().find(|item| item.partition == at.partition && *item.topic == *at.topic);
            match own {
                Some(own) if own.error != 0 => Some((own.error, Code(own.error).text())),
                _ if is_partial || code == 0 || Code(code) == Code::NO_OFFSET => None,
                _ => Some((code, text.to_owned())),
            }
        };
        let intakes = &self.intakes;
        let is_current =
            |at: &Partition, number| intakes.iter().any(|intake| intake.at == *at && intake.assignment == number);
        let now = self.pulse.turn();
        let settled = self.commits.settle(id, now, |at| error_of(at).is_some(), is_current);
        for offer in settled {
            let what =
                || format!("commit offset {} of {} [{}]", offer.commit.offset, offer.at.topic, offer.at.partition);
            let result = error_of(&offer.at).map_or(Ok(()), |(code, text)| Err(Error::of(&what(), code, &text)));
            self.outbox.put(GroupEvent::CommitSettled {
                partition: offer.at,
                assignment: offer.assignment,
                offset: offer.commit.offset,
                result,
            });
        }
    }

    /// Returns the time since the start.
    pub(super) fn now(&self) -> Duration {
        self.pulse.turn()
    }
}
