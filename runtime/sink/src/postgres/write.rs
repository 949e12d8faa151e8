//! One transaction: rows, outbox and position, in one flush from BEGIN to COMMIT. The compare-and-set on the ledger
//! raises in the server when it moves no row, so that a zombie's rows can not slip through between the two.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use deadpool_postgres::Object;
use forebay_core::fault::Fault;
use forebay_core::lane::{Fate, Judgement, Write, fate};
use forebay_core::manifest::settings::Missing;
use forebay_core::outcome::{Effect, Handled};
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::{Statement as Planned, plan};
use forebay_core::plan::target::{TableFacts, TableTarget};
use forebay_core::verdict::Verdict;
use jiff::Timestamp;
use postgres_types::{ToSql, Type};
use tokio_postgres::{Error, Statement};
use tracing::warn;

use crate::committed::{Committed, WriteContext, unrefused};
use crate::failpoint;
use crate::ledger::LaneKey;
use crate::named::named;
use crate::postgres::bind::{self, Array, Wire};
use crate::postgres::connection::{Param, Postgres};
use crate::postgres::copy;
use crate::postgres::flush::{self, Request};
use crate::postgres::redriven::REMEMBER;
use crate::postgres::sql::{self, Source};
use crate::postgres::verdict::{of_error, of_statement};
use crate::postgres::watch::Signs;
use crate::redriven::Redriven;

const MOVE: &str = "with moved as (update forebay.ledger set next_offset = $7, leader_epoch = $8, \
    plugin_digest = $9, updated_at = now() \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and owner_epoch = $5 and next_offset = $6 \
    returning 1) select 1 / count(*) from moved";

impl Postgres {
    /// Writes a batch: all of it, or up to where it must stop.
    ///
    /// # Errors
    /// Where nothing was written, or nobody knows.
    pub async fn write(&self, context: &WriteContext, write: &Write, now: Timestamp) -> Result<Committed, Verdict> {
        let (lease, signs) = (self.lease().await?, Signs::default());
        failpoint::pass("before-write");
        let transaction =
            async |client: &Object| Transaction { sink: self, client, signs: &signs, context, write, now }.run().await;
        // Every statement has its own time-out in the server; the whole has as many of them as a bisection may need.
        let result = self.watched(&signs, self.deadline() * 4, lease.run(transaction)).await;
        failpoint::pass("after-write");
        match result {
            Err(Verdict::Unknown(why)) => Err(Verdict::Unknown(why)),
            other => other.map_err(|verdict| named(self.name(), verdict)),
        }
    }
}

/// A transaction under way.
pub(super) struct Transaction<'a> {
    pub(super) sink: &'a Postgres,
    pub(super) client: &'a Object,
    pub(super) signs: &'a Signs,
    pub(super) context: &'a WriteContext,
    pub(super) write: &'a Write,
    pub(super) now: Timestamp,
}

/// A statement with its values bound.
pub(super) struct Bound<'a> {
    op: Op,
    facts: Arc<TableFacts>,
    values: Values<'a>,
    /// How many rows an update must change.
    count: i64,
}

/// How a statement's values travel.
enum Values<'a> {
    /// As parameters, an array for each column; and the count behind them, where the server is to compare it.
    Arrays { text: Text, types: Vec<Type>, arrays: Vec<Array<'a>>, has_count: bool },
    /// Row after row behind the statement.
    Rows { lock: String, copy: Statement, rows: copy::Rows<'a> },
}

impl Bound<'_> {
    /// A trigger or a rule may take a row away without a word; the handler's row is then nowhere.
    fn look(&self, written: u64) {
        if self.op == Op::Insert && i64::try_from(written).is_ok_and(|written| written < self.count) {
            warn_of_missing(&self.facts, self.count.saturating_sub_unsigned(written));
        }
    }
}

/// Says that rows that were given are nowhere.
pub(super) fn warn_of_missing(facts: &TableFacts, missing: i64) {
    let table = &facts.sql_name;
    warn!(table, missing, "fewer rows were inserted than given: a trigger or a rule of the table took them away");
}

/// A statement's text, as the connection takes it.
pub(super) enum Text {
    Prepared(Statement),
    Plain(String),
}

/// What ends a transaction.
pub(super) struct Ending {
    pub(super) judgement: Judgement,
    pub(super) refused: BTreeMap<usize, Fault>,
    pub(super) is_begun: bool,
}

