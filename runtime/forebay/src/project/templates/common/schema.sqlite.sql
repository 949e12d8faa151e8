-- The same as schema.sql, for `forebay dev`. Tables are STRICT; a time is TEXT.

CREATE TABLE "{{table}}" (
    id         TEXT PRIMARY KEY NOT NULL,
    title      TEXT NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    updated_at TEXT NOT NULL
) STRICT;
