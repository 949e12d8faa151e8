-- The same tables for SQLite, as `forebay dev` makes them; schema.sql is PostgreSQL's. SQLite has no decimals and no times:
-- both are text, which Forebay writes and compares exactly.

CREATE TABLE IF NOT EXISTS orders (
    order_id      TEXT PRIMARY KEY NOT NULL,
    customer_id   INTEGER NOT NULL,
    country       TEXT NOT NULL,
    status        TEXT NOT NULL,
    total         TEXT NOT NULL,
    placed_at     TEXT NOT NULL,
    paid_at       TEXT,
    note          TEXT,
    address       TEXT,
    source        TEXT NOT NULL,
    source_offset INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS order_lines (
    order_id TEXT NOT NULL,
    line     INTEGER NOT NULL,
    sku      TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price    TEXT NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY (order_id, line)
) STRICT;
