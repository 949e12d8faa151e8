//! Several lanes' batches in one transaction: where little is to be written, BEGIN, COMMIT and the server's flush to disk cost
//! more than the rows.

use std::sync::Arc;

use deadpool_postgres::Object;
use forebay_core::lane::{Judgement, Write};
use forebay_core::plan::statement::plan;
use forebay_core::verdict::Verdict;
use jiff::Timestamp;
use postgres_types::Type;
use tracing::debug;

use crate::committed::{Committed, WriteContext, unrefused};
use crate::failpoint;
use crate::named::named;
use crate::postgres::connection::{Param, Postgres};
use crate::postgres::flush::{self, Request};
use crate::postgres::part::Part;
use crate::postgres::verdict::of_error;
use crate::postgres::watch::Signs;
use crate::postgres::write::{Ending, Transaction};

/// Each lane's own compare-and-set; the server says no where one of them moves nothing.
const MOVE: &str = "with moved as (update forebay.ledger l set next_offset = v.next_offset, leader_epoch = v.leader_epoch, \
    plugin_digest = v.digest, updated_at = now() \
    from unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::int8[], $6::int8[], $7::int8[], $8::int4[], $9::text[]) \
      as v(source, consumer_group, topic, partition, epoch, expected, next_offset, leader_epoch, digest) \
    where l.source = v.source and l.consumer_group = v.consumer_group and l.topic = v.topic and l.partition = v.partition \
      and l.owner_epoch = v.epoch and l.next_offset = v.expected \
    returning 1) select 1 / (count(*) / $10::int8) from moved";

/// The positions of several lanes, a column in each list.
struct Moves<'a> {
    sources: Vec<&'a str>,
    groups: Vec<&'a str>,
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    epochs: Vec<i64>,
    expected: Vec<i64>,
    positions: Vec<i64>,
    leader_epochs: Vec<Option<i32>>,
    digests: Vec<&'a str>,
    count: i64,
}

impl<'a> Moves<'a> {
    fn of(parts: &[Part<'_>], lanes: &'a [Transaction<'_>]) -> Self {
        let keys = || lanes.iter().map(|lane| &lane.context.key);
        Self {
            sources: keys().map(|key| &*key.source).collect(),
            groups: keys().map(|key| &*key.group).collect(),
            topics: keys().map(|key| &*key.topic).collect(),
            partitions: keys().map(|key| key.partition).collect(),
            epochs: lanes.iter().map(|lane| lane.write.epoch).collect(),
            expected: lanes.iter().map(|lane| lane.write.expected).collect(),
            positions: parts.iter().map(|part| *part.position()).collect(),
            leader_epochs: lanes.iter().map(|lane| lane.write.leader_epoch).collect(),
            digests: lanes.iter().map(|lane| &*lane.context.origin.digest).collect(),
            count: i64::try_from(lanes.len()).unwrap_or(i64::MAX),
        }
    }

    fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.sources, Type::TEXT_ARRAY),
            (&self.groups, Type::TEXT_ARRAY),
            (&self.topics, Type::TEXT_ARRAY),
            (&self.partitions, Type::INT4_ARRAY),
            (&self.epochs, Type::INT8_ARRAY),
            (&self.expected, Type::INT8_ARRAY),
            (&self.positions, Type::INT8_ARRAY),
            (&self.leader_epochs, Type::INT4_ARRAY),
            (&self.digests, Type::TEXT_ARRAY),
            (&self.count, Type::INT8),
        ]
    }
}

impl Postgres {
    /// Writes several lanes' batches, each as if alone, in one transaction. Where any of them can not be written nothing is, and
    /// the answer is none: each has to go by itself, so that one holds or fails no other.
    ///
    /// # Errors
    /// Where nobody knows what was written, or the database can not be reached: that holds for all of them.
    pub async fn write_joined(
        &self,
        batches: &[(&WriteContext, &Write)],
        now: Timestamp,
    ) -> Result<Option<Vec<Committed>>, Verdict> {
        let (lease, signs) = (self.lease().await?, Signs::default());
        failpoint::pass("before-write");
        let transaction = async |client: &Object| {
            let lanes: Vec<Transaction<'_>> = batches
                .iter()
                .map(|(context, write)| Transaction { sink: self, client, signs: &signs, context, write, now })
                .collect();
            run(self, client, &signs, &lanes).await
        };
        let result = self.watched(&signs, self.deadline() * 4, lease.run(transaction)).await;
        failpoint::pass("after-write");
        match result {
            Err(Verdict::Unknown(why)) => Err(Verdict::Unknown(why)),
            other => other.map_err(|verdict| named(self.name(), verdict)),
        }
    }
}

async fn run(
    sink: &Postgres,
    client: &Object,
    signs: &Signs,
    lanes: &[Transaction<'_>],
) -> Result<Option<Vec<Committed>>, Verdict> {
    let Some(first) = lanes.first() else { return Ok(Some(Vec::new())) };
    let judgements: Vec<Judgement> = lanes.iter().map(|lane| unrefused(lane.context, lane.write)).collect();
    // Between lanes no order is promised: their rows are planned as those of one batch.
    let is_alike = lanes.iter().all(|lane| Arc::ptr_eq(&lane.context.targets, &first.context.targets));
    let mut all = Vec::new();
    if is_alike {
        let both = lanes.iter().zip(&judgements);
        let effects = both.flat_map(|(lane, judgement)| lane.effects(lane.write.from..judgement.done));
        all = first.bind_all(plan(effects, &first.context.targets), true).await?;
    }
    let mut parts = Vec::with_capacity(lanes.len());
    for (lane, judgement) in lanes.iter().zip(judgements) {
        let own = lane.write.from..if is_alike { lane.write.from } else { judgement.done };
        let bound = lane.bind(own).await?;
        parts.push(lane.part(Ending { judgement, refused: Default::default(), is_begun: false }, bound).await?);
    }
    let moves = Moves::of(&parts, lanes);
    let (moving, begin) = (first.prepare(MOVE).await?, sink.begin());
    let mut requests: Vec<Request<'_>> = vec![Request::new(signs.begin(client, &begin))];
    all.iter().for_each(|statement| first.requests(statement, &mut requests));
    for (part, lane) in parts.iter().zip(lanes) {
        part.requests(lane, &mut requests);
    }
    let moved = first.execute(&moving, moves.params());
    requests.push(Request::new(async move { moved.await.map(drop) }));
    failpoint::pass("before-commit");
    requests.push(Request::new(client.batch_execute("commit")));
    match flush::in_order(requests, signs).await {
        Ok(()) => {}
        // The server's answer: nothing is committed, and whose fault it was shows when each goes alone.
        Err((_, error)) if error.as_db_error().is_some() => {
            debug!(lanes = lanes.len(), %error, "lanes that had joined part again");
            client.batch_execute("rollback").await.map_err(|error| of_error(&error))?;
            signs.answered();
            return Ok(None);
        }
        Err((_, error)) => return Err(of_error(&error)),
    }
    failpoint::pass("after-commit");
    Ok(Some(parts.into_iter().map(Part::committed).collect()))
}
