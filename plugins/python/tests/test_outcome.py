import unittest
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

from forebay_plugin import Failure, apply, json, skip


class Colour(Enum):
    RED = "red"


class TestOutcome(unittest.TestCase):
    def column(self, value):
        [(_, row)] = apply().upsert("t", x=value).effects
        return row.columns["x"]

    def test_values_of_python_find_their_variant(self):
        cases = [
            (None, ("null", None)),
            (True, ("boolean", True)),
            (7, ("integer", 7)),
            (2**63 - 1, ("integer", 2**63 - 1)),
            (2**63, ("text", "9223372036854775808")),
            (0.5, ("float", 0.5)),
            ("ä", ("text", "ä")),
            (b"a", ("bytes", b"a")),
            (memoryview(b"a"), ("bytes", b"a")),
            (Decimal("12.50"), ("text", "12.50")),
            (Decimal("1E+2"), ("text", "100")),
            (Decimal("NaN"), ("text", "NaN")),
            (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), ("timestamp-micros", 0)),
            (datetime(1970, 1, 1, 0, 0, 0, 1), ("timestamp-micros", 1)),
            (datetime(9999, 12, 31, 23, 59, 59, 999999), ("timestamp-micros", 253402300799999999)),
            (date(2020, 1, 2), ("text", "2020-01-02")),
            (UUID(int=1), ("text", "00000000-0000-0000-0000-000000000001")),
            (Colour.RED, ("text", "red")),
        ]
        for value, expected in cases:
            self.assertEqual(self.column(value), expected)
            self.assertIs(type(self.column(value)[1]), type(expected[1]))

    def test_what_has_no_form_as_a_column_says_what_to_do(self):
        with self.assertRaises(Failure) as caught:
            self.column([1])
        self.assertEqual(caught.exception.code, "no-column")
        self.assertIn("column `x` of `t` is a list; json(value)", caught.exception.message)
        self.assertEqual(self.column(json([1, Decimal("1.50")])), ("text", '[1, "1.50"]'))

    def test_half_a_character_is_malformed(self):
        with self.assertRaises(Failure) as caught:
            self.column("a\ud800")
        self.assertEqual(caught.exception.code, "malformed")

    def test_effects_keep_their_order_and_a_skip_with_an_effect_is_no_skip(self):
        outcome = skip("old").delete("a", id=1).add("b", {"id": 1}, n=2).publish("c", key="k", json={"a": 1})
        self.assertEqual([name for name, _ in outcome.effects], ["delete", "add", "publish"])
        self.assertIsNone(outcome.skipped)
        self.assertEqual(list(outcome.effects[1][1].columns), ["id", "n"])
        self.assertEqual(outcome.effects[2][1].value, b'{"a": 1}')
        self.assertEqual(skip("old").skipped, "old")
        self.assertEqual(apply().upsert("a", id=1), apply().upsert("a", {"id": 1}))

    def test_a_message_without_a_value_is_a_tombstone(self):
        [(_, message)] = apply().publish("c", key=b"k", headers={"h": "v", "n": None}).effects
        self.assertIsNone(message.value)
        self.assertEqual(message.headers, [("h", b"v"), ("n", None)])
        with self.assertRaises(TypeError):
            apply().publish("c", value=5)
