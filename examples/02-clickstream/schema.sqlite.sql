-- The same as schema.sql, for `forebay dev`. Tables are STRICT; a decimal and a time are TEXT.

CREATE TABLE page_views (
    id       TEXT PRIMARY KEY NOT NULL,
    at       TEXT NOT NULL,
    visitor  TEXT NOT NULL,
    host     TEXT NOT NULL,
    path     TEXT NOT NULL,
    referrer TEXT,
    source   TEXT,
    medium   TEXT,
    campaign TEXT,
    browser  TEXT,
    version  INTEGER,
    os       TEXT,
    device   TEXT NOT NULL
) STRICT;

CREATE TABLE purchases (
    order_id TEXT PRIMARY KEY NOT NULL,
    view     TEXT NOT NULL,
    at       TEXT NOT NULL,
    amount   TEXT NOT NULL,
    currency TEXT NOT NULL,
    campaign TEXT
) STRICT;
