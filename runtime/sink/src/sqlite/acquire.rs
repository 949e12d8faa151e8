//! Acquiring a partition: the table of positions decides, and the owner epoch goes up by one. What an earlier owner still
//! has in the queue of the thread is fenced by it.

use forebay_core::lane::Acquired;
use forebay_core::lane::position::{LedgerRow, Question, Resolution, resolve};
use forebay_core::verdict::Verdict;
use rusqlite::{Connection, Error, OptionalExtension, params};
use tracing::warn;

use crate::ledger::{AcquireRequest, LaneKey};
use crate::named::named;
use crate::position;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::doubt;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::{of_commit, of_error};

const SELECT: &str = "select next_offset, owner_epoch, owner, cluster_id, topic_id, binding, leader_epoch from forebay_ledger \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4";

const TAKE: &str = "update forebay_ledger set owner_epoch = owner_epoch + 1, owner = ?5, \
    cluster_id = coalesce(?6, cluster_id), topic_id = coalesce(?7, topic_id), plugin_digest = ?8, \
    updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00' \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 returning owner_epoch";

const MAKE: &str = "insert into forebay_ledger \
    (source, consumer_group, topic, partition, next_offset, owner_epoch, owner, cluster_id, topic_id, plugin_digest, binding) \
    values (?1, ?2, ?3, ?4, ?9, 1, ?5, ?6, ?7, ?8, ?10) returning owner_epoch";

const NOTE: &str = "insert into forebay_topic (source, consumer_group, topic, partitions) \
    values (?1, ?2, ?3, ?4) on conflict do nothing";

const SEEN: &str = "select partitions from forebay_topic where source = ?1 and consumer_group = ?2 and topic = ?3";

const OUTBOX: &str = "select from_offset, next_offset, payload from forebay_outbox \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and state = 'pending' order by next_offset";

impl Sqlite {
    /// Acquires a partition.
    ///
    /// # Errors
    /// Where the file is away, or the table of positions halts.
    pub async fn acquire(&self, request: &AcquireRequest) -> Result<Acquired, Verdict> {
        let request = request.clone();
        let acquired = self.run(Absent::Refuse, move |connection| acquire(connection, &request)).await;
        acquired.map_err(|verdict| named(self.name(), verdict))
    }
}

fn acquire(connection: &Connection, request: &AcquireRequest) -> Result<Acquired, Verdict> {
    let failed = |error: Error| of_error(&error);
    connection.execute_batch("begin immediate").map_err(failed)?;
    let LaneKey { source, group, topic, partition } = &request.key;
    // Whatever the position comes from: how many partitions there were at first is noted once.
    connection.execute(NOTE, params![source, group, topic, request.partitions]).map_err(failed)?;
    let found = connection.query_row(SELECT, params![source, group, topic, partition], ledger_row).optional();
    let row = found.map_err(failed)?;
    let Question { cluster_id, topic_id, binding, .. } = &request.question;
    let (owner, digest) = (&request.owner, &request.plugin_digest);
    let (position, epoch) = match resolve(row.as_ref(), request.group_offset.as_ref(), &request.question) {
        Resolution::Halt(cause) => return Err(Verdict::Misconfigured(cause)),
        Resolution::Resume(position, warning) => {
            if let Some(warning) = warning {
                warn!(partition = %request.question.place(), "{warning}");
            }
            let values = params![source, group, topic, partition, owner, cluster_id, topic_id, digest];
            (position, connection.query_row(TAKE, values, |row| row.get(0)).map_err(failed)?)
        }
        fresh => {
            let seen = connection.query_row(SEEN, params![source, group, topic], |row| row.get(0)).map_err(failed)?;
            let position = position::start(request, &fresh, seen);
            let values =
                params![source, group, topic, partition, owner, cluster_id, topic_id, digest, position, binding];
            (position, connection.query_row(MAKE, values, |row| row.get(0)).map_err(failed)?)
        }
    };
    let left = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let left = connection.query_row(doubt::LEFT, params![source, group, topic, partition], left).optional();
    let (running, record, begun): (Option<String>, _, _) = left.map_err(failed)?.unwrap_or_default();
    connection.execute(doubt::TAKE, params![source, group, topic, partition, owner]).map_err(failed)?;
    let after_death = position::after_death(owner, running, record, begun);
    let mut pending = connection.prepare_cached(OUTBOX).map_err(failed)?;
    let pending = pending.query_map(params![source, group, topic, partition], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get::<_, Vec<u8>>(2)?))
    });
    let pending: Vec<((i64, i64), Vec<u8>)> =
        pending.and_then(|rows| rows.collect::<Result<_, _>>()).map_err(failed)?;
    connection.execute_batch("commit").map_err(|error| of_commit(&error))?;
    let resend = pending.iter().map(|(range, payload)| position::resend("forebay_outbox", *range, payload));
    let is_decided = row.as_ref().is_some_and(LedgerRow::is_decided);
    let leader_epoch = row.and_then(|row| row.leader_epoch);
    Ok(Acquired {
        epoch,
        position,
        leader_epoch,
        is_decided,
        after_death,
        resend: resend.collect::<Result<Vec<_>, _>>()?,
    })
}

fn ledger_row(row: &rusqlite::Row<'_>) -> Result<LedgerRow, Error> {
    Ok(LedgerRow {
        next_offset: row.get(0)?,
        owner_epoch: row.get(1)?,
        owner: row.get(2)?,
        cluster_id: row.get(3)?,
        topic_id: row.get(4)?,
        binding: row.get(5)?,
        leader_epoch: row.get(6)?,
    })
}
