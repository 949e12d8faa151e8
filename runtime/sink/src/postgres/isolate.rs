//! Finding the guilty rows of a batch that the database refused, inside one transaction and in the order of the log: a piece
//! that is refused is gone through record by record in the server, or halved under savepoints where that can not be. A
//! record is guilty only if it fails alone after all its predecessors.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use forebay_core::fault::Fault;
use forebay_core::lane::{Judge, Judgement};
use forebay_core::verdict::Verdict;
use tokio::time::Instant;

use crate::postgres::flush::{self, Request};
use crate::postgres::rowwise::{Found, RowByRow};
use crate::postgres::verdict::of_error;
use crate::postgres::write::{Bound, Transaction, of_bound};

/// Larger batches are cut into these first: every failed try is work for the server and its log.
const PIECE: usize = 500;

/// SQLSTATE of a statement that would change one row twice.
const CARDINALITY_VIOLATION: &str = "21000";

/// How a range is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As a whole, and if it is refused record by record.
    Whole,
    /// Record by record, in the server.
    RowByRow,
    /// As a whole, and if it is refused half by half.
    Halves,
}

/// A search under way.
struct Search<'a> {
    judge: Judge<'a>,
    refused: BTreeMap<usize, Fault>,
    /// What is still to be searched; the next range stands last.
    ranges: Vec<(Range<usize>, Way)>,
    /// A piece with a refused record is seldom alone: the next ones are not tried as a whole.
    is_expecting: bool,
    /// Where the transaction must end, and what was refused until then. What stood behind is taken back, and what stands
    /// before it on its way again.
    end: Option<(Judgement, BTreeMap<usize, Fault>)>,
}

/// The savepoint before the last range, for as long as the range may be taken back.
#[derive(Default)]
pub(super) struct Savepoint {
    is_set: bool,
}

impl Savepoint {
    /// Returns the statement that sets it anew: what was before is kept.
    pub(super) fn set(&mut self) -> &'static str {
        match std::mem::replace(&mut self.is_set, true) {
            true => "release savepoint piece; savepoint piece",
            false => "savepoint piece",
        }
    }
}

impl<'a> Transaction<'a> {
    /// Applies what can be applied, and returns how far, and what was refused.
    pub(super) async fn isolate(
        &self,
        rows: Option<&RowByRow<'a>>,
    ) -> Result<(Judgement, BTreeMap<usize, Fault>), Verdict> {
        let retry = &self.context.retry;
        let (from, end) = (self.write.from, Judge::before_sql(self.write, retry));
        let pieces = (from..end).step_by(PIECE).map(|start| start..end.min(start + PIECE)).rev();
        let mut search = Search {
            judge: Judge::new(self.write, retry),
            refused: BTreeMap::new(),
            ranges: pieces.map(|piece| (piece, Way::Whole)).collect(),
            is_expecting: false,
            end: None,
        };
        let mut savepoint = Savepoint::default();
        // What is found guilty by then is committed, and the rest is the next transaction's.
        let enough = Instant::now() + self.sink.deadline();
        while let Some((range, way)) = search.ranges.pop() {
            if Instant::now() > enough && search.judge.next() > from {
                let judgement = search.judge.finish();
                return Ok((judgement, search.refused));
            }
            let Some(found) = self.search(&mut search, &mut savepoint, rows, (range.clone(), way)).await? else {
                continue;
            };
            let before = search.judge.clone();
            let start = range.start;
            if search.take(start, &found).is_continue() {
                continue;
            }
            let judgement = search.judge.clone().finish();
            let done = judgement.done;
            search.refused.retain(|index, _| *index < done);
            search.ranges.clear();
            search.end = Some((judgement, search.refused.clone()));
            let is_applied =
                |index| !found.refused.contains_key(&index) && self.effects(index..index + 1).next().is_some();
            if !(done.max(start)..found.next).any(is_applied) {
                break;
            }
            self.undo(&mut savepoint).await?;
            if done <= start {
                break;
            }
            search.judge = before;
            search.refused.retain(|index, _| *index < start);
            search.ranges.push((start..done, way));
        }
        Ok(search.finish(self.write.records.len()))
    }

