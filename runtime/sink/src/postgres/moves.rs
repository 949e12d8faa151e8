//! Positions for people, in PostgreSQL.

use deadpool_postgres::Object;
use forebay_core::lane::position::{DECIDED, LedgerRow};
use forebay_core::verdict::Verdict;
use postgres_types::Type;
use tokio_postgres::Error;

use crate::ledger::LaneKey;
use crate::moves::{Move, PositionRow};
use crate::named::named;
use crate::postgres::connection::{Param, Postgres};
use crate::postgres::verdict::of_error;
use crate::postgres::watch::Signs;

const ROWS: &str = "select l.topic, l.partition, l.next_offset, l.owner_epoch, l.owner, l.cluster_id, l.topic_id, l.binding, \
    l.plugin_digest, to_char(l.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
    (select count(*) from forebay.outbox o where o.source = l.source and o.consumer_group = l.consumer_group \
       and o.topic = l.topic and o.partition = l.partition and o.state = 'pending'), l.leader_epoch \
    from forebay.ledger l where l.source = $1 and l.consumer_group = $2 order by l.topic, l.partition";

/// Waits for a transaction of the owner's that is under way, and fences every later one.
const MOVE: &str = "insert into forebay.ledger \
    (source, consumer_group, topic, partition, next_offset, owner_epoch, owner, cluster_id, topic_id, binding) \
    values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9) \
    on conflict (source, consumer_group, topic, partition) do update set next_offset = excluded.next_offset, \
    owner_epoch = ledger.owner_epoch + 1, owner = excluded.owner, cluster_id = excluded.cluster_id, \
    topic_id = excluded.topic_id, leader_epoch = null, binding = excluded.binding, updated_at = now() \
    returning owner_epoch";

const NOTE: &str = "insert into forebay.topic (source, consumer_group, topic, partitions) \
    values ($1, $2, $3, $4) on conflict do nothing";

/// Only where nobody took it up meanwhile.
const FOLLOWED: &str = "update forebay.ledger set owner = $6 \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and owner = $5";

const DECIDED_ROWS: &str = "select topic, partition from forebay.ledger \
    where source = $1 and consumer_group = $2 and starts_with(owner, $3)";

impl Postgres {
    /// Returns every row of a group.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn positions(&self, source: &str, group: &str) -> Result<Vec<PositionRow>, Verdict> {
        let rows = self.query(ROWS, &[(&source, Type::TEXT), (&group, Type::TEXT)]).await?;
        let row = |row: &tokio_postgres::Row| PositionRow {
            topic: row.get(0),
            partition: row.get(1),
            row: LedgerRow {
                next_offset: row.get(2),
                leader_epoch: row.get(11),
                owner_epoch: row.get(3),
                owner: row.get(4),
                cluster_id: row.get(5),
                topic_id: row.get(6),
                binding: row.get(7),
            },
            plugin_digest: row.get(8),
            updated_at: row.get(9),
            pending: row.get(10),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Moves partitions, all of them or none, and returns their owner epochs in the same order.
    ///
    /// # Errors
    /// Where the server is away, or an owner's transaction lasts too long.
    pub async fn move_positions(&self, moves: &[Move]) -> Result<Vec<i64>, Verdict> {
        let (lease, signs) = (self.lease().await?, Signs::default());
        let moved = lease.run(async |client: &Object| self.move_on(client, &signs, moves).await);
        self.watched(&signs, self.deadline(), moved).await.map_err(|verdict| named(self.name(), verdict))
    }

    async fn move_on(&self, client: &Object, signs: &Signs, moves: &[Move]) -> Result<Vec<i64>, Verdict> {
        let failed = |error: Error| of_error(&error);
        signs.begin(client, &self.begin()).await.map_err(failed)?;
        let mut epochs = Vec::with_capacity(moves.len());
        for one in moves {
            let Move { key, to, binding, cluster_id, topic_id, partitions, .. } = one;
            let LaneKey { source, group, topic, partition } = key;
            client
                .execute_typed(
                    NOTE,
                    &[(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT), (partitions, Type::INT4)],
                )
                .await
                .map_err(failed)?;
            let owner = one.owner();
            let params: [Param<'_>; 9] = [
                (source, Type::TEXT),
                (group, Type::TEXT),
                (topic, Type::TEXT),
                (partition, Type::INT4),
                (to, Type::INT8),
                (&owner, Type::TEXT),
                (cluster_id, Type::TEXT),
                (topic_id, Type::TEXT),
                (binding, Type::TEXT),
            ];
            epochs.push(client.query_typed_one(MOVE, &params).await.map_err(failed)?.get(0));
        }
        client.batch_execute("commit").await.map_err(failed)?;
        Ok(epochs)
    }

    /// Notes that the group's offset has followed a move: from now on the group has its say again.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn followed(&self, one: &Move) -> Result<(), Verdict> {
        let LaneKey { source, group, topic, partition } = &one.key;
        let (before, after) = (one.owner(), one.followed());
        let params: [Param<'_>; 6] = [
            (source, Type::TEXT),
            (group, Type::TEXT),
            (topic, Type::TEXT),
            (partition, Type::INT4),
            (&before, Type::TEXT),
            (&after, Type::TEXT),
        ];
        self.query(FOLLOWED, &params).await.map(drop)
    }

    /// Returns the partitions of a group that a person has moved and nobody has taken up yet.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn decided(&self, source: &str, group: &str) -> Result<Vec<(String, i32)>, Verdict> {
        let params: [Param<'_>; 3] = [(&source, Type::TEXT), (&group, Type::TEXT), (&DECIDED, Type::TEXT)];
        let rows = self.query(DECIDED_ROWS, &params).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
