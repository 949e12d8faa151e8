//! The search for guilty records by a function in the server: one round trip for a piece, however many are guilty.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use forebay_core::fault::Fault;
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::{Statement as Planned, plan};
use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::Verdict;
use postgres_types::ToSql;
use tokio_postgres::{Error, Row};
use tracing::debug;

use crate::postgres::bind::{self, Pool, Wire};
use crate::postgres::connection::Param;
use crate::postgres::flush::{self, Request};
use crate::postgres::function::{Function, Shape, parameter_types};
use crate::postgres::isolate::Savepoint;
use crate::postgres::sql::{self, Source};
use crate::postgres::verdict::{Answer, of_answer, of_error, of_statement};
use crate::postgres::write::{Text, Transaction, warn_of_missing};

/// Records planned one by one, and the function that knows their statements.
pub(super) struct RowByRow<'a> {
    function: Arc<Function>,
    /// The function's call, once the connection has the function.
    call: Option<Text>,
    /// The steps of each record, in order.
    steps: Vec<Step<'a>>,
    /// What each of the function's statements is about.
    kinds: HashMap<usize, Kind>,
}

struct Step<'a> {
    record: usize,
    /// The number of its statement in the function.
    shape: usize,
    statement: Planned<'a>,
}

struct Kind {
    op: Op,
    facts: Arc<TableFacts>,
    wires: Vec<Wire>,
}

/// What the function found in a range.
pub(super) struct Found {
    /// The first record that was not looked at: the range's end, or behind a refused record that may have to wait.
    pub(super) next: usize,
    pub(super) refused: BTreeMap<usize, Fault>,
}

impl<'a> Transaction<'a> {
    /// Plans a range record by record; `None` where the server can not have the function.
    pub(super) fn row_by_row(&self, range: Range<usize>) -> Option<RowByRow<'a>> {
        if self.sink.functions().is_refused() {
            return None;
        }
        let targets = &self.context.targets;
        let planned: Vec<(usize, Planned<'a>)> = range
            .flat_map(|record| {
                let statements = plan(self.effects(record..record + 1), targets);
                statements.into_iter().map(move |statement| (record, statement))
            })
            .collect();
        // A column travels in one way only, as in a bulk statement: or there would be a shape for each combination.
        let mut wires: HashMap<(usize, Op, &[usize]), Vec<Wire>> = HashMap::new();
        for (_, statement) in &planned {
            let own = bind::wires(statement, targets.table(statement.target)?);
            let all = wires.entry((statement.target, statement.op, &statement.columns)).or_insert_with(|| own.clone());
            all.iter_mut().zip(own).filter(|(all, own)| **all != *own).for_each(|(all, _)| *all = Wire::Text);
        }
        let (mut numbers, mut shapes, mut kinds) = (HashMap::new(), Vec::new(), Vec::new());
        let mut shape_of = Vec::with_capacity(planned.len());
        for (_, statement) in &planned {
            let (target, op) = (statement.target, statement.op);
            let table = targets.table(target)?;
            let wires = wires.get(&(target, op, statement.columns.as_slice()))?;
            let source = if statement.len() == 1 { Source::Row } else { Source::Rows };
            let number = *numbers.entry((target, op, &statement.columns, source)).or_insert_with(|| {
                let text = sql::text(statement, table, wires, source);
                shapes.push(Shape { text, op, wires: wires.clone() });
                kinds.push(Kind { op, facts: table.facts.clone(), wires: wires.clone() });
                shapes.len() - 1
            });
            shape_of.push(number);
        }
        let deferred: Vec<&str> = self.deferred().collect();
        let (function, known) = self.sink.functions().learn(&shapes, &deferred.join(", "))?;
        let shape_of: Vec<usize> = shape_of.into_iter().filter_map(|number| known.get(number).copied()).collect();
        let kinds = known.into_iter().zip(kinds).collect();
        let steps = planned.into_iter().zip(shape_of);
        let steps = steps.map(|((record, statement), shape)| Step { record, shape, statement }).collect();
        Some(RowByRow { function, call: None, steps, kinds })
    }

