//! The schema `forebay`: what `forebay init` makes and prints.

use forebay_core::verdict::{Cause, Reason, Verdict};

use crate::postgres::connection::Postgres;

/// The version of [`DDL`] in `forebay.meta`.
const VERSION: u32 = 3;

/// Makes everything that is not there yet, and changes nothing that is.
pub const DDL: &str = "\
create schema if not exists forebay;

-- schema-version, and the ledger's id, which marks the offsets that Forebay commits.
create table if not exists forebay.meta (
    key text primary key,
    value text not null
);
insert into forebay.meta (key, value) values ('schema-version', '3')
    on conflict (key) do update set value = excluded.value where forebay.meta.value in ('1', '2');
insert into forebay.meta (key, value) values ('ledger-id', gen_random_uuid()::text) on conflict (key) do nothing;

-- The position of each partition, moved in the transaction that writes its rows.
create table if not exists forebay.ledger (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    owner_epoch bigint not null,
    owner text not null,
    cluster_id text,
    topic_id text,
    leader_epoch int,
    binding text not null,
    plugin_digest text,
    updated_at timestamptz not null default now(),
    primary key (source, consumer_group, topic, partition)
) with (fillfactor = 50);

-- How many partitions a topic had when a group first started: those added later start at their beginning.
create table if not exists forebay.topic (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partitions int not null,
    primary key (source, consumer_group, topic)
);

-- Publishes and dead letters that were decided and are not yet acknowledged (pending), and letters whose value was too
-- large for their topic (kept). One row for each batch.
create table if not exists forebay.outbox (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    state text not null default 'pending' check (state in ('pending', 'kept')),
    from_offset bigint not null,
    payload bytea not null,
    created_at timestamptz not null default now(),
    primary key (source, consumer_group, topic, partition, next_offset, state)
);

-- What is wanted of a binding for the whole group.
create table if not exists forebay.binding (
    source text not null,
    consumer_group text not null,
    binding text not null,
    paused boolean not null default false,
    paused_by text,
    why text,
    updated_at timestamptz not null default now(),
    primary key (source, consumer_group, binding)
);

-- The same for single partitions.
create table if not exists forebay.paused_partition (
    source text not null,
    consumer_group text not null,
    binding text not null,
    partition int not null,
    paused_by text not null,
    why text not null,
    paused_at timestamptz not null default now(),
    primary key (source, consumer_group, binding, partition)
);

-- When a person last said that what fails alike is the records' fault.
create table if not exists forebay.accepted (
    source text not null,
    consumer_group text not null,
    binding text not null,
    accepted_by text not null,
    accepted_at timestamptz not null default now(),
    primary key (source, consumer_group, binding)
);

-- Which process has a partition (null once it has let go), and after one that died, the record that it had begun.
create table if not exists forebay.doubt (
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition int not null,
    running text,
    record bigint,
    begun int not null default 0,
    primary key (source, consumer_group, topic, partition)
) with (fillfactor = 50);

-- Which version of a plugin wrote a partition, and from which offset on.
create table if not exists forebay.version (
    id bigint generated always as identity,
    source text not null,
    consumer_group text not null,
    topic text not null,
    partition int not null,
    from_offset bigint not null,
    plugin text not null,
    digest text not null,
    since timestamptz not null default now(),
    primary key (source, consumer_group, topic, partition, id)
);

-- Dead letters that were sent through the handler again.
create table if not exists forebay.redriven (
    id text primary key,
    binding text not null,
    redriven_at timestamptz not null default now()
);
";

/// `CREATE … IF NOT EXISTS` from several processes at once fails with a unique violation: one at a time.
const LOCK: &str = "select pg_advisory_xact_lock(7305804402482672215)";

/// What Forebay does with its own tables, as far as a right can be missing.
const RIGHTS: &str = "\
select t.name || ': ' || r.name from (values
    ('forebay.meta', 'select'),
    ('forebay.ledger', 'select'), ('forebay.ledger', 'insert'), ('forebay.ledger', 'update'),
    ('forebay.topic', 'select'), ('forebay.topic', 'insert'),
    ('forebay.outbox', 'select'), ('forebay.outbox', 'insert'), ('forebay.outbox', 'delete'),
    ('forebay.binding', 'select'), ('forebay.binding', 'insert'), ('forebay.binding', 'update'),
    ('forebay.paused_partition', 'select'), ('forebay.accepted', 'select'),
    ('forebay.version', 'select'), ('forebay.version', 'insert'),
    ('forebay.doubt', 'select'), ('forebay.doubt', 'insert'), ('forebay.doubt', 'update')) r(tab, name)
