-- The same as schema.sql, for `forebay dev`. Tables are STRICT; a decimal and a time are TEXT.

CREATE TABLE ship_track (
    mmsi      INTEGER NOT NULL,
    heard_at  TEXT NOT NULL,
    latitude  TEXT NOT NULL,
    longitude TEXT NOT NULL,
    knots     TEXT,
    course    TEXT,
    heading   INTEGER,
    PRIMARY KEY (mmsi, heard_at)
) STRICT;

CREATE TABLE ships (
    mmsi      INTEGER PRIMARY KEY NOT NULL,
    name      TEXT,
    call_sign TEXT,
    bound_for TEXT,
    draught   TEXT,
    told_at   TEXT NOT NULL
) STRICT;

CREATE TABLE ais_stations (
    station TEXT PRIMARY KEY NOT NULL,
    heard   INTEGER NOT NULL DEFAULT 0
) STRICT;
