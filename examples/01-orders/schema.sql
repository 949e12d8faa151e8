-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.

CREATE TABLE IF NOT EXISTS public.orders (
    order_id    text PRIMARY KEY,
    customer_id text NOT NULL,
    amount      numeric(12, 2) NOT NULL,
    quantity    int NOT NULL,
    status      text NOT NULL,
    updated_at  timestamptz NOT NULL
);

-- No key on purpose: one row for each event, and a repeat would show.
CREATE TABLE IF NOT EXISTS public.order_audit (
    order_id         text NOT NULL,
    at               timestamptz NOT NULL,
    what             text NOT NULL,
    source_topic     text,
    source_partition int,
    source_offset    bigint
);

CREATE TABLE IF NOT EXISTS public.customer_totals (
    customer_id text PRIMARY KEY,
    orders      bigint NOT NULL DEFAULT 0,
    spent       numeric(14, 2) NOT NULL DEFAULT 0
);
