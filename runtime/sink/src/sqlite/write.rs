//! One transaction: rows, outbox and position. The compare-and-set on the ledger must move one row, or nothing is written.

use std::collections::BTreeMap;
use std::ops::Range;

use forebay_core::fault::{Class, Fault};
use forebay_core::lane::{Fate, Judgement, Write, fate};
use forebay_core::manifest::settings::Missing;
use forebay_core::outbox;
use forebay_core::outcome::{Effect, Handled};
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::{Statement, plan};
use forebay_core::verdict::Verdict;
use jiff::Timestamp;
use rusqlite::{ToSql, params};
use tracing::warn;

use crate::committed::{Committed, WriteContext, count, outgoing, still_pending, unrefused};
use crate::failpoint;
use crate::ledger::LaneKey;
use crate::named::named;
use crate::redriven::Redriven;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::{Absent, Connection};
use crate::sqlite::redriven::REMEMBER;
use crate::sqlite::verdict::{of_commit, of_error, of_row};
use crate::sqlite::{bind, sql, version};

const MOVE: &str = "update forebay_ledger set next_offset = ?7, leader_epoch = ?8, \
    plugin_digest = ?9, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00' \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and owner_epoch = ?5 and next_offset = ?6";

const DECIDED: &str = "insert into forebay_outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const KEPT: &str = "insert into forebay_outbox \
    (source, consumer_group, topic, partition, from_offset, next_offset, payload, state) \
    values (?1, ?2, ?3, ?4, ?5, ?5, ?6, 'kept') on conflict do nothing";

const SETTLED: &str = "delete from forebay_outbox where source = ?1 and consumer_group = ?2 and topic = ?3 \
    and partition = ?4 and next_offset = ?5 and state = 'pending'";

impl Sqlite {
    /// Writes a batch: all of it, or up to where it must stop.
    ///
    /// # Errors
    /// Where nothing was written, or nobody knows.
    pub async fn write(&self, context: &WriteContext, write: &Write, now: Timestamp) -> Result<Committed, Verdict> {
        failpoint::pass("before-write");
        let (context, write) = (context.clone(), write.clone());
        let written = self.run(Absent::Refuse, move |connection| {
            connection.start_watch().map_err(|error| of_error(&error))?;
            Transaction { connection, context: &context, write: &write, now }.run()
        });
        let result = written.await;
        failpoint::pass("after-write");
        match result {
            Err(Verdict::Unknown(why)) => Err(Verdict::Unknown(why)),
            other => other.map_err(|verdict| named(self.name(), verdict)),
        }
    }
}

/// A transaction under way.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) context: &'a WriteContext,
    pub(super) write: &'a Write,
    now: Timestamp,
}

impl<'a> Transaction<'a> {
    fn run(&self) -> Result<Committed, Verdict> {
        let judgement = unrefused(self.context, self.write);
        self.execute("begin immediate")?;
        match self.apply(self.write.from..judgement.done) {
            Ok(()) => self.end(judgement, BTreeMap::new()),
            Err(Verdict::Record(_)) if !self.context.is_guarded() => {
                self.undo_all()?;
                self.execute("begin immediate")?;
                failpoint::pass("in-isolation");
                let (judgement, refused) = self.isolate()?;
                self.end(judgement, refused)
            }
            Err(verdict) => Err(verdict),
        }
    }

    /// Undoes the rows; a trigger may have done so already.
    fn undo_all(&self) -> Result<(), Verdict> {
        if let Some(watch) = &self.connection.watch {
            watch.undo(0);
        }
        if self.connection.is_autocommit() { Ok(()) } else { self.execute("rollback") }
    }

