-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.

CREATE TABLE IF NOT EXISTS public.ship_track (
    mmsi      int NOT NULL,
    heard_at  timestamptz NOT NULL,
    latitude  numeric(8, 6) NOT NULL,
    longitude numeric(9, 6) NOT NULL,
    knots     numeric(4, 1),
    course    numeric(4, 1),
    heading   smallint,
    PRIMARY KEY (mmsi, heard_at)
);

CREATE TABLE IF NOT EXISTS public.ships (
    mmsi      int PRIMARY KEY,
    name      text,
    call_sign text,
    bound_for text,
    draught   numeric(3, 1),
    told_at   timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS public.ais_stations (
    station text PRIMARY KEY,
    heard   bigint NOT NULL DEFAULT 0
);
