-- The same as schema.sql, for `forebay dev`. Tables are STRICT; a decimal and a date are TEXT.

CREATE TABLE invoices (
    number    TEXT PRIMARY KEY NOT NULL,
    customer  TEXT NOT NULL,
    currency  TEXT NOT NULL,
    issued_on TEXT NOT NULL,
    net       TEXT NOT NULL,
    tax       TEXT NOT NULL,
    gross     TEXT NOT NULL
) STRICT;

CREATE TABLE invoice_lines (
    number      TEXT NOT NULL REFERENCES invoices ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    description TEXT NOT NULL,
    quantity    TEXT NOT NULL,
    unit_price  TEXT NOT NULL,
    discount    TEXT NOT NULL,
    rate        TEXT NOT NULL,
    net         TEXT NOT NULL,
    PRIMARY KEY (number, position)
) STRICT;

CREATE TABLE invoice_taxes (
    number TEXT NOT NULL REFERENCES invoices ON DELETE CASCADE,
    rate   TEXT NOT NULL,
    net    TEXT NOT NULL,
    tax    TEXT NOT NULL,
    PRIMARY KEY (number, rate)
) STRICT;
