//! Which version of a plugin wrote from where on, in PostgreSQL.

use forebay_core::verdict::Verdict;
use postgres_types::Type;

use crate::postgres::connection::Postgres;
use crate::version::VersionAt;

/// Notes the version that writes, unless it is the one that wrote before.
pub(super) const NOTE: &str = "insert into forebay.version \
    (source, consumer_group, topic, partition, from_offset, plugin, digest) select $1, $2, $3, $4, $5, $6, $7 \
    where not exists (select 1 from (select v.plugin, v.digest from forebay.version v where v.source = $1 \
      and v.consumer_group = $2 and v.topic = $3 and v.partition = $4 order by v.id desc limit 1) last \
      where last.plugin = $6 and last.digest = $7)";

const VERSIONS: &str = "select topic, partition, from_offset, plugin, digest, \
    to_char(since at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
    from forebay.version where source = $1 and consumer_group = $2 order by topic, partition, id";

impl Postgres {
    /// Returns which versions wrote a group's partitions, in the order in which they did.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn versions(&self, source: &str, group: &str) -> Result<Vec<VersionAt>, Verdict> {
        // A ledger that an older build made has no such table yet.
        let exists = self.query("select to_regclass('forebay.version') is not null", &[]).await?;
        if !exists.iter().any(|row| row.get(0)) {
            return Ok(Vec::new());
        }
        let rows = self.query(VERSIONS, &[(&source, Type::TEXT), (&group, Type::TEXT)]).await?;
        let version = |row: &tokio_postgres::Row| VersionAt {
            topic: row.get(0),
            partition: row.get(1),
            from: row.get(2),
            plugin: row.get(3),
            digest: row.get(4),
            since: row.get(5),
        };
        Ok(rows.iter().map(version).collect())
    }
}
