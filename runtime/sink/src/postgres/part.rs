//! What one lane adds to a transaction: its rows, its outbox, its position. One lane's transaction has one part; where little is
//! to be written those of several lanes join.

use std::collections::BTreeMap;

use forebay_core::fault::Fault;
use forebay_core::lane::{Judgement, Write};
use forebay_core::outbox::{self, Outgoing};
use forebay_core::plan::check::Op;
use forebay_core::verdict::Verdict;
use postgres_types::Type;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::committed::{Committed, count, outgoing, still_pending};
use crate::postgres::flush::Request;
use crate::postgres::verdict::of_error;
use crate::postgres::version;
use crate::postgres::write::{Bound, Ending, Text, Transaction, of_bound};

/// SQLSTATE of a division by zero: how this adapter's own statements say no.
const DIVISION_BY_ZERO: &str = "22012";

const DECIDED: &str = "insert into forebay.outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload) values ($1, $2, $3, $4, $5, $6, $7)";

const KEPT: &str = "insert into forebay.outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload, state) \
    values ($1, $2, $3, $4, $5, $5, $6, 'kept') on conflict do nothing";

const SETTLED: &str = "delete from forebay.outbox where source = $1 and consumer_group = $2 and topic = $3 \
    and partition = $4 and next_offset = any($5) and state = 'pending'";

/// What a lane adds, its values bound.
pub(super) struct Part<'a> {
    judgement: Judgement,
    refused: BTreeMap<usize, Fault>,
    bound: Vec<Bound<'a>>,
    rows: BTreeMap<(usize, Op), usize>,
    outgoing: Vec<Outgoing>,
    payload: Vec<u8>,
    /// Letters whose value stays, by the position after their batch.
    kept: Vec<(i64, Vec<u8>)>,
    decided: Text,
    keeps: Text,
    settles: Text,
    /// The statement that notes which version writes, where another one may have written before.
    noted: Option<Text>,
}

/// Where a part's requests are among those of its transaction.
pub(super) struct Places {
    /// Where each statement's requests begin, and where the last one's end.
    rows: Vec<usize>,
    decided: usize,
    moves: usize,
}

impl<'a> Transaction<'a> {
    /// Prepares what the lane adds.
    pub(super) async fn part(&self, ending: Ending, bound: Vec<Bound<'a>>) -> Result<Part<'a>, Verdict> {
        let Ending { judgement, refused, is_begun: _ } = ending;
        let done = judgement.done;
        let outgoing = outgoing(self.context, self.write, self.now, done, &refused);
        let kept = &self.write.settled.kept;
        let notes = self.context.notes_version && done > self.write.from;
        Ok(Part {
            rows: count(self.context, self.write, done, &refused),
            payload: outbox::encode(&outgoing),
            kept: kept.iter().map(|(next, letters)| (*next, outbox::encode(letters))).collect(),
            decided: self.prepare(DECIDED).await?,
            keeps: self.prepare(KEPT).await?,
            settles: self.prepare(SETTLED).await?,
            noted: if notes { Some(self.prepare(version::NOTE).await?) } else { None },
            judgement,
            refused,
            bound,
            outgoing,
        })
    }
}

impl Part<'_> {
    /// The position after it.
    pub(super) fn position(&self) -> &i64 {
        &self.judgement.position
    }

    /// Adds its requests, rows first; the move of the position comes right behind them.
    pub(super) fn requests<'b>(&'b self, of: &'b Transaction<'_>, requests: &mut Vec<Request<'b>>) -> Places {
        let Write { expected, settled, .. } = of.write;
        let first_row = requests.len();
        let rows = self.bound.iter().map(|statement| {
            of.requests(statement, requests);
            requests.len()
        });
        let rows: Vec<usize> = [first_row].into_iter().chain(rows).collect();
        if of.has_deferred() {
            requests.push(Request::new(of.client.batch_execute("set constraints all immediate")));
        }
        for (next, payload) in &self.kept {
            requests.push(of.lane_request(&self.keeps, &[(next, Type::INT8), (payload, Type::BYTEA)]));
        }
        if !settled.rows.is_empty() {
            requests.push(of.lane_request(&self.settles, &[(&settled.rows, Type::INT8_ARRAY)]));
        }
        let decided = requests.len();
        if !self.outgoing.is_empty() {
            let row =
                [(expected as _, Type::INT8), (self.position() as _, Type::INT8), (&self.payload as _, Type::BYTEA)];
            requests.push(of.lane_request(&self.decided, &row));
        }
        let (plugin, digest) = (&of.context.origin.plugin, &of.context.origin.digest);
        let version = [(expected as _, Type::INT8), (plugin as _, Type::TEXT), (digest as _, Type::TEXT)];
        requests.extend(self.noted.as_ref().map(|noted| of.lane_request(noted, &version)));
        Places { rows, decided, moves: requests.len() }
    }

    /// Whose fault it is that a request of its transaction failed.
    pub(super) fn failed(&self, places: &Places, at: usize, error: &Error) -> Verdict {
        if at == places.moves && (is_no(error) || is_known(error)) {
            return Verdict::Fenced;
        }
        if at == places.decided && error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            return still_pending();
        }
        let statement = places.rows.partition_point(|begin| *begin <= at).checked_sub(1);
        match statement.and_then(|statement| self.bound.get(statement)) {
            Some(statement) => of_bound(error, Some(statement)),
            None => of_error(error),
        }
    }

    /// Its transaction is committed.
    pub(super) fn committed(self) -> Committed {
        Committed::new(self.judgement, self.outgoing, self.refused, self.rows)
    }
}

/// Whether a letter was redriven before.
fn is_known(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

fn is_no(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code() == DIVISION_BY_ZERO)
}
