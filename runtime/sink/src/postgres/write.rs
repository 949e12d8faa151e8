//! One transaction: rows, outbox and position, in one flush from BEGIN to COMMIT. The compare-and-set on the ledger
//! raises in the server when it moves no row, so that a zombie's rows can not slip through between the two.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use deadpool_postgres::Object;
use forebay_core::fault::Fault;
use forebay_core::lane::{Fate, Judgement, Write, fate};
use forebay_core::manifest::settings::Missing;
use forebay_core::outbox;
use forebay_core::outcome::{Effect, Handled};
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::{Statement as Planned, plan};
use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::Verdict;
use jiff::Timestamp;
use postgres_types::{ToSql, Type};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Statement};
use tracing::warn;

use crate::committed::{Committed, WriteContext, count, outgoing, still_pending, unrefused};
use crate::failpoint;
use crate::ledger::LaneKey;
use crate::named::named;
use crate::postgres::bind::{self, Array, Wire};
use crate::postgres::connection::{Param, Postgres};
use crate::postgres::flush::{self, Request};
use crate::postgres::redriven::REMEMBER;
use crate::postgres::sql::{self, Source};
use crate::postgres::verdict::{of_error, of_statement};
use crate::postgres::version;
use crate::postgres::watch::Signs;
use crate::redriven::Redriven;

/// SQLSTATE of a division by zero: how this adapter's own statements say no.
const DIVISION_BY_ZERO: &str = "22012";

const MOVE: &str = "with moved as (update forebay.ledger set next_offset = $7, leader_epoch = $8, \
    plugin_digest = $9, updated_at = now() \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and owner_epoch = $5 and next_offset = $6 \
    returning 1) select 1 / count(*) from moved";

const DECIDED: &str = "insert into forebay.outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload) values ($1, $2, $3, $4, $5, $6, $7)";

const KEPT: &str = "insert into forebay.outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload, state) \
    values ($1, $2, $3, $4, $5, $5, $6, 'kept') on conflict do nothing";

const SETTLED: &str = "delete from forebay.outbox where source = $1 and consumer_group = $2 and topic = $3 \
    and partition = $4 and next_offset = any($5) and state = 'pending'";

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
    now: Timestamp,
}

/// A statement with its values bound.
pub(super) struct Bound<'a> {
    op: Op,
    facts: Arc<TableFacts>,
    text: Text,
    types: Vec<Type>,
    arrays: Vec<Array<'a>>,
    /// How many rows an update must change.
    count: i64,
    has_count: bool,
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
struct Ending {
    judgement: Judgement,
    refused: BTreeMap<usize, Fault>,
    is_begun: bool,
}

