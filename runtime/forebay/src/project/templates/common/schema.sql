-- The table that the target in forebay.toml names, for PostgreSQL. Forebay makes its own, in the schema `forebay`, by
-- itself. schema.sqlite.sql has the same for `forebay dev`: change both.

CREATE TABLE IF NOT EXISTS public."{{table}}" (
    id         text PRIMARY KEY,
    title      text NOT NULL,
    amount     bigint NOT NULL CHECK (amount >= 0),
    updated_at timestamptz NOT NULL
);
