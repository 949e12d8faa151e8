"""Reading a message; and making one by hand, for tests."""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

from forebay_plugin.depth import DEPTH_MAX, is_too_deep
from forebay_plugin.failure import MALFORMED, Failure
from forebay_plugin.reading import Fields, read

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Message:
    """One Kafka record. Key, value and headers are bytes; the methods read them as something else, or fail."""

    __slots__ = ("topic", "partition", "offset", "timestamp_ms", "key", "value", "headers", "metadata")

    def __init__(
        self,
        topic: str = "",
        *,
        key: str | bytes | None = None,
        value: str | bytes | None = None,
        headers: Mapping[str, str | bytes | None] | list[tuple[str, bytes | None]] | None = None,
        partition: int = 0,
        offset: int = 0,
        timestamp_ms: int | None = None,
        metadata: Mapping[str, str] | list[tuple[str, str]] | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        #: Milliseconds since the Unix epoch, or None.
        self.timestamp_ms = timestamp_ms
        self.key = _bytes(key)
        #: None is a tombstone, which is not the same as no bytes.
        self.value = _bytes(value)
        self.headers = [(name, _bytes(value)) for name, value in _pairs(headers)]
        self.metadata = _pairs(metadata)

    @property
    def is_tombstone(self) -> bool:
        """Whether the value is null."""
        return self.value is None

    @property
    def timestamp(self) -> datetime | None:
        """The message's timestamp, if it has one: the only clock there is."""
        return None if self.timestamp_ms is None else _EPOCH + timedelta(milliseconds=self.timestamp_ms)

    def bytes(self) -> bytes:
        """The value as bytes; a tombstone is malformed."""
        if self.value is None:
            raise Failure(MALFORMED, "the value is null (a tombstone)")
        return self.value

    def text(self) -> str:
        """The value as text; what is not UTF-8 is malformed."""
        return _text(self.bytes(), "the value")

    def json(self, *, decimals: bool = False) -> Any:
        """The value as JSON. With ``decimals``, fractions are ``Decimal`` and keep all their digits."""
        fraction = Decimal if decimals else None
        if is_too_deep(self.bytes()):
            raise Failure(MALFORMED, f"the value is JSON nested deeper than {DEPTH_MAX} levels")
        try:
            return _json.loads(self.text(), object_pairs_hook=Fields, parse_float=fraction, parse_constant=_constant)
        except _json.JSONDecodeError as error:
            place = f"line {error.lineno} column {error.colno}"
            raise Failure(MALFORMED, f"the value is no JSON: {error.msg} at {place}") from None

    def object(self, kind: type[T], *, decimals: bool = False) -> T:
        """The value as a dataclass, see :func:`read`; what does not fit it is malformed."""
        return read(kind, self.json(decimals=decimals))

    def key_text(self) -> str:
        """The key as text; a missing key, and what is not UTF-8, is malformed."""
        if self.key is None:
            raise Failure(MALFORMED, "the message has no key")
        return _text(self.key, "the key")

    def header(self, name: str) -> str | None:
        """The value of the last header of this name as text; None where there is none, or a null."""
        value = self.header_bytes(name)
        return None if value is None else _text(value, f"the header `{name}`")

    def header_bytes(self, name: str) -> bytes | None:
        """The value of the last header of this name as bytes; None where there is none, or a null."""
        return next((value for candidate, value in reversed(self.headers) if candidate == name), None)

    def fact(self, name: str) -> str | None:
        """A fact that the host added, or None."""
        return next((value for candidate, value in self.metadata if candidate == name), None)


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Failure(MALFORMED, f"{what} is not text: invalid UTF-8 at byte {error.start}") from None


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _pairs(given: Any) -> list[tuple[str, Any]]:
    return list(given.items() if isinstance(given, Mapping) else given or [])


def _constant(name: str) -> Any:
    raise Failure(MALFORMED, f"the value is no JSON: {name} is no number")
