//! Which process has a partition, and which record it had begun when it died: what a record that takes the process down
//! leaves behind.

use forebay_core::verdict::Verdict;
use postgres_types::Type;

use crate::ledger::LaneKey;
use crate::postgres::connection::{Param, Postgres};

/// Puts the new owner in, and returns what the one before left: nothing if it let go.
pub(super) const TAKE: &str = "with before as (select running, record, begun from forebay.doubt \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4) \
    insert into forebay.doubt (source, consumer_group, topic, partition, running) values ($1, $2, $3, $4, $5) \
    on conflict (source, consumer_group, topic, partition) do update set running = excluded.running \
    returning (select running from before), (select record from before), (select begun from before)";

/// The mark has to outlive this process, not the server: nobody waits for its disk.
const BEGIN: &str = "with fast as materialized (select set_config('synchronous_commit', 'off', true)) \
    update forebay.doubt set begun = case when record = $6 then begun + 1 else 1 end, record = $6 from fast \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and running = $5";

const CLEAR: &str = "update forebay.doubt set record = null, begun = 0 \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and running = $5";

const RELEASE: &str = "update forebay.doubt set running = null, record = null, begun = 0 \
    where source = $1 and consumer_group = $2 and topic = $3 and partition = $4 and running = $5";

impl Postgres {
    /// Notes the record that the owner begins, none where it goes on without doubt.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn begin_record(&self, key: &LaneKey, owner: &str, record: Option<i64>) -> Result<(), Verdict> {
        let lane = lane(key, &owner);
        match &record {
            Some(record) => self.query(BEGIN, &[&lane[..], &[(record as _, Type::INT8)]].concat()).await,
            None => self.query(CLEAR, &lane).await,
        }
        .map(drop)
    }

    /// The owner lets go: whoever comes next has nothing to doubt.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn release(&self, key: &LaneKey, owner: &str) -> Result<(), Verdict> {
        let lane = lane(key, &owner);
        self.query(RELEASE, &lane).await.map(drop)
    }
}

fn lane<'a>(key: &'a LaneKey, owner: &'a &str) -> [Param<'a>; 5] {
    let LaneKey { source, group, topic, partition } = key;
    [(source, Type::TEXT), (group, Type::TEXT), (topic, Type::TEXT), (partition, Type::INT4), (owner, Type::TEXT)]
}