impl<'a> Transaction<'a> {
    async fn run(&self) -> Result<Committed, Verdict> {
        let judgement = unrefused(self.context, self.write);
        let done = judgement.done;
        let planned = plan(self.effects(self.write.from..done), &self.context.targets);
        let bound = self.bind_all(planned, true).await?;
        let ending = Ending { judgement, refused: BTreeMap::new(), is_begun: false };
        match self.end(ending, bound).await {
            Err(Verdict::Record(_)) if !self.context.is_guarded() => {
                self.client.batch_execute("rollback").await.map_err(|error| of_error(&error))?;
                self.signs.answered();
                self.run_isolated(done).await
            }
            other => other,
        }
    }

    /// Takes the refused rows out. Functions are made outside of the transaction where that is possible: they stay when it fails.
    async fn run_isolated(&self, end: usize) -> Result<Committed, Verdict> {
        let mut rows = self.row_by_row(self.write.from..end);
        if let Some(rows) = rows.as_mut().filter(|_| !self.sink.is_pooled()) {
            self.make_function(rows).await?;
        }
        self.signs.begin(self.client, &self.sink.begin()).await.map_err(|error| of_error(&error))?;
        failpoint::pass("in-isolation");
        if let Some(rows) = rows.as_mut().filter(|_| self.sink.is_pooled()) {
            self.make_function(rows).await?;
        }
        let (judgement, refused) = self.isolate(rows.as_ref().filter(|rows| rows.is_made())).await?;
        self.end(Ending { judgement, refused, is_begun: true }, Vec::new()).await
    }

    /// The end of the transaction in one flush: BEGIN where it has not begun, rows, outbox, position, COMMIT.
    async fn end(&self, ending: Ending, bound: Vec<Bound<'_>>) -> Result<Committed, Verdict> {
        let is_begun = ending.is_begun;
        let part = self.part(ending, bound).await?;
        let moves = self.prepare(if self.context.redriven.is_some() { REMEMBER } else { MOVE }).await?;
        let begin = self.sink.begin();
        let mut requests: Vec<Request<'_>> = Vec::with_capacity(16);
        if !is_begun {
            requests.push(Request::new(self.signs.begin(self.client, &begin)));
        }
        let places = part.requests(self, &mut requests);
        requests.push(self.move_request(&moves, part.position()));
        failpoint::pass("before-commit");
        requests.push(Request::new(self.client.batch_execute("commit")));
        flush::in_order(requests, self.signs).await.map_err(|(at, error)| part.failed(&places, at, &error))?;
        failpoint::pass("after-commit");
        Ok(part.committed())
    }

