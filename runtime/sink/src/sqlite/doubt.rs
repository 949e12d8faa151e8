//! Which process has a partition, and which record it had begun when it died.

use forebay_core::verdict::Verdict;
use rusqlite::params;

use crate::ledger::LaneKey;
use crate::named::named;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::of_error;

pub(super) const LEFT: &str = "select running, record, begun from forebay_doubt \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4";

pub(super) const TAKE: &str = "insert into forebay_doubt (source, consumer_group, topic, partition, running) \
    values (?1, ?2, ?3, ?4, ?5) on conflict (source, consumer_group, topic, partition) do update set running = excluded.running";

const BEGIN: &str = "update forebay_doubt set begun = case when record = ?6 then begun + 1 else 1 end, record = ?6 \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and running = ?5";

const CLEAR: &str = "update forebay_doubt set record = null, begun = 0 \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and running = ?5";

const RELEASE: &str = "update forebay_doubt set running = null, record = null, begun = 0 \
    where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 and running = ?5";

impl Sqlite {
    /// Notes the record that the owner begins, none where it goes on without doubt.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn begin_record(&self, key: &LaneKey, owner: &str, record: Option<i64>) -> Result<(), Verdict> {
        let (LaneKey { source, group, topic, partition }, owner) = (key.clone(), owner.to_owned());
        let noted = self.run(Absent::Refuse, move |connection| {
            let noted = match record {
                Some(record) => connection.execute(BEGIN, params![source, group, topic, partition, owner, record]),
                None => connection.execute(CLEAR, params![source, group, topic, partition, owner]),
            };
            noted.map(drop).map_err(|error| of_error(&error))
        });
        noted.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// The owner lets go: whoever comes next has nothing to doubt.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn release(&self, key: &LaneKey, owner: &str) -> Result<(), Verdict> {
        let (LaneKey { source, group, topic, partition }, owner) = (key.clone(), owner.to_owned());
        let released = self.run(Absent::Refuse, move |connection| {
            let values = params![source, group, topic, partition, owner];
            connection.execute(RELEASE, values).map(drop).map_err(|error| of_error(&error))
        });
        released.await.map_err(|verdict| named(self.name(), verdict))
    }
}
