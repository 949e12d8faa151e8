-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.

CREATE TABLE IF NOT EXISTS public.readings (
    sensor   text NOT NULL,
    at       timestamptz NOT NULL,
    quantity text NOT NULL,
    value    numeric(9, 3) NOT NULL,
    gateway  text NOT NULL,
    PRIMARY KEY (sensor, at)
);

CREATE TABLE IF NOT EXISTS public.latest_readings (
    sensor   text PRIMARY KEY,
    at       timestamptz NOT NULL,
    quantity text NOT NULL,
    value    numeric(9, 3) NOT NULL
);
