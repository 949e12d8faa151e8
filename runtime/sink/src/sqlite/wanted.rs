//! What is wanted of a binding, in `forebay_binding` and beside it.

use std::collections::BTreeMap;

use forebay_core::verdict::Verdict;
use rusqlite::params;

use crate::named::named;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::{of_commit, of_error};
use crate::wanted::{BindingKey, Pause, Wanted, Wish};

const WANTED: &str = "select binding, 'paused', null, coalesce(paused_by, ''), coalesce(why, ''), updated_at \
    from forebay_binding where source = ?1 and consumer_group = ?2 and paused \
    union all select binding, 'paused', partition, paused_by, why, paused_at \
    from forebay_paused_partition where source = ?1 and consumer_group = ?2 \
    union all select binding, 'accepted', null, accepted_by, '', '' from forebay_accepted \
    where source = ?1 and consumer_group = ?2 and accepted_at > unixepoch() - 600";

const PAUSE: &str = "insert into forebay_binding (source, consumer_group, binding, paused, paused_by, why) \
    values (?1, ?2, ?3, 1, ?4, ?5) on conflict (source, consumer_group, binding) \
    do update set paused = 1, paused_by = excluded.paused_by, why = excluded.why, updated_at = excluded.updated_at \
    where not paused";

const PAUSE_ONE: &str = "insert into forebay_paused_partition (source, consumer_group, binding, partition, paused_by, why) \
    values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing";

const RESUME: &str = "update forebay_binding set paused = 0, paused_by = ?4, why = null \
    where source = ?1 and consumer_group = ?2 and binding = ?3";

/// A pause of the whole ends with those of its partitions.
const RESUME_PARTS: &str = "delete from forebay_paused_partition \
    where source = ?1 and consumer_group = ?2 and binding = ?3 and (?4 is null or partition = ?4)";

const ACCEPT: &str = "insert into forebay_accepted (source, consumer_group, binding, accepted_by) values (?1, ?2, ?3, ?4) \
    on conflict (source, consumer_group, binding) \
    do update set accepted_by = excluded.accepted_by, accepted_at = excluded.accepted_at";

impl Sqlite {
    /// Returns what is wanted of the bindings of a group; those of which nothing is wanted are not in it.
    ///
    /// # Errors
    /// Where the file is away.
    pub async fn wanted(&self, source: &str, group: &str) -> Result<BTreeMap<String, Wanted>, Verdict> {
        let (source, group) = (source.to_owned(), group.to_owned());
        self.look(move |connection| {
            let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
            let mut statement = connection.prepare_cached(WANTED).map_err(|error| of_error(&error))?;
            let mut rows = statement.query(params![source, group]).map_err(|error| of_error(&error))?;
            while let Some(row) = rows.next().map_err(|error| of_error(&error))? {
                let read = || -> Result<(String, String, Option<i32>, Pause), rusqlite::Error> {
                    let pause = Pause { by: row.get(3)?, why: row.get(4)?, at: row.get(5)? };
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, pause))
                };
                let (binding, kind, partition, pause) = read().map_err(|error| of_error(&error))?;
                wanted.entry(binding).or_default().take(&kind, partition, pause);
            }
            Ok(wanted)
        })
        .await
    }

    /// Changes what is wanted of a binding, or of one of its partitions.
    ///
    /// # Errors
    /// Where the file is away, or a process has it.
    pub async fn wish(&self, key: &BindingKey, partition: Option<i32>, wish: &Wish) -> Result<(), Verdict> {
        let (key, wish) = (key.clone(), wish.clone());
        let changed = self.run(Absent::Refuse, move |connection| {
            let BindingKey { source, group, binding } = &key;
            let change = || -> Result<(), rusqlite::Error> {
                connection.execute_batch("begin immediate")?;
                match (&wish, partition) {
                    (Wish::Pause(Pause { by, why, .. }), None) => {
                        connection.execute(PAUSE, params![source, group, binding, by, why])?;
                    }
                    (Wish::Pause(Pause { by, why, .. }), Some(partition)) => {
                        connection.execute(PAUSE_ONE, params![source, group, binding, partition, by, why])?;
                    }
                    (Wish::Resume { by, accept }, partition) => {
                        if *accept {
                            connection.execute(ACCEPT, params![source, group, binding, by])?;
                        }
                        if partition.is_none() {
                            connection.execute(RESUME, params![source, group, binding, by])?;
                        }
                        connection.execute(RESUME_PARTS, params![source, group, binding, partition])?;
                    }
                }
                Ok(())
            };
            change().map_err(|error| of_error(&error))?;
            connection.execute_batch("commit").map_err(|error| of_commit(&error))
        });
        changed.await.map_err(|verdict| named(self.name(), verdict))
    }
}
