-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.

CREATE TABLE IF NOT EXISTS public.orders (
    order_id      text PRIMARY KEY,
    customer_id   bigint NOT NULL,
    country       text NOT NULL,
    status        text NOT NULL,
    total         numeric NOT NULL,
    placed_at     timestamptz NOT NULL,
    paid_at       timestamptz,
    note          text,
    address       json,
    source        text NOT NULL,
    source_offset bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS public.order_lines (
    order_id text NOT NULL,
    line     int NOT NULL,
    sku      text NOT NULL,
    quantity int NOT NULL,
    price    numeric NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (order_id, line)
);
