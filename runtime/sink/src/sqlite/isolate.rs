//! Finding the guilty rows of a batch that the database refused, inside one transaction: record by record in the order of
//! the log, each under a savepoint. There is no server to ask on the way, so halving would gain little. A record is guilty
//! only if it fails alone after all its predecessors.

use std::collections::BTreeMap;

use forebay_core::fault::Fault;
use forebay_core::lane::{Judge, Judgement};
use forebay_core::verdict::{Cause, Reason, Verdict};

use crate::sqlite::write::Transaction;

impl Transaction<'_> {
    /// Applies what can be applied, and returns how far, and what was refused.
    pub(super) fn isolate(&self) -> Result<(Judgement, BTreeMap<usize, Fault>), Verdict> {
        let retry = &self.context.retry;
        let end = Judge::before_sql(self.write, retry);
        let mut judge = Judge::new(self.write, retry);
        let mut refused = BTreeMap::new();
        let mut is_ended = false;
        for index in self.write.from..end {
            let Some(fault) = self.alone(index)? else {
                // Faults of the plugin end a batch at `end`, never before it.
                let _continues = judge.push(None);
                continue;
            };
            if judge.push(Some(&fault)).is_break() {
                is_ended = true;
                break;
            }
            refused.insert(index, fault);
        }
        // The plugin's own run of like faults, beyond what was applied.
        while !is_ended && judge.next() < self.write.records.len() && judge.push(None).is_continue() {}
        let judgement = judge.finish();
        refused.retain(|index, _| *index < judgement.done);
        Ok((judgement, refused))
    }

    /// Applies one record under a savepoint; returns the fault if the database refused it, and then nothing of it stays.
    fn alone(&self, index: usize) -> Result<Option<Fault>, Verdict> {
        let mark = self.connection.watch.as_ref().map_or(0, |watch| watch.mark());
        self.execute("savepoint record")?;
        let fault = match self.apply(index..index + 1) {
            Ok(()) => None,
            Err(Verdict::Record(fault)) => Some(fault),
            Err(verdict) => return Err(verdict),
        };
        if let Some(fault) = &fault {
            if self.connection.is_autocommit() {
                let message = format!(
                    "a trigger of {} rolls the whole transaction back ({}); let it raise `abort` instead of `rollback`",
                    fault.site, fault.message
                );
                return Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)));
            }
            self.execute("rollback to record")?;
            if let Some(watch) = &self.connection.watch {
                watch.undo(mark);
            }
        }
        self.execute("release record")?;
        Ok(fault)
    }
}
