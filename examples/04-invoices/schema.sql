-- The tables that the targets in forebay.toml name. Forebay makes its own, in the schema `forebay`, by itself.
-- Amounts are `numeric` without a scale: yen have no digits behind the point, dinars three.

CREATE TABLE IF NOT EXISTS public.invoices (
    number    text PRIMARY KEY,
    customer  text NOT NULL,
    currency  text NOT NULL,
    issued_on date NOT NULL,
    net       numeric NOT NULL,
    tax       numeric NOT NULL,
    gross     numeric NOT NULL
);

-- With an invoice go its lines and taxes. A handler deletes by key, and does not know how many lines there were.
CREATE TABLE IF NOT EXISTS public.invoice_lines (
    number      text NOT NULL REFERENCES public.invoices ON DELETE CASCADE,
    position    int NOT NULL,
    description text NOT NULL,
    quantity    numeric NOT NULL,
    unit_price  numeric NOT NULL,
    discount    numeric NOT NULL,
    rate        numeric NOT NULL,
    net         numeric NOT NULL,
    PRIMARY KEY (number, position)
);

CREATE TABLE IF NOT EXISTS public.invoice_taxes (
    number text NOT NULL REFERENCES public.invoices ON DELETE CASCADE,
    rate   numeric NOT NULL,
    net    numeric NOT NULL,
    tax    numeric NOT NULL,
    PRIMARY KEY (number, rate)
);
