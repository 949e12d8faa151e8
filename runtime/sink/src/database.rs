//! A sink's database: whichever kind it is, it answers the same questions.

use std::collections::BTreeMap;

use forebay_core::lane::{Acquired, Write};
use forebay_core::manifest::settings::{Sink, SinkKind, Table};
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::{Cause, Verdict};
use jiff::Timestamp;

use crate::committed::{Committed, WriteContext};
use crate::ledger::{AcquireRequest, LaneKey};
use crate::moves::{Move, PositionRow};
use crate::postgres::{self, Postgres};
use crate::redriven::Unsent;
use crate::sqlite::{self, Sqlite};
use crate::statement::Dialect;
use crate::table::TableReport;
use crate::version::VersionAt;
use crate::wanted::{BindingKey, Wanted, Wish};

/// Why a sink can not be used as the manifest describes it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSink(String);

/// One sink. Clones share it.
#[derive(Debug, Clone)]
pub enum Database {
    /// A PostgreSQL server.
    Postgres(Postgres),
    /// A SQLite file.
    Sqlite(Sqlite),
}

impl Database {
    /// Returns the sink; opens nothing yet.
    ///
    /// # Errors
    /// Where its settings can not be used.
    pub fn new(sink: &Sink) -> Result<Self, InvalidSink> {
        let invalid = |error: postgres::InvalidUrl| InvalidSink(error.to_string());
        match &sink.kind {
            SinkKind::Postgres => Postgres::new(sink).map(Self::Postgres).map_err(invalid),
            SinkKind::Sqlite(path) => Ok(Self::Sqlite(Sqlite::new(&sink.name, path, sink.timeouts.lock))),
        }
    }

    /// Returns the sink's name in the manifest.
    pub fn name(&self) -> &str {
        match self {
            Self::Postgres(postgres) => postgres.name(),
            Self::Sqlite(sqlite) => sqlite.name(),
        }
    }

