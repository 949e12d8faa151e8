//! The memory of dead letters that were sent through the handler again, and what they decided.

use forebay_core::verdict::Verdict;
use postgres_types::Type;

use crate::ledger::LaneKey;
use crate::position;
use crate::postgres::connection::{Param, Postgres};
use crate::redriven::Unsent;

/// Refuses a letter that was redriven already: the transaction ends without an effect.
pub(super) const REMEMBER: &str = "insert into forebay.redriven (id, binding) values ($1, $2)";

const KNOWN: &str = "select id from forebay.redriven where id = any($1)";

const REMEMBER_ALL: &str =
    "insert into forebay.redriven (id, binding) select unnest($1::text[]), $2 on conflict do nothing";

const UNSENT: &str = "select topic, partition, from_offset, next_offset, payload from forebay.outbox \
    where source = $1 and consumer_group = $2 and state = 'pending' order by topic, partition, next_offset";

const SENT: &str = "delete from forebay.outbox where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 \
    and next_offset = $5 and state = 'pending'";

const KEEP: &str = "update forebay.outbox set state = 'kept' where source = $1 and consumer_group = $2 and topic = $3 \
    and partition = $4 and next_offset = $5 and state = 'pending'";

impl Postgres {
    /// Returns which of these letters were redriven already.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn redriven(&self, ids: &[String]) -> Result<Vec<String>, Verdict> {
        Ok(self.query(KNOWN, &[(&ids, Type::TEXT_ARRAY)]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Remembers letters that went back to their topic.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn remember(&self, ids: &[String], binding: &str) -> Result<(), Verdict> {
        self.query(REMEMBER_ALL, &[(&ids, Type::TEXT_ARRAY), (&binding, Type::TEXT)]).await.map(drop)
    }

    /// Returns what letters have decided and nobody has sent: a run was cut short.
    ///
    /// # Errors
    /// Where the server is away, or a row can not be read.
    pub async fn unsent(&self, source: &str, group: &str) -> Result<Vec<Unsent>, Verdict> {
        let rows = self.query(UNSENT, &[(&source, Type::TEXT), (&group, Type::TEXT)]).await?;
        rows.iter()
            .map(|row| {
                let (from, next, payload): (i64, i64, Vec<u8>) = (row.get(2), row.get(3), row.get(4));
                let messages = position::resend("forebay.outbox", (from, next), &payload)?.messages;
                let (source, group) = (source.to_owned(), group.to_owned());
                let key = LaneKey { source, group, topic: row.get(0), partition: row.get(1) };
                Ok(Unsent { key, next, messages })
            })
            .collect()
    }

    /// Removes what Kafka has acknowledged.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn sent(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        self.settle(SENT, key, next).await
    }

    /// Keeps what its topic does not take.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn keep(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        self.settle(KEEP, key, next).await
    }

    async fn settle(&self, sql: &str, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        let LaneKey { source, group, topic, partition } = key;
        let params: [Param<'_>; 5] = [
            (source, Type::TEXT),
            (group, Type::TEXT),
            (topic, Type::TEXT),
            (partition, Type::INT4),
            (&next, Type::INT8),
        ];
        self.query(sql, &params).await.map(drop)
    }
}