    /// Moves the position; a dead letter that is redriven is remembered instead.
    fn move_request<'b>(&'b self, moves: &'b Text, position: &'b i64) -> Request<'b> {
        if let Some(Redriven { id, binding, .. }) = &self.context.redriven {
            let remembered = self.execute(moves, vec![(id, Type::TEXT), (binding, Type::TEXT)]);
            return Request::new(async move { remembered.await.map(drop) });
        }
        let Write { expected, epoch, leader_epoch, .. } = self.write;
        let moved: [Param<'_>; 5] = [
            (epoch, Type::INT8),
            (expected, Type::INT8),
            (position, Type::INT8),
            (leader_epoch, Type::INT4),
            (&self.context.origin.digest, Type::TEXT),
        ];
        self.lane_request(moves, &moved)
    }

    /// Plans the effects of a range of records, prepares the statements and binds their values, each as one request.
    pub(super) async fn bind(&self, range: Range<usize>) -> Result<Vec<Bound<'a>>, Verdict> {
        self.bind_all(plan(self.effects(range), &self.context.targets), false).await
    }

    /// The same with a statement for each effect, in their order.
    pub(super) async fn bind_one_by_one(&self, range: Range<usize>) -> Result<Vec<Bound<'a>>, Verdict> {
        let single = |effect| plan(std::iter::once(effect), &self.context.targets);
        self.bind_all(self.effects(range).flat_map(single).collect(), false).await
    }

    pub(super) fn effects(&self, range: Range<usize>) -> impl Iterator<Item = &'a Effect> + use<'a> {
        let handled: &'a [Handled] = self.write.handled.get(range).unwrap_or_default();
        handled.iter().flat_map(|handled| match fate(handled, None) {
            Fate::Applied(effects) => effects,
            Fate::Skipped(_) | Fate::DeadLettered(_) => &[],
        })
    }

    /// Appends go by COPY where they may and where it pays.
    pub(super) async fn bind_all(
        &self,
        statements: Vec<Planned<'a>>,
        may_copy: bool,
    ) -> Result<Vec<Bound<'a>>, Verdict> {
        let mut bound = Vec::with_capacity(statements.len());
        for statement in statements {
            let Some(table) = self.context.targets.table(statement.target) else { continue };
            let (op, facts) = (statement.op, Arc::clone(&table.facts));
            let count = i64::try_from(statement.len()).unwrap_or(i64::MAX);
            let rows = if may_copy { self.rows(statement, table) } else { Err(statement) };
            let values = match rows {
                Ok(rows) => {
                    let copy = self.prepare_named(&rows.text(table)).await?;
                    Values::Rows { lock: copy::lock(table), copy, rows }
                }
                Err(statement) => self.arrays(&statement, table).await?,
            };
            bound.push(Bound { op, facts, values, count });
        }
        Ok(bound)
    }

    /// A pooler may give each statement another connection, and then a COPY has no name. What did not go well once goes the usual
    /// way.
    fn rows(&self, statement: Planned<'a>, table: &TableTarget) -> Result<copy::Rows<'a>, Planned<'a>> {
        if self.sink.is_pooled() || self.write.attempt > 1 { Err(statement) } else { copy::Rows::of(statement, table) }
    }

    async fn arrays(&self, statement: &Planned<'a>, table: &TableTarget) -> Result<Values<'a>, Verdict> {
        let wires = bind::wires(statement, table);
        let arrays = bind::arrays(statement, &wires);
        let text = self.prepare(&sql::text(statement, table, &wires, Source::Parameters)).await?;
        let has_count = statement.op == Op::Update && table.settings.missing == Missing::Reject;
        let types = wires.into_iter().map(Wire::array_type).chain(has_count.then_some(Type::INT8)).collect();
        Ok(Values::Arrays { text, types, arrays, has_count })
    }

    /// Prepares a text once for each connection; behind a pooler a statement has no name, and there is nothing to prepare.
    pub(super) async fn prepare(&self, text: &str) -> Result<Text, Verdict> {
        if self.sink.is_pooled() {
            return Ok(Text::Plain(text.to_owned()));
        }
        self.prepare_named(text).await.map(Text::Prepared)
    }

    async fn prepare_named(&self, text: &str) -> Result<Statement, Verdict> {
        let prepared = self.client.prepare_cached(text).await.map_err(|error| of_error(&error))?;
        self.signs.answered();
        Ok(prepared)
    }

    /// Adds what sends a statement.
    pub(super) fn requests<'b>(&'b self, statement: &'b Bound<'_>, requests: &mut Vec<Request<'b>>) {
        match &statement.values {
            Values::Rows { lock, copy, rows } => {
                requests.push(Request::new(self.client.batch_execute(lock)));
                requests.push(Request::waiting(async move {
                    statement.look(rows.send(self.client, copy).await?);
                    Ok(())
                }));
            }
            Values::Arrays { text, types, arrays, has_count } => {
                let arrays = arrays.iter().map(|array| &**array as &(dyn ToSql + Sync));
                let count = has_count.then_some(&statement.count as &(dyn ToSql + Sync));
                let params = arrays.chain(count).zip(types.iter().cloned()).collect();
                let written = self.execute(text, params);
                requests.push(Request::new(async move {
                    statement.look(written.await?);
                    Ok(())
                }));
            }
        }
    }

    pub(super) async fn execute(&self, text: &Text, params: Vec<Param<'_>>) -> Result<u64, Error> {
        match text {
            Text::Prepared(prepared) => {
                let values: Vec<&(dyn ToSql + Sync)> = params.into_iter().map(|(value, _)| value).collect();
                self.client.execute(prepared, &values).await
            }
            Text::Plain(text) => self.client.execute_typed(text, &params).await,
        }
    }

    /// A statement whose first parameters name the lane.
    pub(super) fn lane_request<'b>(&'b self, text: &'b Text, more: &[Param<'b>]) -> Request<'b> {
        let LaneKey { source, group, topic, partition } = &self.context.key;
        let lane: [Param<'b>; 4] =
            [(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT), (partition, Type::INT4)];
        let params = lane.into_iter().chain(more.iter().cloned()).collect();
        Request::new(async move { self.execute(text, params).await.map(drop) })
    }

    /// Whether a target has constraints that COMMIT would check: they must speak while their record can be told.
    pub(super) fn has_deferred(&self) -> bool {
        self.deferred().next().is_some()
    }

    pub(super) fn deferred(&self) -> impl Iterator<Item = &str> {
        let targets = &self.context.targets;
        let tables = (0..targets.len()).filter_map(|index| targets.table(index));
        tables.flat_map(|table| table.facts.deferred.iter().map(String::as_str))
    }
}

/// Whose fault the failure of a statement over rows is.
pub(super) fn of_bound(error: &Error, statement: Option<&Bound<'_>>) -> Verdict {
    match (error.as_db_error(), statement) {
        (Some(answer), Some(statement)) => of_statement(&answer.into(), statement.op, &statement.facts),
        _ => of_error(error),
    }
}
