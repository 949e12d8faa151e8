"""An invoice as JSON becomes rows: the invoice, its lines, and for each rate of tax what is to be paid.

Money is decimal all the way, from the text in the message to the column. Each line is rounded to the currency's digits, and
the tax once for each rate: the way it stands on the paper.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from forebay_plugin import Message, Outcome, apply, reject

HUNDRED = Decimal(100)


@dataclass
class Line:
    description: str
    quantity: Decimal
    unit_price: Decimal
    rate: Decimal  # of the tax, in per cent
    discount: Decimal = Decimal(0)  # in per cent


@dataclass
class Invoice:
    """What a message's value says, as JSON. What does not fit ends as a dead letter ``malformed``."""

    number: str
    customer: str
    currency: str
    issued_on: str
    lines: list[Line]
    gross: Decimal  # what the sender makes of it


@dataclass
class Settings:
    """``config`` of this plugin in forebay.toml."""

    digits: dict[str, int]


def handle(message: Message, settings: Settings) -> Outcome:
    # A null value says that the invoice is no more. Its lines and taxes go with it, see schema.sql.
    if message.is_tombstone:
        return apply().delete("invoices", number=message.key_text())
    invoice = message.object(Invoice)
    digits = settings.digits.get(invoice.currency)
    if digits is None:
        raise reject("currency", f"{invoice.currency} is none of {', '.join(sorted(settings.digits))}")
    smallest = Decimal(1).scaleb(-digits)
    nets = [net_of(line, smallest) for line in invoice.lines]
    taxes = taxes_of(invoice.lines, nets, smallest)
    net = sum(nets, start=Decimal(0) * smallest)
    tax = sum((tax for _, tax in taxes.values()), start=Decimal(0) * smallest)
    if net + tax != invoice.gross:
        raise reject("gross", f"the lines come to {net + tax} with tax, and the invoice says {invoice.gross}")

    # An invoice that was corrected may have fewer lines than before: it is written from scratch.
    outcome = apply().delete("invoices", number=invoice.number)
    outcome.upsert(
        "invoices",
        number=invoice.number,
        customer=invoice.customer,
        currency=invoice.currency,
        issued_on=day_of(invoice.issued_on),
        net=net,
        tax=tax,
        gross=net + tax,
    )
    for position, (line, line_net) in enumerate(zip(invoice.lines, nets), start=1):
        outcome.upsert("lines", vars(line), number=invoice.number, position=position, net=line_net)
    for rate, (rate_net, rate_tax) in taxes.items():
        outcome.upsert("taxes", number=invoice.number, rate=rate, net=rate_net, tax=rate_tax)
    return outcome


def net_of(line: Line, smallest: Decimal) -> Decimal:
    """What a line comes to, without tax. A number that has no room for its digits raises ``InvalidOperation``."""
    share = (HUNDRED - line.discount) / HUNDRED
    return (line.quantity * line.unit_price * share).quantize(smallest, ROUND_HALF_UP)


def taxes_of(lines: list[Line], nets: list[Decimal], smallest: Decimal) -> dict[Decimal, tuple[Decimal, Decimal]]:
    """For each rate, the lowest first, what it is taken of and what it comes to. 7 and 7.0 are one rate."""
    by_rate: dict[Decimal, Decimal] = {}
    for line, net in zip(lines, nets):
        by_rate[line.rate] = by_rate.get(line.rate, Decimal(0)) + net
    rates = sorted(by_rate.items())
    return {rate: (net, (net * rate / HUNDRED).quantize(smallest, ROUND_HALF_UP)) for rate, net in rates}


def day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise reject("malformed", f"field `issued_on`: {error}") from None