    /// The end of the transaction: outbox, position, COMMIT.
    fn end(&self, judgement: Judgement, refused: BTreeMap<usize, Fault>) -> Result<Committed, Verdict> {
        let (done, position) = (judgement.done, judgement.position);
        let Write { expected, epoch, leader_epoch, settled, .. } = self.write;
        let rows = count(self.context, self.write, done, &refused);
        let outgoing = outgoing(self.context, self.write, self.now, done, &refused);
        for (next, letters) in &settled.kept {
            self.lane_statement(KEPT, params![next, outbox::encode(letters)])?;
        }
        for next in &settled.rows {
            self.lane_statement(SETTLED, params![next])?;
        }
        if !outgoing.is_empty() {
            let decided = self.lane_statement(DECIDED, params![expected, position, outbox::encode(&outgoing)]);
            decided.map_err(|verdict| match verdict {
                Verdict::Record(_) => still_pending(),
                other => other,
            })?;
        }
        let (plugin, digest) = (&self.context.origin.plugin, &self.context.origin.digest);
        if self.context.notes_version && done > self.write.from {
            self.lane_statement(version::NOTE, params![expected, plugin, digest])?;
        }
        let moved = match &self.context.redriven {
            None => self.lane_statement(MOVE, params![epoch, expected, position, leader_epoch, digest])?,
            Some(Redriven { id, binding, .. }) => {
                let remembered = self.connection.execute(REMEMBER, params![id, binding]);
                remembered.map_err(|error| of_error(&error))?
            }
        };
        if moved != 1 {
            return Err(Verdict::Fenced);
        }
        failpoint::pass("before-commit");
        self.connection.execute_batch("commit").map_err(|error| of_commit(&error))?;
        failpoint::pass("after-commit");
        let mut committed = Committed::new(judgement, outgoing, refused, rows);
        if let Some(watch) = &self.connection.watch {
            committed.changes = watch.take();
        }
        Ok(committed)
    }

    /// Plans the effects of a range of records and applies them.
    pub(super) fn apply(&self, range: Range<usize>) -> Result<(), Verdict> {
        let statements = plan(self.effects(range), &self.context.targets);
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn effects(&self, range: Range<usize>) -> impl Iterator<Item = &'a Effect> + use<'a> {
        let handled: &'a [Handled] = self.write.handled.get(range).unwrap_or_default();
        handled.iter().flat_map(|handled| match fate(handled, None) {
            Fate::Applied(effects) => effects,
            Fate::Skipped(_) | Fate::DeadLettered(_) => &[],
        })
    }

    fn statement(&self, statement: &Statement<'_>) -> Result<(), Verdict> {
        let Some(table) = self.context.targets.table(statement.target) else { return Ok(()) };
        let text = sql::text(statement, table);
        let mut prepared = self.connection.prepare_cached(&text).map_err(|error| of_error(&error))?;
        let mut written = 0;
        for at in 0..statement.len() {
            bind::row(&mut prepared, statement, at, table)?;
            let changed = prepared.raw_execute().map_err(|error| of_row(&error, &table.facts))?;
            if changed == 0 && statement.op == Op::Update && table.settings.missing == Missing::Reject {
                let (code, message) = ("missing-row".to_owned(), "`update` of a row that is not there".to_owned());
                let site = table.facts.sql_name.clone();
                return Err(Verdict::Record(Fault { class: Class::Data, code, message, site }));
            }
            written += changed;
        }
        // A trigger may take a row away without a word; the handler's row is then nowhere.
        if statement.op == Op::Insert && written < statement.len() {
            let (table, given) = (&table.facts.sql_name, statement.len());
            warn!(table, given, written, "fewer rows were inserted than given: a trigger of the table took them away");
        }
        Ok(())
    }

    /// A statement whose first parameters name the lane.
    fn lane_statement(&self, text: &str, more: &[&dyn ToSql]) -> Result<usize, Verdict> {
        let LaneKey { source, group, topic, partition } = &self.context.key;
        let lane: [&dyn ToSql; 4] = [source, group, topic, partition];
        let params: Vec<&dyn ToSql> = lane.into_iter().chain(more.iter().copied()).collect();
        let mut prepared = self.connection.prepare_cached(text).map_err(|error| of_error(&error))?;
        prepared.execute(params.as_slice()).map_err(|error| of_error(&error))
    }

    pub(super) fn execute(&self, text: &str) -> Result<(), Verdict> {
        self.connection.execute_batch(text).map_err(|error| of_error(&error))
    }
}
