//! Which offsets are to be committed and which commit is on its way: bookkeeping without I/O or clock.
//!
//! A partition's newest offer wins. One commit is out at a time, plus those that a revocation has sent off at once. What
//! was offered under an assignment that is over is never sent: the coordinator would take it and rewind the new owner.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{Commit, Partition};

/// The least time between two commits that nobody is in a hurry for.
const INTERVAL: Duration = Duration::from_millis(250);
/// The wait after a commit that failed.
const BACKOFF: Duration = Duration::from_secs(1);
/// A commit that is not answered by now never will be; librdkafka gives up on it long before.
const LOST_AFTER: Duration = Duration::from_secs(120);

/// One partition's part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) at: Partition,
    pub(crate) assignment: u64,
    pub(crate) commit: Commit,
}

/// A commit to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) id: usize,
    pub(crate) offers: Vec<Offer>,
}

/// What is offered and what is out. Times are since some start.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    offered: HashMap<Partition, (u64, Commit)>,
    out: HashMap<usize, Out>,
    next_id: usize,
    /// Before this no commit is sent unless somebody is in a hurry.
    not_before: Duration,
    /// Before this no commit is sent at all: the last one failed.
    backoff_until: Duration,
}

#[derive(Debug)]
struct Out {
    offers: Vec<Offer>,
    since: Duration,
    /// Sent while its partitions were taken away: nothing waits for it and nothing of it is tried again.
    is_parting: bool,
}

impl Commits {
    /// Takes an offer; it replaces an older one.
    pub(crate) fn offer(&mut self, offer: Offer) {
        self.offered.insert(offer.at, (offer.assignment, offer.commit));
    }

    /// Returns the commit to send now, if there is one. `hurry` skips the interval, not the
    /// order and not the wait after a failure.
    pub(crate) fn due(&mut self, now: Duration, hurry: bool) -> Option<Batch> {
        self.out.retain(|_, out| now.saturating_sub(out.since) < LOST_AFTER);
        let is_waiting = self.out.values().any(|out| !out.is_parting);
        let is_early = now < self.backoff_until || (now < self.not_before && !hurry);
        if is_waiting || self.offered.is_empty() || is_early {
            return None;
        }
        self.not_before = now + INTERVAL;
        let offers = self.offered.drain();
        let offers = offers.map(|(at, (assignment, commit))| Offer { at, assignment, commit }).collect();
        Some(self.send(offers, now, false))
    }

    /// Returns the last commit of partitions that are being taken away, and forgets them.
    pub(crate) fn part(&mut self, partitions: &[Partition], now: Duration) -> Option<Batch> {
        let offers: Vec<Offer> = partitions
            .iter()
            .filter_map(|at| self.offered.remove_entry(at))
            .map(|(at, (assignment, commit))| Offer { at, assignment, commit })
            .collect();
        if offers.is_empty() { None } else { Some(self.send(offers, now, true)) }
    }

    /// Forgets partitions that somebody else owns already.
    pub(crate) fn forget(&mut self, partitions: &[Partition]) {
        for at in partitions {
            self.offered.remove(at);
        }
    }

    /// Takes the answer to a commit and returns what was in it. What failed is offered again unless something newer is
    /// or `is_current` says that its assignment is over.
    pub(crate) fn settle(
        &mut self,
        id: usize,
        now: Duration,
        failed: impl Fn(&Partition) -> bool,
        is_current: impl Fn(&Partition, u64) -> bool,
    ) -> Vec<Offer> {
        let Some(out) = self.out.remove(&id) else { return Vec::new() };
        for offer in &out.offers {
            if failed(&offer.at) {
                self.backoff_until = now + BACKOFF;
                if is_current(&offer.at, offer.assignment) {
                    let again = || (offer.assignment, offer.commit.clone());
                    self.offered.entry(offer.at.clone()).or_insert_with(again);
                }
            }
        }
        out.offers
    }

    /// Returns whether nothing is offered or on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.offered.is_empty() && self.out.is_empty()
    }

    fn send(&mut self, offers: Vec<Offer>, now: Duration, is_parting: bool) -> Batch {
        self.next_id += 1;
        self.out.insert(self.next_id, Out { offers: offers.clone(), since: now, is_parting });
        Batch { id: self.next_id, offers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Partition {
        Partition { topic: "t".into(), partition: 0 }
    }

    fn offer(offset: i64) -> Offer {
        Offer { at: at(), assignment: 1, commit: Commit { offset, leader_epoch: None, metadata: String::new() } }
    }

    fn offsets(batch: Option<Batch>) -> Vec<i64> {
        batch.map_or(Vec::new(), |batch| batch.offers.iter().map(|offer| offer.commit.offset).collect())
    }

    #[test]
    fn sends_the_newest_offer_one_commit_at_a_time() {
        let mut commits = Commits::default();
        let at_ms = Duration::from_millis;
        commits.offer(offer(1));
        commits.offer(offer(2));
        assert_eq!(offsets(commits.due(at_ms(1), false)), [2]);
        commits.offer(offer(3));
        assert_eq!(offsets(commits.due(at_ms(900), true)), [0; 0], "one is out");
        commits.settle(1, at_ms(901), |_| false, |_, _| true);
        assert_eq!(offsets(commits.due(at_ms(901), false)), [3]);
        commits.settle(2, at_ms(902), |_| false, |_, _| true);
        commits.offer(offer(4));
        assert_eq!(offsets(commits.due(at_ms(903), false)), [0; 0], "too soon");
        assert_eq!(offsets(commits.due(at_ms(904), true)), [4]);
    }

    #[test]
    fn tries_a_failed_offset_again_unless_it_is_outdated() {
        let mut commits = Commits::default();
        let at_ms = Duration::from_millis;
        commits.offer(offer(1));
        assert_eq!(offsets(commits.due(at_ms(0), false)), [1]);
        commits.offer(offer(2));
        commits.settle(1, at_ms(1), |_| true, |_, _| true);
        assert_eq!(offsets(commits.due(at_ms(500), false)), [0; 0], "it backs off");
        assert_eq!(offsets(commits.due(at_ms(1500), false)), [2]);
        commits.settle(2, at_ms(1501), |_| true, |_, _| false);
        assert!(commits.is_settled(), "the assignment is over");
    }

    #[test]
    fn a_parting_commit_takes_the_newest_and_blocks_nobody() {
        let mut commits = Commits::default();
        commits.offer(offer(7));
        assert_eq!(offsets(commits.part(&[at()], Duration::ZERO)), [7]);
        commits.offer(offer(8));
        assert_eq!(offsets(commits.due(Duration::from_secs(1), false)), [8]);
    }
}
