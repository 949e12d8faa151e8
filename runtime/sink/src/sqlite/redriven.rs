//! The memory of dead letters that were sent through the handler again, and what they decided.

use forebay_core::verdict::Verdict;
use rusqlite::{OptionalExtension as _, params};

use crate::ledger::LaneKey;
use crate::named::named;
use crate::position;
use crate::redriven::Unsent;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::{of_commit, of_error};

/// Refuses a letter that was redriven already: no row is written then.
pub(super) const REMEMBER: &str = "insert into forebay_redriven (id, binding) values (?1, ?2) on conflict do nothing";

const KNOWN: &str = "select 1 from forebay_redriven where id = ?1";

const UNSENT: &str = "select topic, partition, from_offset, next_offset, payload from forebay_outbox \
    where source = ?1 and consumer_group = ?2 and state = 'pending' order by topic, partition, next_offset";

const SENT: &str = "delete from forebay_outbox where source = ?1 and consumer_group = ?2 and topic = ?3 and partition = ?4 \
    and next_offset = ?5 and state = 'pending'";

const KEEP: &str = "update forebay_outbox set state = 'kept' where source = ?1 and consumer_group = ?2 and topic = ?3 \
    and partition = ?4 and next_offset = ?5 and state = 'pending'";

impl Sqlite {
    /// Returns which of these letters were redriven already.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn redriven(&self, ids: &[String]) -> Result<Vec<String>, Verdict> {
        let ids = ids.to_vec();
        let known = self.run(Absent::Refuse, move |connection| {
            let mut known = Vec::new();
            let mut statement = connection.prepare_cached(KNOWN).map_err(|error| of_error(&error))?;
            for id in ids {
                let found = statement.query_row([&id], |_| Ok(())).optional().map_err(|error| of_error(&error))?;
                known.extend(found.map(|()| id));
            }
            Ok(known)
        });
        known.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// Remembers letters that went back to their topic.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn remember(&self, ids: &[String], binding: &str) -> Result<(), Verdict> {
        let (ids, binding) = (ids.to_vec(), binding.to_owned());
        let remembered = self.run(Absent::Refuse, move |connection| {
            connection.execute_batch("begin immediate").map_err(|error| of_error(&error))?;
            for id in &ids {
                connection.execute(REMEMBER, params![id, binding]).map_err(|error| of_error(&error))?;
            }
            connection.execute_batch("commit").map_err(|error| of_commit(&error))
        });
        remembered.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// Returns what letters have decided and nobody has sent: a run was cut short.
    ///
    /// # Errors
    /// Where the file is away, or a row can not be read.
    pub async fn unsent(&self, source: &str, group: &str) -> Result<Vec<Unsent>, Verdict> {
        let (source, group) = (source.to_owned(), group.to_owned());
        let unsent = self.run(Absent::Refuse, move |connection| {
            let mut statement = connection.prepare(UNSENT).map_err(|error| of_error(&error))?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            let rows = statement.query_map(params![source, group], read).map_err(|error| of_error(&error))?;
            let mut unsent = Vec::new();
            for row in rows {
                let (topic, partition, from, next, payload): (String, i32, i64, i64, Vec<u8>) =
                    row.map_err(|error| of_error(&error))?;
                let messages = position::resend("forebay_outbox", (from, next), &payload)?.messages;
                let key = LaneKey { source: source.clone(), group: group.clone(), topic, partition };
                unsent.push(Unsent { key, next, messages });
            }
            Ok(unsent)
        });
        unsent.await.map_err(|verdict| named(self.name(), verdict))
    }

    /// Removes what Kafka has acknowledged.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn sent(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        self.settle(SENT, key, next).await
    }

    /// Keeps what its topic does not take.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn keep(&self, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        self.settle(KEEP, key, next).await
    }

    async fn settle(&self, sql: &'static str, key: &LaneKey, next: i64) -> Result<(), Verdict> {
        let LaneKey { source, group, topic, partition } = key.clone();
        let removed = self.run(Absent::Refuse, move |connection| {
            let removed = connection.execute(sql, params![source, group, topic, partition, next]);
            removed.map(drop).map_err(|error| of_error(&error))
        });
        removed.await.map_err(|verdict| named(self.name(), verdict))
    }
}
