"""What a handler answers: effects in order, or a skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forebay_plugin import value as values
from forebay_plugin.value import Tagged, Value


@dataclass(frozen=True)
class Row:
    """A row for a target: the columns' names and values."""

    target: str
    columns: dict[str, Tagged]


@dataclass(frozen=True)
class Publish:
    """A message for a target that is a topic."""

    target: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass
class Outcome:
    """What becomes of a message that is not rejected. Made by :func:`apply` or :func:`skip`."""

    #: What is to be done, in this order: the effect's name, and its row or message.
    effects: list[tuple[str, Row | Publish]] = field(default_factory=list)
    #: Why the message is skipped.
    skipped: str | None = None

    def upsert(self, target: str, row: Mapping[str, Value] | None = None, /, **columns: Value) -> Outcome:
        """Inserts the row, or changes the given columns of the one with its key."""
        return self._row("upsert", target, row, columns)

    def insert(self, target: str, row: Mapping[str, Value] | None = None, /, **columns: Value) -> Outcome:
        """Appends a row, once."""
        return self._row("insert", target, row, columns)

    def update(self, target: str, row: Mapping[str, Value] | None = None, /, **columns: Value) -> Outcome:
        """Changes the given columns of the row with this key."""
        return self._row("update", target, row, columns)

    def add(self, target: str, row: Mapping[str, Value] | None = None, /, **columns: Value) -> Outcome:
        """Adds to numeric columns of the row with this key; the row is made if it is missing."""
        return self._row("add", target, row, columns)

    def delete(self, target: str, row: Mapping[str, Value] | None = None, /, **columns: Value) -> Outcome:
        """Removes the row with this key. The row has the key's columns and no others."""
        return self._row("delete", target, row, columns)

    def publish(
        self,
        target: str,
        *,
        key: str | bytes | None = None,
        value: str | bytes | None = None,
        json: Any = None,
        headers: Mapping[str, str | bytes | None] | None = None,
    ) -> Outcome:
        """Sends a message once the rows are committed. ``json`` takes the place of ``value``; neither is a tombstone."""
        body = value if json is None else values.json(json)
        pairs = [(_name(name), _bytes(given, "a header")) for name, given in (headers or {}).items()]
        message = Publish(_name(target), _bytes(key, "the key"), _bytes(body, "the value"), pairs)
        return self._effect("publish", message)

    def _row(self, effect: str, target: str, row: Mapping[str, Value] | None, columns: dict[str, Value]) -> Outcome:
        given = columns if row is None else {**row, **columns}
        tagged = {_name(name): values.column(target, name, given[name]) for name in given}
        return self._effect(effect, Row(_name(target), tagged))

    def _effect(self, effect: str, what: Row | Publish) -> Outcome:
        # A skipped message with an effect is no longer skipped.
        self.skipped = None
        self.effects.append((effect, what))
        return self


def apply() -> Outcome:
    """Starts an outcome without effects, to which they are added: ``apply().upsert("orders", id=1)``."""
    return Outcome()


def skip(reason: str) -> Outcome:
    """Ignores the message on purpose. The reason is counted, so it is short and of few distinct values."""
    return Outcome(skipped=values.text(str(reason), "the reason"))


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name is text, and this is a {type(name).__name__}")
    return name if name.isascii() else values.text(name, "a name")


def _bytes(value: str | bytes | None, what: str) -> bytes | None:
    if isinstance(value, str):
        return values.text(value, what).encode()
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"{what} of a published message is text, bytes or None, not a {type(value).__name__}")
