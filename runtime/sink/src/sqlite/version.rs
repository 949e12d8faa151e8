//! Which version of a plugin wrote from where on, in a SQLite file.

use forebay_core::verdict::Verdict;
use rusqlite::{Connection, Error, params};

use crate::sqlite::connection::Sqlite;
use crate::sqlite::verdict::of_error;
use crate::version::VersionAt;

/// Notes the version that writes, unless it is the one that wrote before.
pub(super) const NOTE: &str = "insert into forebay_version \
    (source, consumer_group, topic, partition, from_offset, plugin, digest) select ?1, ?2, ?3, ?4, ?5, ?6, ?7 \
    where not exists (select 1 from (select v.plugin, v.digest from forebay_version v where v.source = ?1 \
      and v.consumer_group = ?2 and v.topic = ?3 and v.partition = ?4 order by v.id desc limit 1) last \
      where last.plugin = ?6 and last.digest = ?7)";

const VERSIONS: &str = "select topic, partition, from_offset, plugin, digest, since \
    from forebay_version where source = ?1 and consumer_group = ?2 order by topic, partition, id";

/// A ledger that an older build made has no such table yet.
const EXISTS: &str = "select count(*) from sqlite_schema where type = 'table' and name = 'forebay_version'";

impl Sqlite {
    /// Returns which versions wrote a group's partitions, in the order in which they did.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn versions(&self, source: &str, group: &str) -> Result<Vec<VersionAt>, Verdict> {
        let (source, group) = (source.to_owned(), group.to_owned());
        self.look(move |connection| rows(connection, &source, &group).map_err(|error| of_error(&error))).await
    }
}

fn rows(connection: &Connection, source: &str, group: &str) -> Result<Vec<VersionAt>, Error> {
    if connection.query_row(EXISTS, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(VERSIONS)?;
    let rows = statement.query_map(params![source, group], |row| {
        Ok(VersionAt {
            topic: row.get(0)?,
            partition: row.get(1)?,
            from: row.get(2)?,
            plugin: row.get(3)?,
            digest: row.get(4)?,
            since: row.get(5)?,
        })
    })?;
    rows.collect()
}
