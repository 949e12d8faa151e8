-- The same as schema.sql, for `forebay dev`. Tables are STRICT; a decimal and a time are TEXT.

CREATE TABLE readings (
    sensor   TEXT NOT NULL,
    at       TEXT NOT NULL,
    quantity TEXT NOT NULL,
    value    TEXT NOT NULL,
    gateway  TEXT NOT NULL,
    PRIMARY KEY (sensor, at)
) STRICT;

CREATE TABLE latest_readings (
    sensor   TEXT PRIMARY KEY NOT NULL,
    at       TEXT NOT NULL,
    quantity TEXT NOT NULL,
    value    TEXT NOT NULL
) STRICT;
