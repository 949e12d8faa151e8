import json
import unittest
from datetime import date
from decimal import Decimal, InvalidOperation

from forebay_plugin import Failure, Message, Outcome, apply
from handler import Settings, handle

SETTINGS = Settings(digits={"EUR": 2, "JPY": 0, "KWD": 3})
COFFEE = {"description": "Kaffee", "quantity": "3", "unit_price": "4.99", "rate": "7"}
MACHINE = {"description": "Röstmaschine", "quantity": 1, "unit_price": "199.95", "rate": "19", "discount": "10"}


def invoice(*lines: dict, currency: str = "EUR", gross: str, **fields: str) -> Outcome:
    value = {"number": "R-1", "customer": "c-1", "currency": currency, "issued_on": "2025-11-20", "lines": lines}
    return handle(Message("invoices", key="R-1", value=json.dumps({**value, "gross": gross, **fields})), SETTINGS)


def amounts(outcome: Outcome, target: str, *columns: str) -> list[tuple]:
    rows = [row for effect, row in outcome.effects if row.target == target and effect == "upsert"]
    return [tuple(row.columns[column][1] for column in columns) for row in rows]


class TestHandler(unittest.TestCase):
    def fails(self, *lines: dict, gross: str = "1.00", **fields: str) -> str:
        with self.assertRaises(Failure) as caught:
            invoice(*lines, gross=gross, **fields)
        return str(caught.exception)

    def test_an_invoice_replaces_what_is_there_of_it(self) -> None:
        line = {"description": "Kaffee", "quantity": Decimal(3), "unit_price": Decimal("4.99"), "rate": Decimal(7)}
        expected = (
            apply()
            .delete("invoices", number="R-1")
            .upsert(
                "invoices",
                number="R-1",
                customer="c-1",
                currency="EUR",
                issued_on=date(2025, 11, 20),
                net=Decimal("14.97"),
                tax=Decimal("1.05"),
                gross=Decimal("16.02"),
            )
            .upsert("lines", line, discount=Decimal(0), number="R-1", position=1, net=Decimal("14.97"))
            .upsert("taxes", number="R-1", rate=Decimal(7), net=Decimal("14.97"), tax=Decimal("1.05"))
        )
        self.assertEqual(invoice(COFFEE, gross="16.02"), expected)

    def test_each_rate_is_rounded_once(self) -> None:
        # 3 × 0.07 alone would be rounded to 0.03; the tax on both together is 0.06.
        cheap = {"description": "Tüte", "quantity": "1", "unit_price": "0.15", "rate": "19"}
        outcome = invoice(cheap, {**cheap, "rate": "19.0"}, COFFEE, gross="16.38")
        self.assertEqual(amounts(outcome, "taxes", "rate", "net", "tax"), [("7", "14.97", "1.05"), ("19", "0.30", "0.06")])
        self.assertEqual(amounts(outcome, "lines", "position", "net"), [(1, "0.15"), (2, "0.15"), (3, "14.97")])

    def test_half_a_cent_is_rounded_up(self) -> None:
        # 199.95 less 10 % is 179.955.
        self.assertEqual(amounts(invoice(MACHINE, gross="214.15"), "lines", "net"), [("179.96",)])

    def test_a_currency_has_its_own_digits(self) -> None:
        line = {"description": "x", "quantity": "3", "unit_price": "33.3335", "rate": "10"}
        columns = ("net", "tax", "gross")
        self.assertEqual(amounts(invoice(line, currency="JPY", gross="110"), "invoices", *columns), [("100", "10", "110")])
        kuwait = invoice(line, currency="KWD", gross="110.001")
        self.assertEqual(amounts(kuwait, "invoices", *columns), [("100.001", "10.000", "110.001")])

    def test_an_invoice_without_lines_is_one_of_nothing(self) -> None:
        self.assertEqual(amounts(invoice(gross="0"), "invoices", "net", "gross"), [("0.00", "0.00")])

    def test_a_sum_that_is_another_one_is_rejected(self) -> None:
        expected = "gross: the lines come to 16.02 with tax, and the invoice says 16.01"
        self.assertEqual(self.fails(COFFEE, gross="16.01"), expected)

    def test_what_is_no_invoice_is_rejected_with_the_reason(self) -> None:
        self.assertEqual(self.fails(currency="XXX"), "currency: XXX is none of EUR, JPY, KWD")
        self.assertIn("malformed: field `issued_on`: ", self.fails(gross="0", issued_on="2025-02-30"))
        expected = 'malformed: field `quantity` is a fraction, expected a decimal as text such as "12.50"'
        self.assertEqual(self.fails({**COFFEE, "quantity": 0.1}), expected)

    def test_a_quantity_without_room_for_its_digits_is_nobodys_business(self) -> None:
        """What the sample data runs into: a dead letter of class ``trap``, and the records behind it go on."""
        with self.assertRaises(InvalidOperation):
            invoice({**COFFEE, "quantity": "1e40"}, gross="1")

    def test_a_tombstone_deletes_the_invoice(self) -> None:
        outcome = handle(Message("invoices", key="R-1"), SETTINGS)
        self.assertEqual(outcome, apply().delete("invoices", number="R-1"))


if __name__ == "__main__":
    unittest.main()
