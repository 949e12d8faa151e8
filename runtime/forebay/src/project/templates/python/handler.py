"""A message is an item as it stands: it becomes a row of the table, or it is rejected with the reason.

The handler is a pure function. It sees one message and answers with values; reading, writing, retrying, dead-lettering and
committing are Forebay's part. forebay_plugin/README.md tells what it may do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from forebay_plugin import Message, Outcome, apply, reject

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass
class Item:
    """What a message's value says, as JSON. What does not fit ends as a dead letter ``malformed``."""

    id: str
    title: str
    amount: int
    updated_at: int  # milliseconds since the Unix epoch


@dataclass
class Settings:
    """``config`` of this plugin in forebay.toml."""

    largest_amount: int


def handle(message: Message, settings: Settings) -> Outcome:
    # A null value says that what the key names is no more.
    if message.is_tombstone:
        return apply().delete("items", id=message.key_text())
    item = message.object(Item)
    # A rule of your own, with a code that dead letters and metrics carry.
    if item.amount > settings.largest_amount:
        raise reject("too-much", f"amount {item.amount} is above {settings.largest_amount}")
    updated_at = EPOCH + timedelta(milliseconds=item.updated_at)
    return apply().upsert("items", id=item.id, title=item.title, amount=item.amount, updated_at=updated_at)
