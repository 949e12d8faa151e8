//! When everything fails alike it is nobody's message: records in a row of one partition that fail with the same fault
//! are the handler's or the schema's fault, and none of them is dead-lettered.

use std::sync::Arc;

use crate::fault::Fault;

/// From this many like faults in a row on, it is not the records.
pub const ALIKE: usize = 20;

/// The faults at the end of what was seen of a partition, as long as they are alike.
#[derive(Debug, Clone, Default)]
pub struct Run {
    fault: Option<Fault>,
    /// Records in the run that were dead-lettered by earlier batches.
    before: usize,
    /// Records in the run that belong to the batch that is being judged.
    here: usize,
    /// Records of that batch seen so far.
    seen: usize,
    /// What a person said is the records' fault after all.
    accepted: Option<Arc<Fault>>,
}

/// What a run makes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Tripped {
    /// The index in the batch of the first record that must not be dead-lettered.
    pub from: usize,
    /// What they all fail with.
    pub fault: Fault,
}

impl Run {
    /// Starts anew, and keeps what was accepted.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { accepted: self.accepted.clone(), ..Self::default() }
    }

    /// Returns how many records in a row failed alike up to here.
    pub fn length(&self) -> usize {
        self.before + self.here
    }

    /// From now on this fault is the records': they end as dead letters, however many fail with it.
    pub fn accept(&mut self, fault: Fault) {
        self.accepted = Some(Arc::new(fault));
    }

    /// Starts a batch: what it adds to a run that is going on can still be withheld.
    pub fn start_batch(&mut self) {
        self.before += self.here;
        self.here = 0;
        self.seen = 0;
    }

    /// The batch's part of the run was not dead-lettered: it counts again when it is tried again.
    pub fn withhold(&mut self) {
        (self.here, self.seen) = (0, 0);
    }

    /// Takes the next record's fate, and says whether the run is now too long to be the records' fault.
    pub fn push(&mut self, fault: Option<&Fault>) -> Option<Tripped> {
        let index = self.seen;
        self.seen += 1;
        let Some(fault) = fault else {
            (self.fault, self.before, self.here) = (None, 0, 0);
            return None;
        };
        match &self.fault {
            Some(current) if current.is_alike(fault) => self.here += 1,
            _ => (self.fault, self.before, self.here) = (Some(fault.clone()), 0, 1),
        }
        let is_accepted = self.accepted.as_ref().is_some_and(|accepted| accepted.is_alike(fault));
        let tripped = self.before + self.here >= ALIKE && !is_accepted;
        tripped.then(|| Tripped { from: index + 1 - self.here, fault: fault.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Class;

    fn fault(site: &str) -> Fault {
        Fault { class: Class::Trap, code: "unreachable".into(), message: String::new(), site: site.into() }
    }

    #[test]
    fn trips_at_twenty_in_a_row_and_names_the_first_of_the_batch() {
        let mut run = Run::default();
        run.start_batch();
        assert_eq!(run.push(None), None);
        for _ in 0..ALIKE - 1 {
            assert_eq!(run.push(Some(&fault("a"))), None);
        }
        assert_eq!(run.push(Some(&fault("a"))), Some(Tripped { from: 1, fault: fault("a") }));
    }

    #[test]
    fn a_slow_trickle_counts_over_batches_but_loses_only_what_was_decided_before() {
        let mut run = Run::default();
        for _ in 0..ALIKE - 1 {
            run.start_batch();
            assert_eq!(run.push(Some(&fault("a"))), None);
        }
        run.start_batch();
        assert_eq!(run.push(Some(&fault("a"))), Some(Tripped { from: 0, fault: fault("a") }));
    }

    #[test]
    fn an_accepted_fault_never_trips_and_others_still_do() {
        let mut run = Run::default();
        run.accept(fault("a"));
        run = run.anew();
        run.start_batch();
        for _ in 0..100 {
            assert_eq!(run.push(Some(&fault("a"))), None);
        }
        for _ in 0..ALIKE - 1 {
            assert_eq!(run.push(Some(&fault("b"))), None);
        }
        assert!(run.push(Some(&fault("b"))).is_some());
    }

    #[test]
    fn another_fault_or_a_good_record_ends_the_run() {
        let mut run = Run::default();
        run.start_batch();
        for index in 0..100 {
            let site = if index % 3 == 0 { "a" } else { "b" };
            assert_eq!(run.push(Some(&fault(site))), None);
        }
        for index in 0..100 {
            let fault = fault("a");
            assert_eq!(run.push((index % 19 != 0).then_some(&fault)), None);
        }
    }
}
