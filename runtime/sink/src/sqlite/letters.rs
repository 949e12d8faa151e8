//! Letters whose value is kept, in a SQLite file.

use bytes::Bytes;
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::Verdict;
use rusqlite::{Connection, Error, OptionalExtension as _, params};

use crate::kept::{ROWS_MAX, find};
use crate::ledger::LaneKey;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::verdict::of_error;

/// One at a time: a row may be as large as a batch.
const NEXT: &str = "select next_offset, payload from forebay_outbox where source = ?1 and consumer_group = ?2 \
    and topic = ?3 and partition = ?4 and state = 'kept' and next_offset > ?5 order by next_offset limit 1";

impl Sqlite {
    /// Returns the letter of the record at `offset` that was too large for its topic, `None` where none is kept.
    ///
    /// # Errors
    /// Where the file is away, or has no ledger.
    pub async fn kept_letter(&self, key: &LaneKey, offset: i64, id: &str) -> Result<Option<Outgoing>, Verdict> {
        let (key, id) = (key.clone(), id.to_owned());
        self.look(move |connection| look(connection, &key, offset, &id).map_err(|error| of_error(&error))).await
    }
}

fn look(connection: &Connection, key: &LaneKey, offset: i64, id: &str) -> Result<Option<Outgoing>, Error> {
    let LaneKey { source, group, topic, partition } = key;
    let mut statement = connection.prepare(NEXT)?;
    let mut after = offset;
    for _ in 0..ROWS_MAX {
        let row = statement.query_row(params![source, group, topic, partition, after], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        });
        let Some((next, payload)) = row.optional()? else { return Ok(None) };
        if let Some(letter) = find(&Bytes::from(payload), id) {
            return Ok(Some(letter));
        }
        after = next;
    }
    Ok(None)
}