    /// Returns what the status calls this kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// Returns how statements for people are written.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Returns the statements that make the ledger in a database of this kind.
    pub fn ddl(kind: &SinkKind) -> &'static str {
        match kind {
            SinkKind::Postgres => postgres::DDL,
            SinkKind::Sqlite(_) => sqlite::DDL,
        }
    }

    /// Reads what the database says of a target's table.
    ///
    /// # Errors
    /// Where the database is away, or there is no such table.
    pub async fn table(&self, table: &Table) -> Result<TableReport, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.table(table).await,
            Self::Sqlite(sqlite) => sqlite.table(table).await,
        }
    }

    /// Says what stands in the way of using the ledger in this database, nothing if `run` will use or make it.
    ///
    /// # Errors
    /// Where the database is away, or the ledger is of a newer version.
    pub async fn ledger_faults(&self) -> Result<Vec<Cause>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.ledger_faults().await,
            Self::Sqlite(sqlite) => sqlite.ledger_faults().await,
        }
    }

    /// Makes the ledger's schema.
    ///
    /// # Errors
    /// Where the database is away or does not allow it.
    pub async fn init(&self) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.init().await,
            Self::Sqlite(sqlite) => sqlite.init().await,
        }
    }

    /// Returns the id of the ledger in this database; makes the ledger if it is missing.
    ///
    /// # Errors
    /// Where the database is away, the ledger can not be made, or is of a newer version.
    pub async fn ledger_id(&self) -> Result<String, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.ledger_id().await,
            Self::Sqlite(sqlite) => sqlite.ledger_id().await,
        }
    }

    /// Returns the id of the ledger in this database, `None` if there is no ledger yet.
    ///
    /// # Errors
    /// Where the database is away, or the ledger is of a newer version.
    pub async fn find_ledger(&self) -> Result<Option<String>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.find_ledger().await,
            Self::Sqlite(sqlite) => sqlite.find_ledger().await,
        }
    }

    /// Acquires a partition.
    ///
    /// # Errors
    /// Where the database is away, or the table of positions halts.
    pub async fn acquire(&self, request: &AcquireRequest) -> Result<Acquired, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.acquire(request).await,
            Self::Sqlite(sqlite) => sqlite.acquire(request).await,
        }
    }

    /// Writes a batch: all of it, or up to where it must stop.
    ///
    /// # Errors
    /// Where nothing was written, or nobody knows.
    pub async fn write(&self, context: &WriteContext, write: &Write, now: Timestamp) -> Result<Committed, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.write(context, write, now).await,
            Self::Sqlite(sqlite) => sqlite.write(context, write, now).await,
        }
    }

    /// Returns every row of a group.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn positions(&self, source: &str, group: &str) -> Result<Vec<PositionRow>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.positions(source, group).await,
            Self::Sqlite(sqlite) => sqlite.positions(source, group).await,
        }
    }

    /// Returns which versions of plugins wrote a group's partitions, in the order in which they did.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn versions(&self, source: &str, group: &str) -> Result<Vec<VersionAt>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.versions(source, group).await,
            Self::Sqlite(sqlite) => sqlite.versions(source, group).await,
        }
    }

    /// Moves partitions, all of them or none, and returns their owner epochs in the same order.
    ///
    /// # Errors
    /// Where the database is away, or an owner's transaction lasts too long.
    pub async fn move_positions(&self, moves: &[Move]) -> Result<Vec<i64>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.move_positions(moves).await,
            Self::Sqlite(sqlite) => sqlite.move_positions(moves).await,
        }
    }

    /// Notes that the group's offset has followed a move: from now on the group has its say again.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn followed(&self, one: &Move) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.followed(one).await,
            Self::Sqlite(sqlite) => sqlite.followed(one).await,
        }
    }

    /// Returns what is wanted of the bindings of a group; those of which nothing is wanted are not in it.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn wanted(&self, source: &str, group: &str) -> Result<BTreeMap<String, Wanted>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.wanted(source, group).await,
            Self::Sqlite(sqlite) => sqlite.wanted(source, group).await,
        }
    }

    /// Notes the record that a partition's owner begins, none where it goes on without doubt.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn begin_record(&self, key: &LaneKey, owner: &str, record: Option<i64>) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.begin_record(key, owner, record).await,
            Self::Sqlite(sqlite) => sqlite.begin_record(key, owner, record).await,
        }
    }

    /// A partition's owner lets go: whoever comes next has nothing to doubt.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn release(&self, key: &LaneKey, owner: &str) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.release(key, owner).await,
            Self::Sqlite(sqlite) => sqlite.release(key, owner).await,
        }
    }

    /// Returns which of these letters were redriven already.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn redriven(&self, ids: &[String]) -> Result<Vec<String>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.redriven(ids).await,
            Self::Sqlite(sqlite) => sqlite.redriven(ids).await,
        }
    }

    /// Remembers letters that went back to their topic.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn remember(&self, ids: &[String], binding: &str) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.remember(ids, binding).await,
            Self::Sqlite(sqlite) => sqlite.remember(ids, binding).await,
        }
    }

    /// Returns what redriven letters have decided and nobody has sent.
    ///
    /// # Errors
    /// Where the database is away, or a row can not be read.
    pub async fn unsent(&self, source: &str, group: &str) -> Result<Vec<Unsent>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.unsent(source, group).await,
            Self::Sqlite(sqlite) => sqlite.unsent(source, group).await,
        }
    }

    /// Removes what Kafka has acknowledged of it.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn sent(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.sent(key, next).await,
            Self::Sqlite(sqlite) => sqlite.sent(key, next).await,
        }
    }

    /// Keeps what of it its topic does not take.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn keep(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.keep(key, next).await,
            Self::Sqlite(sqlite) => sqlite.keep(key, next).await,
        }
    }

    /// Changes what is wanted of a binding, or of one of its partitions.
    ///
    /// # Errors
    /// Where the database is away, or another process has the file.
    pub async fn wish(&self, key: &BindingKey, partition: Option<i32>, wish: &Wish) -> Result<(), Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.wish(key, partition, wish).await,
            Self::Sqlite(sqlite) => sqlite.wish(key, partition, wish).await,
        }
    }

    /// Returns the partitions of a group that a person has moved and nobody has taken up yet.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn decided(&self, source: &str, group: &str) -> Result<Vec<(String, i32)>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.decided(source, group).await,
            // Nobody can move anything in a file that this process has.
            Self::Sqlite(_) => Ok(Vec::new()),
        }
    }

    /// Returns the letter of the record at `offset` that was too large for its topic, `None` where none is kept.
    ///
    /// # Errors
    /// Where the database is away, or has no ledger.
    pub async fn kept_letter(&self, key: &LaneKey, offset: i64, id: &str) -> Result<Option<Outgoing>, Verdict> {
        match self {
            Self::Postgres(postgres) => postgres.kept_letter(key, offset, id).await,
            Self::Sqlite(sqlite) => sqlite.kept_letter(key, offset, id).await,
        }
    }
}
