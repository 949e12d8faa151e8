//! What the database says of a target's table.

use forebay_core::manifest::settings::{OnConflict, Table};
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableFacts};
use forebay_core::verdict::{Cause, Reason, Verdict};
use postgres_types::Type;
use tokio_postgres::Row;

use crate::postgres::connection::Postgres;
use crate::statement::{self, Dialect, create_table};
use crate::table::TableReport;

const TABLE: &str = "\
select c.oid, c.relkind::text,
       c.relrowsecurity
         or exists (select from pg_constraint k where k.contype in ('c', 'f', 'x') and k.conrelid = c.oid)
         or exists (select from pg_constraint k where k.contype = 'f' and k.confrelid = c.oid)
         or exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and (t.tgtype & 1) = 1)
         or exists (select from pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN')
         or exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated <> '')
         or exists (select from pg_index i where i.indrelid = c.oid and (i.indexprs is not null or i.indpred is not null))
         or exists (select from pg_attribute a join pg_type y on y.oid = a.atttypid
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and y.typtype = 'd') as strict,
       array(select quote_ident(n.nspname) || '.' || quote_ident(k.conname)
             from pg_constraint k join pg_namespace n on n.oid = k.connamespace
             where c.oid in (k.conrelid, k.confrelid) and k.condeferred) as deferred,
       quote_ident(s.nspname) || '.' || quote_ident(c.relname),
       has_table_privilege(c.oid, 'select'), has_any_column_privilege(c.oid, 'insert'),
       has_any_column_privilege(c.oid, 'update'), has_schema_privilege(s.oid, 'usage'), quote_ident(current_user),
       quote_ident(s.nspname),
       c.relkind in ('r', 'p') and not c.relrowsecurity and has_table_privilege(c.oid, 'insert')
         and not exists (select from pg_rewrite r where r.ev_class = c.oid) as takes_copy
from pg_class c join pg_namespace s on s.oid = c.relnamespace
where c.oid = to_regclass($1)";

/// A type modifier of -1 gives the type without length: `bpchar` and `"bit"`, where none at all gives `character` and
/// `bit`, which in a cast mean a length of one.
const COLUMNS: &str = "\
select a.attname, coalesce(b.typname, y.typname), case when b.oid is null then a.atttypmod else y.typtypmod end,
       format_type(a.atttypid, -1), not (a.attnotnull or (y.typtype = 'd' and y.typnotnull)),
       a.atthasdef or a.attidentity <> '' or (y.typtype = 'd' and y.typdefault is not null),
       a.attgenerated <> '' or a.attidentity = 'a', coalesce(l.collisdeterministic, true)
from pg_attribute a
join pg_type y on y.oid = a.atttypid
left join pg_type b on y.typtype = 'd' and b.oid = y.typbasetype
left join pg_collation l on l.oid = a.attcollation
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum";

/// Every unique index that could back a key, with its columns.
const UNIQUE: &str = "\
select array(select a.attname::text from unnest(i.indkey[0:i.indnkeyatts - 1]) k(n)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n),
       i.indpred is null and i.indexprs is null and i.indimmediate and i.indisvalid
from pg_index i where i.indrelid = $1 and i.indisunique";

impl Postgres {
    /// Reads what the database says of a target's table.
    ///
    /// # Errors
    /// Where the server is away, or there is no such table.
    pub async fn table(&self, table: &Table) -> Result<TableReport, Verdict> {
        let found = self.query(TABLE, &[(&quoted(table), Type::TEXT)]).await?;
        let Some(found) = found.first() else {
            let message =
                format!("sink `{}` has no table {}; create it or correct the manifest", self.name(), table.full_name());
            let cause =
                Cause { statement: create_table(table, Dialect::Postgres), ..Cause::new(Reason::Schema, message) };
            return Err(Verdict::Misconfigured(cause));
        };
        let oid: u32 = found.get(0);
        let columns = self.query(COLUMNS, &[(&oid, Type::OID)]).await?;
        let unique = self.query(UNIQUE, &[(&oid, Type::OID)]).await?;
        let indexes: Vec<(Vec<String>, bool)> = unique.iter().map(|row| (row.get(0), row.get(1))).collect();
        let is_key = |(columns, is_whole): &(Vec<String>, bool)| *is_whole && same(columns, &table.key);
        let has_other_unique = indexes.iter().any(|index| !is_key(index));
        let facts = TableFacts {
            sql_name: found.get(4),
            columns: columns.iter().map(column).collect(),
            is_strict: found.get::<_, bool>(2) || has_other_unique,
            deferred: found.get(3),
            takes_copy: found.get(11),
        };
        let mut faults = self.faults(table, found);
        if !table.key.is_empty() && !indexes.iter().any(is_key) {
            faults.push(self.no_constraint(table));
        }
        Ok(TableReport { facts, faults })
    }