impl<'a> Transaction<'a> {
    async fn run(&self) -> Result<Committed, Verdict> {
        let judgement = unrefused(self.context, self.write);
        let done = judgement.done;
        let bound = self.bind(self.write.from..done).await?;
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
        let Ending { judgement, refused, is_begun } = ending;
        let (done, position) = (judgement.done, judgement.position);
        let Write { expected, epoch, leader_epoch, settled, .. } = self.write;
        let rows = count(self.context, self.write, done, &refused);
        let outgoing = outgoing(self.context, self.write, self.now, done, &refused);
        let payload = outbox::encode(&outgoing);
        let kept: Vec<(i64, Vec<u8>)> =
            settled.kept.iter().map(|(next, letters)| (*next, outbox::encode(letters))).collect();
        let [moves, decided, keeps, settles] = [
            self.prepare(if self.context.redriven.is_some() { REMEMBER } else { MOVE }).await?,
            self.prepare(DECIDED).await?,
            self.prepare(KEPT).await?,
            self.prepare(SETTLED).await?,
        ];
        let noted = self.noted(done).await?;
        let (begin, digest) = (self.sink.begin(), &self.context.origin.digest);
        let mut requests: Vec<Request<'_>> = Vec::with_capacity(bound.len() + 6);
        if !is_begun {
            requests.push(Box::pin(self.signs.begin(self.client, &begin)));
        }
        let first_row = requests.len();
        requests.extend(bound.iter().map(|statement| self.request(statement)));
        let after_rows = requests.len();
        if self.has_deferred() {
            requests.push(Box::pin(self.client.batch_execute("set constraints all immediate")));
        }
        for (next, payload) in &kept {
            requests.push(self.lane_request(&keeps, &[(next, Type::INT8), (payload, Type::BYTEA)]));
        }
        if !settled.rows.is_empty() {
            requests.push(self.lane_request(&settles, &[(&settled.rows, Type::INT8_ARRAY)]));
        }
        let decided_at = requests.len();
        if !outgoing.is_empty() {
            let row = [(expected as _, Type::INT8), (&position as _, Type::INT8), (&payload as _, Type::BYTEA)];
            requests.push(self.lane_request(&decided, &row));
        }
        let plugin = &self.context.origin.plugin;
        let version = [(expected as _, Type::INT8), (plugin as _, Type::TEXT), (digest as _, Type::TEXT)];
        requests.extend(noted.as_ref().map(|noted| self.lane_request(noted, &version)));
        let moves_at = requests.len();
        let moved: [Param<'_>; 5] = [
            (epoch, Type::INT8),
            (expected, Type::INT8),
            (&position, Type::INT8),
            (leader_epoch, Type::INT4),
            (digest, Type::TEXT),
        ];
        requests.push(self.move_request(&moves, &moved));
        failpoint::pass("before-commit");
        requests.push(Box::pin(self.client.batch_execute("commit")));
        match flush::in_order(requests, self.signs).await {
            Ok(()) => {}
            Err((at, error)) if at == moves_at && (is_no(&error) || is_known(&error)) => return Err(Verdict::Fenced),
            Err((at, error)) if at == decided_at && error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(still_pending());
            }
            Err((at, error)) if (first_row..after_rows).contains(&at) => {
                return Err(of_bound(&error, bound.get(at - first_row)));
            }
            Err((_, error)) => return Err(of_error(&error)),
        }
        failpoint::pass("after-commit");
        Ok(Committed::new(judgement, outgoing, refused, rows))
    }

    /// Returns the statement that notes which version writes, where another one may have written before.
    async fn noted(&self, done: usize) -> Result<Option<Text>, Verdict> {
        match self.context.notes_version && done > self.write.from {
            true => self.prepare(version::NOTE).await.map(Some),
            false => Ok(None),
        }
    }

    /// Moves the position; a dead letter that is redriven is remembered instead.
    fn move_request<'b>(&'b self, moves: &'b Text, moved: &[Param<'b>]) -> Request<'b> {
        match &self.context.redriven {
            None => self.lane_request(moves, moved),
            Some(Redriven { id, binding, .. }) => {
                let remembered = self.execute(moves, vec![(id, Type::TEXT), (binding, Type::TEXT)]);
                Box::pin(async move { remembered.await.map(drop) })
            }
        }
    }

    /// Plans the effects of a range of records, prepares the statements and binds their values.
    pub(super) async fn bind(&self, range: Range<usize>) -> Result<Vec<Bound<'a>>, Verdict> {
        self.bind_all(plan(self.effects(range), &self.context.targets)).await
    }

    /// The same with a statement for each effect, in their order.
    pub(super) async fn bind_one_by_one(&self, range: Range<usize>) -> Result<Vec<Bound<'a>>, Verdict> {
        let single = |effect| plan(std::iter::once(effect), &self.context.targets);
        self.bind_all(self.effects(range).flat_map(single).collect()).await
    }

    pub(super) fn effects(&self, range: Range<usize>) -> impl Iterator<Item = &'a Effect> + use<'a> {
        let handled: &'a [Handled] = self.write.handled.get(range).unwrap_or_default();
        handled.iter().flat_map(|handled| match fate(handled, None) {
            Fate::Applied(effects) => effects,
            Fate::Skipped(_) | Fate::DeadLettered(_) => &[],
        })
    }

    async fn bind_all(&self, statements: Vec<Planned<'a>>) -> Result<Vec<Bound<'a>>, Verdict> {
        let mut bound = Vec::with_capacity(statements.len());
        for statement in statements {
            let Some(table) = self.context.targets.table(statement.target) else { continue };
            let wires = bind::wires(&statement, table);
            let arrays = bind::arrays(&statement, &wires);
            let text = self.prepare(&sql::text(&statement, table, &wires, Source::Parameters)).await?;
            let has_count = statement.op == Op::Update && table.settings.missing == Missing::Reject;
            let count = i64::try_from(statement.len()).unwrap_or(i64::MAX);
            let facts = table.facts.clone();
            let types = wires.into_iter().map(Wire::array_type).chain(has_count.then_some(Type::INT8)).collect();
            bound.push(Bound { op: statement.op, facts, text, types, arrays, count, has_count });
        }
        Ok(bound)
    }

    /// Prepares a text once for each connection; behind a pooler a statement has no name, and there is nothing to prepare.
    async fn prepare(&self, text: &str) -> Result<Text, Verdict> {
        if self.sink.is_pooled() {
            return Ok(Text::Plain(text.to_owned()));
        }
        let prepared = self.client.prepare_cached(text).await.map_err(|error| of_error(&error))?;
        self.signs.answered();
        Ok(Text::Prepared(prepared))
    }

    pub(super) fn request<'b>(&'b self, statement: &'b Bound<'_>) -> Request<'b> {
        let arrays = statement.arrays.iter().map(|array| &**array as &(dyn ToSql + Sync));
        let count = statement.has_count.then_some(&statement.count as &(dyn ToSql + Sync));
        let params = arrays.chain(count).zip(statement.types.iter().cloned()).collect();
        let written = self.execute(&statement.text, params);
        Box::pin(async move {
            statement.look(written.await?);
            Ok(())
        })
    }

    async fn execute(&self, text: &Text, params: Vec<Param<'_>>) -> Result<u64, Error> {
        match text {
            Text::Prepared(prepared) => {
                let values: Vec<&(dyn ToSql + Sync)> = params.into_iter().map(|(value, _)| value).collect();
                self.client.execute(prepared, &values).await
            }
            Text::Plain(text) => self.client.execute_typed(text, &params).await,
        }
    }

    /// A statement whose first parameters name the lane.
    fn lane_request<'b>(&'b self, text: &'b Text, more: &[Param<'b>]) -> Request<'b> {
        let LaneKey { source, group, topic, partition } = &self.context.key;
        let lane: [Param<'b>; 4] =
            [(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT), (partition, Type::INT4)];
        let params = lane.into_iter().chain(more.iter().cloned()).collect();
        Box::pin(async move { self.execute(text, params).await.map(drop) })
    }

    /// Whether a target has constraints that COMMIT would check: they must speak while their record can be told.
    fn has_deferred(&self) -> bool {
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

/// Whether a letter was redriven before.
fn is_known(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

fn is_no(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code() == DIVISION_BY_ZERO)
}
