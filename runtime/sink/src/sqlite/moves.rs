//! Positions for people, in a SQLite file. While a process has the file, they can be looked at and not moved.

use forebay_core::lane::position::LedgerRow;
use forebay_core::verdict::Verdict;
use rusqlite::{Connection, Error, params};

use crate::ledger::LaneKey;
use crate::moves::{Move, PositionRow};
use crate::named::named;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::{of_commit, of_error};

const ROWS: &str = "select l.topic, l.partition, l.next_offset, l.owner_epoch, l.owner, l.cluster_id, l.topic_id, l.binding, \
    l.plugin_digest, l.updated_at, \
    (select count(*) from forebay_outbox o where o.source = l.source and o.consumer_group = l.consumer_group \
       and o.topic = l.topic and o.partition = l.partition and o.state = 'pending'), l.leader_epoch \
    from forebay_ledger l where l.source = ?1 and l.consumer_group = ?2 order by l.topic, l.partition";

const MOVE: &str = "insert into forebay_ledger \
    (source, consumer_group, topic, partition, next_offset, owner_epoch, owner, cluster_id, topic_id, binding) \
    values (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9) \
    on conflict (source, consumer_group, topic, partition) do update set next_offset = excluded.next_offset, \
    owner_epoch = owner_epoch + 1, owner = excluded.owner, cluster_id = excluded.cluster_id, \
    topic_id = excluded.topic_id, leader_epoch = null, binding = excluded.binding, \
    updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00' returning owner_epoch";

const NOTE: &str = "insert into forebay_topic (source, consumer_group, topic, partitions) \
    values (?1, ?2, ?3, ?4) on conflict do nothing";

const FOLLOWED: &str = "update forebay_ledger set owner = ?6 \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and owner = ?5";

impl Sqlite {
    /// Returns every row of a group.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn positions(&self, source: &str, group: &str) -> Result<Vec<PositionRow>, Verdict> {
        let (source, group) = (source.to_owned(), group.to_owned());
        self.look(move |connection| rows(connection, &source, &group).map_err(|error| of_error(&error))).await
    }

    /// Moves partitions, all of them or none, and returns their owner epochs in the same order.
    ///
    /// # Errors
    /// Where the file is away, or a process has it.
    pub async fn move_positions(&self, moves: &[Move]) -> Result<Vec<i64>, Verdict> {
        let moves = moves.to_vec();
        let moved = self.run(Absent::Refuse, move |connection| {
            let failed = |error: Error| of_error(&error);
            connection.execute_batch("begin immediate").map_err(failed)?;
            let epochs = moves.iter().map(|one| move_one(connection, one)).collect::<Result<Vec<i64>, Error>>();
            let epochs = epochs.map_err(failed)?;
            connection.execute_batch("commit").map_err(|error| of_commit(&error))?;
            Ok(epochs)
        });
        moved.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// Notes that the group's offset has followed a move: from now on the group has its say again.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn followed(&self, one: &Move) -> Result<(), Verdict> {
        let one = one.clone();
        let noted = self.run(Absent::Refuse, move |connection| {
            let LaneKey { source, group, topic, partition } = &one.key;
            let values = params![source, group, topic, partition, one.owner(), one.followed()];
            connection.execute(FOLLOWED, values).map(drop).map_err(|error| of_error(&error))
        });
        noted.await.map_err(|verdict| named(self.name(), verdict))
    }
}

fn rows(connection: &Connection, source: &str, group: &str) -> Result<Vec<PositionRow>, Error> {
    let mut statement = connection.prepare(ROWS)?;
    let rows = statement.query_map(params![source, group], |row| {
        Ok(PositionRow {
            topic: row.get(0)?,
            partition: row.get(1)?,
            row: LedgerRow {
                next_offset: row.get(2)?,
                leader_epoch: row.get(11)?,
                owner_epoch: row.get(3)?,
                owner: row.get(4)?,
                cluster_id: row.get(5)?,
                topic_id: row.get(6)?,
                binding: row.get(7)?,
            },
            plugin_digest: row.get(8)?,
            updated_at: row.get(9)?,
            pending: row.get(10)?,
        })
    })?;
    rows.collect()
}

fn move_one(connection: &Connection, one: &Move) -> Result<i64, Error> {
    let Move { key, to, binding, cluster_id, topic_id, partitions, .. } = one;
    let LaneKey { source, group, topic, partition } = key;
    connection.execute(NOTE, params![source, group, topic, partitions])?;
    let values = params![source, group, topic, partition, to, one.owner(), cluster_id, topic_id, binding];
    connection.query_row(MOVE, values, |row| row.get(0))
}