join (select 'forebay.' || c.relname as name, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'forebay') t on t.name = r.tab
where not has_table_privilege(t.oid, r.name)";

impl Postgres {
    /// Says what stands in the way of using the ledger in this database, nothing if `run` will use or make it.
    ///
    /// # Errors
    /// Where the server is away, or the ledger is of a newer version.
    pub async fn ledger_faults(&self) -> Result<Vec<Cause>, Verdict> {
        let has_ledger = self.find_ledger().await?.is_some();
        let name = self.name();
        if has_ledger {
            let missing: Vec<String> = self.query(RIGHTS, &[]).await?.iter().map(|row| row.get(0)).collect();
            let message = format!("Forebay's role lacks rights in sink `{name}` ({}); grant them", missing.join(", "));
            return Ok((!missing.is_empty()).then(|| Cause::new(Reason::Permission, message)).into_iter().collect());
        }
        let may = "select has_database_privilege(current_database(), 'create')";
        let may = self.query(may, &[]).await?.iter().any(|row| row.get(0));
        let message = format!(
            "sink `{name}` has no ledger, and Forebay's role may not make it; run `forebay init` as a role that may, or \
             apply what `forebay init --print` prints"
        );
        Ok((!may).then(|| Cause::new(Reason::Permission, message)).into_iter().collect())
    }

    /// Makes the ledger's schema.
    ///
    /// # Errors
    /// Where the server is away or does not allow it.
    pub async fn init(&self) -> Result<(), Verdict> {
        let made = self.batch(&format!("begin; {LOCK}; {DDL} commit;")).await;
        made.map_err(|verdict| match verdict {
            Verdict::Misconfigured(cause) => {
                let message = format!(
                    "the schema `forebay` can not be made in sink `{}` ({}); run `forebay init` as a role that may create \
                     it, or apply what `forebay init --print` prints",
                    self.name(),
                    cause.message
                );
                Verdict::Misconfigured(Cause::new(Reason::Permission, message))
            }
            other => other,
        })
    }

    /// Returns the id of the ledger in this database; makes the ledger if it is missing.
    ///
    /// # Errors
    /// Where the server is away, the ledger can not be made, or is of a newer version.
    pub async fn ledger_id(&self) -> Result<String, Verdict> {
        if let Some((id, VERSION)) = self.versioned().await? {
            return Ok(id);
        }
        // There is none, or an older build made it.
        self.init().await?;
        let missing = || Cause::new(Reason::Schema, "forebay.meta has no row `ledger-id`; run `forebay init`");
        self.find_ledger().await?.ok_or_else(|| Verdict::Misconfigured(missing()))
    }

    /// Returns the id of the ledger in this database, `None` if there is no ledger yet.
    ///
    /// # Errors
    /// Where the server is away, or the ledger is of a newer version.
    pub async fn find_ledger(&self) -> Result<Option<String>, Verdict> {
        Ok(self.versioned().await?.map(|(id, _)| id))
    }

    async fn versioned(&self) -> Result<Option<(String, u32)>, Verdict> {
        let exists = self.query("select to_regclass('forebay.meta') is not null", &[]).await?;
        if !exists.iter().any(|row| row.get(0)) {
            return Ok(None);
        }
        let rows = self.query("select key, value from forebay.meta", &[]).await?;
        let find = |key: &str| rows.iter().find(|row| row.get::<_, &str>(0) == key).map(|row| row.get::<_, String>(1));
        let version = find("schema-version").unwrap_or_default();
        match version.parse::<u32>() {
            Ok(version) if version <= VERSION => Ok(find("ledger-id").map(|id| (id, version))),
            _ => {
                let message = format!(
                    "the ledger in sink `{}` has schema version {version}, and this build knows {VERSION}; run the build that \
                     made it",
                    self.name()
                );
                Err(Verdict::Misconfigured(Cause::new(Reason::Schema, message)))
            }
        }
    }
}
