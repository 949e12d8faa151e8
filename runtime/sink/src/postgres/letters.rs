//! Letters whose value is kept, in PostgreSQL.

use bytes::Bytes;
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::Verdict;
use postgres_types::Type;

use crate::kept::{ROWS_MAX, find};
use crate::ledger::LaneKey;
use crate::postgres::connection::{Param, Postgres};

/// One at a time: a row may be as large as a batch.
const NEXT: &str = "select next_offset, payload from forebay.outbox where source = $1 and consumer_group = $2 \
    and topic = $3 and partition = $4 and state = 'kept' and next_offset > $5 order by next_offset limit 1";

impl Postgres {
    /// Returns the letter of the record at `offset` that was too large for its topic, `None` where none is kept.
    ///
    /// # Errors
    /// Where the server is away, or has no ledger.
    pub async fn kept_letter(&self, key: &LaneKey, offset: i64, id: &str) -> Result<Option<Outgoing>, Verdict> {
        let LaneKey { source, group, topic, partition } = key;
        let mut after = offset;
        for _ in 0..ROWS_MAX {
            let params: [Param<'_>; 5] = [
                (source, Type::TEXT),
                (group, Type::TEXT),
                (topic, Type::TEXT),
                (partition, Type::INT4),
                (&after, Type::INT8),
            ];
            let rows = self.query(NEXT, &params).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let (next, payload): (i64, &[u8]) = (row.get(0), row.get(1));
            if let Some(letter) = find(&Bytes::copy_from_slice(payload), id) {
                return Ok(Some(letter));
            }
            after = next;
        }
        Ok(None)
    }
}