    /// Makes the function where the connection does not have it: what a connection has prepared is there. To be called
    /// outside of a transaction, or behind a pooler inside of one, which may be on any backend.
    pub(super) async fn make_function(&self, rows: &mut RowByRow<'a>) -> Result<(), Verdict> {
        let Function { create, call } = &*rows.function;
        if self.sink.is_pooled() {
            let mut savepoint = Savepoint::default();
            let requests: Vec<Request<'_>> = vec![
                Request::new(self.client.batch_execute(savepoint.set())),
                Request::new(self.client.batch_execute(create)),
                Request::new(self.client.batch_execute("release savepoint piece")),
            ];
            match flush::in_order(requests, self.signs).await {
                Ok(()) => rows.call = Some(Text::Plain(call.clone())),
                Err((_, error)) => {
                    self.sink.functions().refused(self.sink.name(), &error)?;
                    self.undo(&mut savepoint).await?;
                }
            }
            return Ok(());
        }
        let prepared = match self.client.prepare_cached(call).await {
            Ok(prepared) => Ok(prepared),
            Err(error) if error.as_db_error().is_none() => return Err(of_error(&error)),
            Err(_) => match self.client.batch_execute(create).await {
                Ok(()) => self.client.prepare_cached(call).await,
                Err(error) => Err(error),
            },
        };
        self.signs.answered();
        match prepared {
            Ok(prepared) => rows.call = Some(Text::Prepared(prepared)),
            Err(error) => self.sink.functions().refused(self.sink.name(), &error)?,
        }
        Ok(())
    }

    /// Applies the records of a range one by one. It ends behind a refused record that may have to wait. `None` if something
    /// else than a row was refused, and then nothing stays.
    pub(super) async fn call(
        &self,
        rows: &RowByRow<'a>,
        range: Range<usize>,
        savepoint: &mut Savepoint,
    ) -> Result<Option<Found>, Verdict> {
        let Some(call) = &rows.call else { return Ok(None) };
        let steps = rows.within(&range);
        if steps.is_empty() {
            return Ok(Some(Found { next: range.end, refused: BTreeMap::new() }));
        }
        let arguments = Arguments::new(rows, steps);
        let may_wait = self.context.retry.attempts.get() > 1;
        let params = arguments.params(&may_wait);
        let answer = OnceLock::new();
        let requests: Vec<Request<'_>> = vec![
            Request::new(self.client.batch_execute(savepoint.set())),
            Request::new(async {
                let _once = answer.set(self.query(call, &params).await?);
                Ok(())
            }),
        ];
        if let Err((_, error)) = flush::in_order(requests, self.signs).await {
            return match of_error(&error) {
                // Whose fault it is, the record alone will show.
                Verdict::Record(_) | Verdict::Misconfigured(_) => self.undo(savepoint).await.map(|()| None),
                verdict => Err(verdict),
            };
        }
        let found = rows.found(answer.get().map(Vec::as_slice).unwrap_or_default(), range.end)?;
        let (records, refused) = (found.next - range.start, found.refused.len());
        debug!(sink = self.sink.name(), records, refused, "searched record by record");
        Ok(Some(found))
    }

    async fn query(&self, text: &Text, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        match text {
            Text::Prepared(prepared) => {
                let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
                self.client.query(prepared, &values).await
            }
            Text::Plain(text) => self.client.query_typed(text, params).await,
        }
    }
}

impl<'a> RowByRow<'a> {
    /// Whether the connection has the function.
    pub(super) fn is_made(&self) -> bool {
        self.call.is_some()
    }

    fn within(&self, range: &Range<usize>) -> &[Step<'a>] {
        let start = self.steps.partition_point(|step| step.record < range.start);
        let end = self.steps.partition_point(|step| step.record < range.end);
        self.steps.get(start..end).unwrap_or_default()
    }

    /// Reads what the function noted.
    ///
    /// # Errors
    /// Where it noted what is no record's fault.
    fn found(&self, noted: &[Row], end: usize) -> Result<Found, Verdict> {
        let mut found = Found { next: end, refused: BTreeMap::new() };
        let mut missing: BTreeMap<usize, i64> = BTreeMap::new();
        for row in noted {
            let at = row.get::<_, Option<i32>>(0).and_then(|at| usize::try_from(at).ok());
            let shape = row.get::<_, Option<i32>>(1);
            let kind = shape.and_then(|shape| self.kinds.get(&usize::try_from(shape).ok()?));
            let text = |column: usize| row.get::<_, Option<&str>>(column).filter(|text| !text.is_empty());
            match (at, shape, text(3)) {
                (at, None, _) => found.next = at.unwrap_or(end),
                (_, Some(shape), None) => {
                    *missing.entry(usize::try_from(shape).unwrap_or_default()).or_default() +=
                        row.get::<_, Option<i64>>(2).unwrap_or_default();
                }
                (at, Some(_), Some(code)) => {
                    let message = text(4).unwrap_or_default();
                    let [schema, table, column, constraint, datatype] = [5, 6, 7, 8, 9].map(text);
                    let answer = Answer { code, message, schema, table, column, constraint, datatype, routine: None };
                    let verdict = match kind {
                        Some(kind) => of_statement(&answer, kind.op, &kind.facts),
                        None => of_answer(&answer, None),
                    };
                    match (at, verdict) {
                        (Some(at), Verdict::Record(fault)) => _ = found.refused.insert(at, fault),
                        (_, verdict) => return Err(verdict),
                    }
                }
            }
        }
        for (kind, missing) in missing.iter().filter_map(|(shape, missing)| Some((self.kinds.get(shape)?, missing))) {
            warn_of_missing(&kind.facts, *missing);
        }
        Ok(found)
    }
}

/// The function's arguments for some steps.
#[derive(Default)]
struct Arguments<'a> {
    records: Vec<i32>,
    shapes: Vec<i32>,
    counts: Vec<i32>,
    /// Where each step's values start, in the order of [`Wire::ALL`].
    starts: [Vec<i32>; 6],
    values: Pool<'a>,
}

impl<'a> Arguments<'a> {
    fn new(rows: &RowByRow<'a>, steps: &[Step<'a>]) -> Self {
        let mut arguments = Self::default();
        for Step { record, shape, statement } in steps {
            let Some(kind) = rows.kinds.get(shape) else { continue };
            arguments.records.push(number(*record));
            arguments.shapes.push(number(*shape));
            arguments.counts.push(number(statement.len()));
            // The server counts from one.
            let lengths = arguments.values.lengths();
            arguments.starts.iter_mut().zip(lengths).for_each(|(starts, length)| starts.push(number(length + 1)));
            arguments.values.add(statement, &kind.wires);
        }
        arguments
    }

    fn params<'b>(&'b self, may_wait: &'b bool) -> Vec<Param<'b>> {
        let steps = [&self.records, &self.shapes, &self.counts];
        let starts = steps.into_iter().chain(&self.starts).map(|places| places as &(dyn ToSql + Sync));
        starts.chain(self.values.arrays()).chain([may_wait as _]).zip(parameter_types()).collect()
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
