//! The ledger's tables: what `forebay init` makes and prints.

use forebay_core::verdict::{Cause, Reason, Verdict};
use rusqlite::Connection;

use crate::named::named;
use crate::sqlite::connection::Sqlite;
use crate::sqlite::file::Absent;
use crate::sqlite::verdict::of_error;

/// The version of [`DDL`] in `forebay_meta`.
const VERSION: u32 = 3;

/// Makes everything that is not there yet, and changes nothing that is.
pub const DDL: &str = "\
-- schema-version, and the ledger's id, which marks the offsets that Forebay commits.
create table if not exists forebay_meta (
    key text primary key,
    value text not null
) strict;
insert into forebay_meta (key, value) values ('schema-version', '3')
    on conflict (key) do update set value = excluded.value where value in ('1', '2');
insert into forebay_meta (key, value) values ('ledger-id', lower(hex(randomblob(16)))) on conflict (key) do nothing;

-- The position of each partition, moved in the transaction that writes its rows.
create table if not exists forebay_ledger (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset integer not null,
    owner_epoch integer not null,
    owner text not null,
    cluster_id text,
    topic_id text,
    leader_epoch integer,
    binding text not null,
    plugin_digest text,
    updated_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'),
    primary key (source, consumer_group, topic, partition)
) strict;

-- How many partitions a topic had when a group first started: those added later start at their beginning.
create table if not exists forebay_topic (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partitions integer not null,
    primary key (source, consumer_group, topic)
) strict;

-- Publishes and dead letters that were decided and are not yet acknowledged (pending), and letters whose value was too
-- large for their topic (kept). One row for each batch.
create table if not exists forebay_outbox (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset integer not null,
    state text not null default 'pending' check (state in ('pending', 'kept')),
    from_offset integer not null,
    payload blob not null,
    created_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'),
    primary key (source, consumer_group, topic, partition, next_offset, state)
) strict;

-- What is wanted of a binding for the whole group.
create table if not exists forebay_binding (
    source text not null,
    consumer_group text not null,
    binding text not null,
    paused integer not null default 0,
    paused_by text,
    why text,
    updated_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'),
    primary key (source, consumer_group, binding)
) strict;

-- The same for single partitions.
create table if not exists forebay_paused_partition (
    source text not null,
    consumer_group text not null,
    binding text not null,
    partition integer not null,
    paused_by text not null,
    why text not null,
    paused_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'),
    primary key (source, consumer_group, binding, partition)
) strict;

-- When a person last said that what fails alike is the records' fault, in seconds since 1970.
create table if not exists forebay_accepted (
    source text not null,
    consumer_group text not null,
    binding text not null,
    accepted_by text not null,
    accepted_at integer not null default (unixepoch()),
    primary key (source, consumer_group, binding)
) strict;

-- Which process has a partition (null once it has let go), and after one that died, the record that it had begun.
create table if not exists forebay_doubt (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    running text,
    record integer,
    begun integer not null default 0,
    primary key (source, consumer_group, topic, partition)
) strict;

-- Which version of a plugin wrote a partition, and from which offset on.
create table if not exists forebay_version (
    id integer primary key,
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    from_offset integer not null,
    plugin text not null,
    digest text not null,
    since text not null default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) strict;
create index if not exists forebay_version_of on forebay_version (source, consumer_group, topic, partition, id);

-- Dead letters that were sent through the handler again.
create table if not exists forebay_redriven (
    id text primary key,
    binding text not null,
    redriven_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00')
) strict;
";

impl Sqlite {
    /// Says what stands in the way of using the ledger in this file, nothing if `run` will use or make it.
    ///
    /// # Errors
    /// Where there is no file, or the ledger is of a newer version.
    pub async fn ledger_faults(&self) -> Result<Vec<Cause>, Verdict> {
        self.look(find_ledger).await?;
        let path = self.path();
        let is_readonly = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
        let message = || {
            format!(
                "sink `{}`: `{}` may not be written; give Forebay the right to write it",
                self.name(),
                path.display()
            )
        };
        Ok(is_readonly.then(|| Cause::new(Reason::Permission, message())).into_iter().collect())
    }

    /// Makes the ledger's tables, and the file if it is missing.
    ///
    /// # Errors
    /// Where the file is away or may not be written.
    pub async fn init(&self) -> Result<(), Verdict> {
        let made = self.run(Absent::Make, |connection| make(connection)).await;
        made.map_err(|verdict| named(self.name(), verdict))
    }

    /// Returns the id of the ledger in this file, `None` if there is no ledger yet.
    ///
    /// # Errors
    /// Where there is no file, or the ledger is of a newer version.
    pub async fn find_ledger(&self) -> Result<Option<String>, Verdict> {
        self.look(find_ledger).await
    }

    /// Returns the id of the ledger in this file; makes the ledger if it is missing.
    ///
    /// # Errors
    /// Where the file is away, the ledger can not be made, or is of a newer version.
    pub async fn ledger_id(&self) -> Result<String, Verdict> {
        let found = self.run(Absent::Refuse, |connection| {
            if let Some((id, VERSION)) = versioned(connection)? {
                return Ok(id);
            }
            // There is none, or an older build made it.
            make(connection)?;
            let missing = || Cause::new(Reason::Schema, "forebay_meta has no row `ledger-id`; run `forebay init`");
            find_ledger(connection)?.ok_or_else(|| Verdict::Misconfigured(missing()))
        });
        found.await.map_err(|verdict| named(self.name(), verdict))
    }
}

fn make(connection: &Connection) -> Result<(), Verdict> {
    let script = format!("begin immediate; {DDL} commit;");
    connection.execute_batch(&script).map_err(|error| of_error(&error))
}

/// Returns the id of the ledger, `None` if there is none yet.
fn find_ledger(connection: &Connection) -> Result<Option<String>, Verdict> {
    Ok(versioned(connection)?.map(|(id, _)| id))
}

fn versioned(connection: &Connection) -> Result<Option<(String, u32)>, Verdict> {
    let exists = "select exists (select 1 from sqlite_schema where name = 'forebay_meta')";
    if !connection.query_row(exists, [], |row| row.get(0)).map_err(|error| of_error(&error))? {
        return Ok(None);
    }
    let find = |key: &str| {
        let sql = "select max(value) from forebay_meta where key = ?1";
        connection.query_row(sql, [key], |row| row.get::<_, Option<String>>(0)).map_err(|error| of_error(&error))
    };
    let version = find("schema-version")?.unwrap_or_default();
    match version.parse::<u32>() {
        Ok(version) if version <= VERSION => Ok(find("ledger-id")?.map(|id| (id, version))),
        _ => {
            let message = format!(
                "the ledger has schema version {version}, and this build knows {VERSION}; run the build that made it"
            );
            Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)))
        }
    }
}
