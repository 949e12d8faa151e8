//! Acquiring a partition: the row is locked, the table of positions decides, and the owner epoch goes up by one. It waits
//! for a transaction of an earlier owner that is still running, and fences every later one.

use deadpool_postgres::Object;
use forebay_core::lane::position::{LedgerRow, Question, Resolution, resolve};
use forebay_core::lane::{Acquired, Resend};
use forebay_core::verdict::Verdict;
use postgres_types::Type;
use tokio_postgres::Error;
use tracing::warn;

use crate::ledger::{AcquireRequest, LaneKey};
use crate::named::named;
use crate::position;
use crate::postgres::connection::{Param, Postgres};
use crate::postgres::doubt;
use crate::postgres::verdict::of_error;
use crate::postgres::watch::Signs;

const SELECT: &str = "select next_offset, owner_epoch, owner, cluster_id, topic_id, binding, leader_epoch from forebay.ledger \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 for update";

const TAKE: &str = "update forebay.ledger set owner_epoch = owner_epoch + 1, owner = $5, \
    cluster_id = coalesce($6, cluster_id), topic_id = coalesce($7, topic_id), plugin_digest = $8, updated_at = now() \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 returning owner_epoch";

const MAKE: &str = "insert into forebay.ledger \
    (source, consumer_group, topic, partition, next_offset, owner_epoch, owner, cluster_id, topic_id, plugin_digest, binding) \
    values ($1, $2, $3, $4, $9, 1, $5, $6, $7, $8, $10) on conflict do nothing returning owner_epoch";

const NOTE: &str = "insert into forebay.topic (source, consumer_group, topic, partitions) \
    values ($1, $2, $3, $4) on conflict do nothing";

const SEEN: &str = "select partitions from forebay.topic where source = $1 and consumer_group = $2 and topic = $3";

const OUTBOX: &str = "select from_offset, next_offset, payload from forebay.outbox \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and state = 'pending' order by next_offset";

impl Postgres {
    /// Acquires a partition.
    ///
    /// # Errors
    /// Where the server is away, or the table of positions halts.
    pub async fn acquire(&self, request: &AcquireRequest) -> Result<Acquired, Verdict> {
        let (lease, signs) = (self.lease().await?, Signs::default());
        let acquire = lease.run(async |client: &Object| self.acquire_on(client, &signs, request).await);
        self.watched(&signs, self.deadline(), acquire).await.map_err(|verdict| named(self.name(), verdict))
    }

    async fn acquire_on(&self, client: &Object, signs: &Signs, request: &AcquireRequest) -> Result<Acquired, Verdict> {
        let failed = |error: Error| of_error(&error);
        signs.begin(client, &self.begin()).await.map_err(failed)?;
        let LaneKey { source, group, topic, partition } = &request.key;
        // Whatever the position comes from: how many partitions there were at first is noted once.
        let lane: [Param<'_>; 4] =
            [(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT), (partition, Type::INT4)];
        let topic_of = [lane[0].clone(), lane[1].clone(), lane[2].clone()];
        let noted = [&topic_of[..], &[(&request.partitions, Type::INT4)]].concat();
        client.execute_typed(NOTE, &noted).await.map_err(failed)?;
        let found = client.query_typed_opt(SELECT, &lane).await.map_err(failed)?;
        let row = found.map(|row| LedgerRow {
            next_offset: row.get(0),
            owner_epoch: row.get(1),
            owner: row.get(2),
            cluster_id: row.get(3),
            topic_id: row.get(4),
            binding: row.get(5),
            leader_epoch: row.get(6),
        });
        let Question { cluster_id, topic_id, .. } = &request.question;
        let own: [Param<'_>; 4] = [
            (&request.owner, Type::TEXT),
            (cluster_id, Type::TEXT),
            (topic_id, Type::TEXT),
            (&request.plugin_digest, Type::TEXT),
        ];
        let place = request.question.place();
        let (position, epoch) = match resolve(row.as_ref(), request.group_offset.as_ref(), &request.question) {
            Resolution::Halt(cause) => return Err(Verdict::Misconfigured(cause)),
            Resolution::Resume(position, warning) => {
                if let Some(warning) = warning {
                    warn!(partition = %place, "{warning}");
                }
                let taken = client.query_typed_one(TAKE, &[&lane[..], &own].concat()).await.map_err(failed)?;
                (position, taken.get(0))
            }
            fresh => {
                let position = self.fresh(client, request, &fresh).await?;
                let new: [Param<'_>; 2] = [(&position, Type::INT8), (&request.question.binding, Type::TEXT)];
                let made = client.query_typed_opt(MAKE, &[&lane[..], &own, &new].concat()).await.map_err(failed)?;
                // Somebody made the row in between: look again.
                (position, made.ok_or(Verdict::Fenced)?.get(0))
            }
        };
        let owned = [&lane[..], &[(&request.owner as _, Type::TEXT)]].concat();
        let left = client.query_typed_one(doubt::TAKE, &owned).await.map_err(failed)?;
        let after_death = position::after_death(&request.owner, left.get(0), left.get(1), left.get(2));
        let rows = client.query_typed(OUTBOX, &lane).await.map_err(failed)?;
        client.batch_execute("commit").await.map_err(failed)?;
        let resend = rows.iter().map(resend).collect::<Result<Vec<_>, _>>()?;
        let is_decided = row.as_ref().is_some_and(LedgerRow::is_decided);
        let leader_epoch = row.and_then(|row| row.leader_epoch);
        Ok(Acquired { epoch, position, leader_epoch, is_decided, after_death, resend })
    }

    /// Where a partition without a row starts; what is resolved is written before anything is read.
    async fn fresh(&self, client: &Object, request: &AcquireRequest, resolution: &Resolution) -> Result<i64, Verdict> {
        let LaneKey { source, group, topic, partition: _ } = &request.key;
        if let Resolution::Adopt(_) = resolution {
            return Ok(position::start(request, resolution, 0));
        }
        let topic_of: [Param<'_>; 3] = [(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT)];
        let seen = client.query_typed_one(SEEN, &topic_of).await;
        Ok(position::start(request, resolution, seen.map_err(|error| of_error(&error))?.get(0)))
    }
}

fn resend(row: &tokio_postgres::Row) -> Result<Resend, Verdict> {
    position::resend("forebay.outbox", (row.get(0), row.get(1)), row.get(2))
}
