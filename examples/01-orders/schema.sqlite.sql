-- The same tables for SQLite, as `forebay dev` makes them; schema.sql is PostgreSQL's. SQLite has no decimals and no times:
-- both are text, which Forebay writes, compares and adds up exactly.

CREATE TABLE IF NOT EXISTS orders (
    order_id    TEXT PRIMARY KEY NOT NULL,
    customer_id TEXT NOT NULL,
    amount      TEXT NOT NULL,
    quantity    INTEGER NOT NULL,
    status      TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) STRICT;

-- No key on purpose: one row for each event, and a repeat would show.
CREATE TABLE IF NOT EXISTS order_audit (
    order_id         TEXT NOT NULL,
    at               TEXT NOT NULL,
    what             TEXT NOT NULL,
    source_topic     TEXT,
    source_partition INTEGER,
    source_offset    INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS customer_totals (
    customer_id TEXT PRIMARY KEY NOT NULL,
    orders      INTEGER NOT NULL DEFAULT 0,
    spent       TEXT NOT NULL DEFAULT '0.00'
) STRICT;
