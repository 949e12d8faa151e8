"""Each way to answer with more than the message says. ``what`` in the manifest's config says which."""

import random
from dataclasses import dataclass
from datetime import datetime, timezone

from forebay_plugin import Message, Outcome, apply

seen = 0

# A random generator of one's own, seeded once.
own = random.Random(7)


@dataclass
class Settings:
    what: str


def handle(message: Message, settings: Settings) -> Outcome:
    global seen
    amount = 0
    if settings.what == "count":
        seen += 1
        amount = seen
    if settings.what == "random":
        amount = own.randrange(1_000_000)
    # What the SDK seeds for each message anew is a function of the message.
    if settings.what == "nothing":
        amount = random.randrange(1000)
    now = datetime.now(timezone.utc)
    return apply().upsert("items", id=message.key_text(), title=settings.what, amount=amount, updated_at=now)
