import unittest
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from forebay_plugin import Failure, Message, read, reject


@dataclass
class Line:
    sku: str
    count: int


@dataclass
class Order:
    order_id: str
    amount: Decimal
    weight: float = 0.0
    note: str | None = None
    lines: list[Line] = field(default_factory=list)
    extra: Any = None


class TestMessage(unittest.TestCase):
    def fails(self, call, code, part):
        with self.assertRaises(Failure) as caught:
            call()
        self.assertEqual(caught.exception.code, code)
        self.assertIn(part, caught.exception.message)

    def test_bad_json_is_malformed_and_says_where(self):
        self.fails(Message("t", value='{\n  "a": ?}').json, "malformed", "at line 2 column 8")
        self.fails(Message("t", value='{"a": NaN}').json, "malformed", "NaN")

    def test_what_is_nested_too_deep_is_malformed_and_nothing_else_is(self):
        def nested(levels, inside=""):
            return '{"a":[' * levels + inside + "]}" * levels

        for text in (nested(64), "[" * 100_000, f"[{nested(63)},{nested(63)}{'[' * 127}"):
            self.fails(Message("t", value=text).json, "malformed", "nested deeper than 127 levels")
        brackets = '"' + "[{" * 200 + '\\\\\\"' + "[" * 200 + '"'
        for text in (nested(63), "[" + "[{}]," * 500 + "0]", f"[{nested(63, brackets)}]"):
            Message("t", value=text).json()
        self.fails(Message("t", value='"\\\\' + "[" * 200).json, "malformed", "the value is no JSON")

    def test_null_and_empty_are_told_apart(self):
        self.fails(Message("t").json, "malformed", "the value is null (a tombstone)")
        self.assertEqual(Message("t", value="").text(), "")
        self.fails(Message("t").key_text, "malformed", "the message has no key")
        self.assertEqual(Message("t", key="").key_text(), "")

    def test_what_is_not_utf_8_is_malformed(self):
        self.fails(Message("t", key=b"a\xff").key_text, "malformed", "the key is not text: invalid UTF-8 at byte 1")

    def test_a_missing_field_is_malformed_and_named(self):
        message = Message("t", value='{"a": {}}')
        self.fails(lambda: message.json()["a"]["b"], "malformed", "missing field `b`")
        self.assertIsNone(message.json().get("b"))

    def test_whole_numbers_and_decimals_keep_their_digits(self):
        message = Message("t", value='{"a": 9223372036854775807, "b": 0.10}')
        self.assertEqual(message.json()["a"], 9223372036854775807)
        self.assertEqual(str(message.json(decimals=True)["b"]), "0.10")

    def test_a_dataclass_is_filled_and_what_does_not_fit_is_malformed(self):
        value = '{"order_id": "o", "amount": "1.50", "weight": 2, "lines": [{"sku": "s", "count": 1}], "more": 1}'
        order = Message("t", value=value).object(Order)
        self.assertEqual(order, Order("o", Decimal("1.50"), 2.0, None, [Line("s", 1)]))
        self.assertIsInstance(order.weight, float)
        refused = {
            "[]": "expected an object, found a list",
            "{}": "missing field `order_id`",
            '{"order_id": 5, "amount": "1"}': "field `order_id` is a whole number, expected str",
            '{"order_id": "o", "amount": 1.5}': "field `amount` is a fraction, expected a decimal as text",
            '{"order_id": "o", "amount": "x"}': "field `amount` is text, expected a decimal",
            '{"order_id": "o", "amount": "1", "lines": [{"sku": "s", "count": true}]}': "`count` is a boolean, expected int",
            '{"order_id": null, "amount": "1"}': "field `order_id` is null, expected str",
        }
        for value, part in refused.items():
            self.fails(lambda value=value: Message("t", value=value).object(Order), "malformed", part)

    def test_a_strict_reading_refuses_what_it_does_not_know(self):
        self.fails(lambda: read(Line, {"sku": "s", "count": 1, "x": 1}, strict=True), "malformed", "unknown field `x`")

    def test_the_last_header_of_a_name_counts(self):
        message = Message("t", headers=[("a", b"1"), ("a", b"2"), ("b", None)])
        self.assertEqual((message.header("a"), message.header("b"), message.header("c")), ("2", None, None))

    def test_a_timestamp_is_exact(self):
        moment = datetime(2025, 11, 20, 8, 0, 0, 1000, tzinfo=timezone.utc)
        self.assertEqual(Message("t", timestamp_ms=1763625600001).timestamp, moment)
        self.assertIsNone(Message("t").timestamp)

    def test_failures_are_equal_by_code_and_message(self):
        self.assertEqual(reject("a", "b"), Failure("a", "b"))
        self.assertEqual(str(reject("a", "b")), "a: b")
