//! Finding the guilty rows of a batch that the database refused, inside one transaction: savepoints, in the order of the
//! log, halving where a range is refused. A record is guilty only if it fails alone after all its predecessors.

use std::collections::BTreeMap;
use std::ops::Range;

use forebay_core::fault::Fault;
use forebay_core::lane::{Judge, Judgement};
use forebay_core::verdict::Verdict;
use tokio::time::Instant;

use crate::postgres::flush::{self, Request};
use crate::postgres::verdict::of_error;
use crate::postgres::write::{Bound, Transaction, of_statement};

/// Larger batches are cut into these first: every failed try is work for the server and its log.
const PIECE: usize = 500;

/// SQLSTATE of a statement that would change one row twice.
const CARDINALITY_VIOLATION: &str = "21000";

impl Transaction<'_> {
    /// Applies what can be applied, and returns how far, and what was refused.
    pub(super) async fn isolate(&self) -> Result<(Judgement, BTreeMap<usize, Fault>), Verdict> {
        let retry = &self.context.retry;
        let end = Judge::before_sql(self.write, retry);
        let mut judge = Judge::new(self.write, retry);
        let mut refused = BTreeMap::new();
        let mut ranges: Vec<Range<usize>> =
            (self.write.from..end).step_by(PIECE).map(|start| start..end.min(start + PIECE)).rev().collect();
        // What is found guilty by then is committed, and the rest is the next transaction's.
        let enough = Instant::now() + self.sink.deadline();
        while let Some(range) = ranges.pop() {
            if Instant::now() > enough && judge.next() > self.write.from {
                let judgement = judge.finish();
                return Ok((judgement, refused));
            }
            match self.apply(range.clone()).await? {
                None => range.for_each(|_| {
                    // Faults of the plugin end a batch at `end`, never before it.
                    let _continues = judge.push(None);
                }),
                Some(fault) if range.len() == 1 => {
                    if judge.push(Some(&fault)).is_break() {
                        break;
                    }
                    refused.insert(range.start, fault);
                }
                Some(_) => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
            }
        }
        // The plugin's own run of like faults, beyond what was applied.
        if ranges.is_empty() {
            while judge.next() < self.write.records.len() && judge.push(None).is_continue() {}
        }
        let judgement = judge.finish();
        refused.retain(|index, _| *index < judgement.done);
        Ok((judgement, refused))
    }

    /// Applies a range under a savepoint; returns the fault if the database refused it, and then nothing of it stays.
    async fn apply(&self, range: Range<usize>) -> Result<Option<Fault>, Verdict> {
        let is_alone = range.len() == 1;
        let fault = self.try_piece(self.bind(range.clone()).await?).await?;
        match fault {
            // Two rows of one record are one row to the database, in spellings that can not be compared here.
            Some(fault) if is_alone && fault.code == CARDINALITY_VIOLATION => {
                self.try_piece(self.bind_one_by_one(range).await?).await
            }
            fault => Ok(fault),
        }
    }

    async fn try_piece(&self, bound: Vec<Bound<'_>>) -> Result<Option<Fault>, Verdict> {
        if bound.is_empty() {
            return Ok(None);
        }
        let deferred: Vec<&str> = self.deferred().collect();
        let (start, end) = match deferred.is_empty() {
            true => ("savepoint piece".to_owned(), "release savepoint piece".to_owned()),
            // Each range is checked at its end, as its own transaction would be.
            false => {
                let names = deferred.join(", ");
                let start = format!("savepoint piece; set constraints {names} deferred");
                (start, "set constraints all immediate; release savepoint piece".to_owned())
            }
        };
        let mut requests: Vec<Request<'_>> = vec![Box::pin(self.client.batch_execute(&start))];
        requests.extend(bound.iter().map(|statement| self.request(statement)));
        requests.push(Box::pin(self.client.batch_execute(&end)));
        let Err((at, error)) = flush::in_order(requests, self.signs).await else { return Ok(None) };
        match of_statement(&error, at.checked_sub(1).and_then(|at| bound.get(at))) {
            Verdict::Record(fault) => {
                let undo = "rollback to savepoint piece; release savepoint piece";
                self.client.batch_execute(undo).await.map_err(|error| of_error(&error))?;
                Ok(Some(fault))
            }
            verdict => Err(verdict),
        }
    }
}