    fn faults(&self, table: &Table, found: &Row) -> Vec<Cause> {
        let mut faults = Vec::new();
        let (sink, name) = (self.name(), table.full_name());
        if !matches!(found.get::<_, &str>(1), "r" | "p") {
            let message = format!("{name} in sink `{sink}` is no table; name the table that holds the rows");
            faults.push(Cause::new(Reason::Schema, message));
        }
        let needs_update = !table.key.is_empty() && table.on_conflict != OnConflict::Keep;
        let rights = [
            ("usage", 8, true),
            ("select", 5, !table.key.is_empty()),
            ("insert", 6, true),
            ("update", 7, needs_update),
        ];
        for (right, index, is_needed) in rights {
            if is_needed && !found.get::<_, bool>(index) {
                let on = if right == "usage" { format!("the schema of {name}") } else { name.clone() };
                let message = format!("Forebay's role has no {right} right on {on} in sink `{sink}`; grant it");
                let object: String =
                    if right == "usage" { format!("schema {}", found.get::<_, &str>(10)) } else { found.get(4) };
                let statement = format!("grant {right} on {object} to {};", found.get::<_, &str>(9));
                faults.push(Cause::new(Reason::Permission, message).with_statement(statement));
            }
        }
        faults
    }

    fn no_constraint(&self, table: &Table) -> Cause {
        let (sink, name, key) = (self.name(), table.full_name(), table.key.join(", "));
        let message = format!(
            "the key ({key}) of {name} in sink `{sink}` is backed by no primary key or unique constraint; add one \
             (alter table {name} add unique ({key})) or correct the manifest"
        );
        Cause::new(Reason::Schema, message)
            .with_statement(format!("alter table {} add unique ({key});", statement::full_name(table)))
    }
}

fn quoted(table: &Table) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    match &table.schema {
        Some(schema) => format!("{}.{}", quote(schema), quote(&table.table)),
        None => quote(&table.table),
    }
}

fn same(columns: &[String], key: &[String]) -> bool {
    columns.len() == key.len() && columns.iter().all(|column| key.contains(column))
}

fn column(row: &Row) -> ColumnFacts {
    let typmod: i32 = row.get(2);
    let kind = match (row.get::<_, &str>(1), row.get::<_, bool>(7)) {
        ("int2", _) => ColumnKind::Int2,
        ("int4", _) => ColumnKind::Int4,
        ("int8", _) => ColumnKind::Int8,
        ("float4", _) => ColumnKind::Float4,
        ("float8", _) => ColumnKind::Float8,
        ("numeric", _) => ColumnKind::Numeric(whole_digits(typmod)),
        ("bool", _) => ColumnKind::Boolean,
        ("bytea", _) => ColumnKind::Bytea,
        ("timestamptz", _) => ColumnKind::Timestamptz,
        ("timestamp", _) => ColumnKind::Timestamp,
        ("text", true) => ColumnKind::Text(None),
        ("varchar", true) => ColumnKind::Text(u32::try_from(typmod - 4).ok()),
        ("uuid", _) => ColumnKind::Uuid,
        ("date", _) => ColumnKind::Date,
        _ => ColumnKind::Other,
    };
    ColumnFacts {
        name: row.get(0),
        kind,
        type_name: row.get(3),
        is_nullable: row.get(4),
        has_default: row.get(5),
        is_generated: row.get(6),
    }
}

/// Precision less scale, as `numeric(p,s)` keeps them in its type modifier.
fn whole_digits(typmod: i32) -> Option<u32> {
    let packed = u32::try_from(typmod.checked_sub(4)?).ok()?;
    let (precision, scale) = (packed >> 16, packed & 0x7ff);
    // A scale is an 11-bit signed number.
    let scale = i64::from(scale) - if scale >= 0x400 { 0x800 } else { 0 };
    u32::try_from((i64::from(precision) - scale).max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_whole_digits_of_a_numeric() {
        let typmod = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7ff)) + 4;
        assert_eq!(whole_digits(-1), None);
        assert_eq!(whole_digits(typmod(12, 2)), Some(10));
        assert_eq!(whole_digits(typmod(3, -2)), Some(5));
        assert_eq!(whole_digits(typmod(2, 4)), Some(0));
    }
}
