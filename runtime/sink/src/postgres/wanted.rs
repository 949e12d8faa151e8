//! What is wanted of a binding, in `forebay.binding` and beside it.

use std::collections::BTreeMap;

use forebay_core::verdict::Verdict;
use postgres_types::Type;

use crate::postgres::connection::{Param, Postgres};
use crate::wanted::{BindingKey, Pause, Wanted, Wish};

const WANTED: &str = "select binding, 'paused', null::int, coalesce(paused_by, ''), coalesce(why, ''), \
    to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
    from forebay.binding where source = $1 and consumer_group = $2 and paused \
    union all select binding, 'paused', partition, paused_by, why, \
    to_char(paused_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
    from forebay.paused_partition where source = $1 and consumer_group = $2 \
    union all select binding, 'accepted', null, accepted_by, '', '' \
    from forebay.accepted where source = $1 and consumer_group = $2 and accepted_at > now() - interval '10 minutes'";

const PAUSE: &str = "insert into forebay.binding (source, consumer_group, binding, paused, paused_by, why) \
    values ($1, $2, $3, true, $4, $5) on conflict (source, consumer_group, binding) \
    do update set paused = true, paused_by = excluded.paused_by, why = excluded.why, updated_at = now() \
    where not forebay.binding.paused";

const PAUSE_ONE: &str = "insert into forebay.paused_partition (source, consumer_group, binding, paused_by, why, partition) \
    values ($1, $2, $3, $4, $5, $6) on conflict do nothing";

/// A pause of the whole ends with those of its partitions.
const RESUME: &str = "with parts as (delete from forebay.paused_partition \
    where source = $1 and consumer_group = $2 and binding = $3) \
    update forebay.binding set paused = false, paused_by = $4, why = null, updated_at = now() \
    where source = $1 and consumer_group = $2 and binding = $3";

const RESUME_ONE: &str = "delete from forebay.paused_partition \
    where source = $1 and consumer_group = $2 and binding = $3 and partition = $4";

const ACCEPT: &str = "insert into forebay.accepted (source, consumer_group, binding, accepted_by) values ($1, $2, $3, $4) \
    on conflict (source, consumer_group, binding) do update set accepted_by = excluded.accepted_by, accepted_at = now()";

impl Postgres {
    /// Returns what is wanted of the bindings of a group; those of which nothing is wanted are not in it.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn wanted(&self, source: &str, group: &str) -> Result<BTreeMap<String, Wanted>, Verdict> {
        let rows = self.query(WANTED, &[(&source, Type::TEXT), (&group, Type::TEXT)]).await?;
        let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
        for row in rows {
            let pause = Pause { by: row.get(3), why: row.get(4), at: row.get(5) };
            wanted.entry(row.get(0)).or_default().take(row.get(1), row.get(2), pause);
        }
        Ok(wanted)
    }

    /// Changes what is wanted of a binding, or of one of its partitions.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn wish(&self, key: &BindingKey, partition: Option<i32>, wish: &Wish) -> Result<(), Verdict> {
        let BindingKey { source, group, binding } = key;
        let own: [Param<'_>; 3] = [(source, Type::TEXT), (group, Type::TEXT), (binding, Type::TEXT)];

        match (wish, &partition) {
            (Wish::Pause(Pause { by, why, .. }), None) => {
                self.query(PAUSE, &[&own[..], &[(by as _, Type::TEXT), (why as _, Type::TEXT)]].concat()).await?;
            }
            (Wish::Pause(Pause { by, why, .. }), Some(partition)) => {
                let more = [(by as _, Type::TEXT), (why as _, Type::TEXT), (partition as _, Type::INT4)];
                self.query(PAUSE_ONE, &[&own[..], &more].concat()).await?;
            }
            (Wish::Resume { by, accept }, partition) => {
                if *accept {
                    self.query(ACCEPT, &[&own[..], &[(by as _, Type::TEXT)]].concat()).await?;
                }
                match partition {
                    None => self.query(RESUME, &[&own[..], &[(by as _, Type::TEXT)]].concat()).await?,
                    Some(one) => self.query(RESUME_ONE, &[&own[..], &[(one as _, Type::INT4)]].concat()).await?,
                };
            }
        }
        Ok(())
    }
}
