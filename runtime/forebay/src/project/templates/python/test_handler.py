import json
import unittest
from datetime import datetime, timezone

from forebay_plugin import Failure, Message, apply
from handler import Settings, handle

SETTINGS = Settings(largest_amount=10)


def item(amount: int) -> Message:
    value = json.dumps({"id": "a-1", "title": "first", "amount": amount, "updated_at": 1500})
    return Message("{{name}}", key="a-1", value=value)


class TestHandler(unittest.TestCase):
    def test_an_item_becomes_a_row(self) -> None:
        updated_at = datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=timezone.utc)
        row = {"id": "a-1", "title": "first", "amount": 7, "updated_at": updated_at}
        self.assertEqual(handle(item(7), SETTINGS), apply().upsert("items", row))

    def test_too_much_is_rejected_with_the_reason(self) -> None:
        with self.assertRaises(Failure) as caught:
            handle(item(11), SETTINGS)
        self.assertEqual(str(caught.exception), "too-much: amount 11 is above 10")

    def test_what_is_no_item_is_malformed(self) -> None:
        for value in ("hello", "5", "{}"):
            with self.assertRaises(Failure) as caught:
                handle(Message("{{name}}", value=value), SETTINGS)
            self.assertEqual(caught.exception.code, "malformed")

    def test_a_tombstone_deletes_the_row(self) -> None:
        outcome = handle(Message("{{name}}", key="a-1"), SETTINGS)
        self.assertEqual(outcome, apply().delete("items", id="a-1"))


if __name__ == "__main__":
    unittest.main()