    /// Applies a range under the savepoint. Returns how far it came and what was refused; `None` if nothing of it stays
    /// and it is to be searched in another way.
    async fn search(
        &self,
        search: &mut Search<'a>,
        savepoint: &mut Savepoint,
        rows: Option<&RowByRow<'a>>,
        (range, way): (Range<usize>, Way),
    ) -> Result<Option<Found>, Verdict> {
        let is_direct = way == Way::RowByRow || (way == Way::Whole && search.is_expecting);
        if let Some(rows) = rows.filter(|_| is_direct) {
            let found = self.call(rows, range.clone(), savepoint).await?;
            match &found {
                None => search.ranges.push((range, Way::Halves)),
                Some(found) => {
                    search.is_expecting = !found.refused.is_empty();
                    if found.next < range.end {
                        search.ranges.push((found.next..range.end, Way::RowByRow));
                    }
                }
            }
            return Ok(found);
        }
        let refused = match self.apply(range.clone(), savepoint).await? {
            None => BTreeMap::new(),
            Some(fault) if range.len() == 1 => BTreeMap::from([(range.start, fault)]),
            Some(_) if way == Way::Whole && rows.is_some() => {
                search.ranges.push((range, Way::RowByRow));
                return Ok(None);
            }
            Some(_) => {
                let middle = range.start + range.len() / 2;
                search.ranges.push((middle..range.end, Way::Halves));
                search.ranges.push((range.start..middle, Way::Halves));
                return Ok(None);
            }
        };
        Ok(Some(Found { next: range.end, refused }))
    }

    /// Applies a range as a whole; returns the fault if the database refused it, and then nothing of it stays.
    async fn apply(&self, range: Range<usize>, savepoint: &mut Savepoint) -> Result<Option<Fault>, Verdict> {
        let is_alone = range.len() == 1;
        let fault = self.try_piece(self.bind(range.clone()).await?, savepoint).await?;
        match fault {
            // Two rows of one record are one row to the database, in spellings that can not be compared here.
            Some(fault) if is_alone && fault.code == CARDINALITY_VIOLATION => {
                self.try_piece(self.bind_one_by_one(range).await?, savepoint).await
            }
            fault => Ok(fault),
        }
    }

    async fn try_piece(&self, bound: Vec<Bound<'_>>, savepoint: &mut Savepoint) -> Result<Option<Fault>, Verdict> {
        if bound.is_empty() {
            return Ok(None);
        }
        let deferred: Vec<&str> = self.deferred().collect();
        let mut start = savepoint.set().to_owned();
        // Each range is checked at its end, as its own transaction would be.
        if !deferred.is_empty() {
            start.push_str(&format!("; set constraints {} deferred", deferred.join(", ")));
        }
        let mut requests: Vec<Request<'_>> = vec![Request::new(self.client.batch_execute(&start))];
        bound.iter().for_each(|statement| self.requests(statement, &mut requests));
        if !deferred.is_empty() {
            requests.push(Request::new(self.client.batch_execute("set constraints all immediate")));
        }
        let Err((at, error)) = flush::in_order(requests, self.signs).await else { return Ok(None) };
        match of_bound(&error, at.checked_sub(1).and_then(|at| bound.get(at))) {
            Verdict::Record(fault) => self.undo(savepoint).await.map(|()| Some(fault)),
            verdict => Err(verdict),
        }
    }

    /// Takes back what came after the savepoint.
    pub(super) async fn undo(&self, savepoint: &mut Savepoint) -> Result<(), Verdict> {
        savepoint.is_set = false;
        let undo = "rollback to savepoint piece; release savepoint piece";
        self.client.batch_execute(undo).await.map_err(|error| of_error(&error))?;
        self.signs.answered();
        Ok(())
    }
}

impl Search<'_> {
    /// Hands a range's records to the judge; breaks where the transaction must end.
    fn take(&mut self, start: usize, found: &Found) -> ControlFlow<()> {
        for index in start..found.next {
            let fault = found.refused.get(&index);
            self.judge.push(fault)?;
            self.refused.extend(fault.map(|fault| (index, fault.clone())));
        }
        ControlFlow::Continue(())
    }

    fn finish(mut self, records: usize) -> (Judgement, BTreeMap<usize, Fault>) {
        match self.end {
            // What stands before the end may have gone another way the second time: then it ends there without a reason.
            Some((judgement, refused)) if self.judge.next() >= judgement.done && self.refused == refused => {
                (judgement, refused)
            }
            Some(_) => (self.judge.finish(), self.refused),
            None => {
                // The plugin's own run of like faults, beyond what was applied.
                while self.judge.next() < records && self.judge.push(None).is_continue() {}
                let judgement = self.judge.finish();
                self.refused.retain(|index, _| *index < judgement.done);
                (judgement, self.refused)
            }
        }
    }
}
