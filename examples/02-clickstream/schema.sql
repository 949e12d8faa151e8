-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.

CREATE TABLE IF NOT EXISTS public.page_views (
    id       text PRIMARY KEY,
    at       timestamptz NOT NULL,
    visitor  text NOT NULL,
    host     text NOT NULL,
    path     text NOT NULL,
    referrer text,
    source   text,
    medium   text,
    campaign text,
    browser  text,
    version  int,
    os       text,
    device   text NOT NULL
);

CREATE TABLE IF NOT EXISTS public.purchases (
    order_id text PRIMARY KEY,
    view     text NOT NULL,
    at       timestamptz NOT NULL,
    amount   numeric(12, 2) NOT NULL,
    currency text NOT NULL,
    campaign text
);
