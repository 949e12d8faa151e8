"""What may stand in a column, and from which values of Python it is made."""

from __future__ import annotations

import json as _json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Union
from uuid import UUID

from forebay_plugin.failure import MALFORMED, Failure

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

#: What a column takes. ``None`` writes NULL.
Value = Union[str, int, float, bool, bytes, bytearray, memoryview, Decimal, datetime, date, time, UUID, Enum, None]

#: A value as the contract has it: the variant's name, and what it carries.
Tagged = tuple[str, Any]


def json(value: object) -> str:
    """Makes a value for a json column. A ``Decimal``, a time or a ``UUID`` in it becomes text."""
    return _json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_json)


def _as_json(value: object) -> object:
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def column(target: str, name: str, value: object) -> Tagged:
    """Makes the value of a column."""
    # Most values, before the many patterns that an interpreter tries one by one.
    kind = type(value)
    if kind is str and value.isascii():
        return ("text", value)
    if kind is int and -(1 << 63) <= value < 1 << 63:
        return ("integer", value)
    match value:
        case None:
            return ("null", None)
        case Enum():
            return column(target, name, value.value)
        case bool():
            return ("boolean", value)
        case int():
            # What 64 bits can not carry goes as text, which fits a numeric column.
            return ("integer", int(value)) if -(1 << 63) <= value < 1 << 63 else ("text", str(value))
        case float():
            return ("float", float(value))
        case str():
            return ("text", text(value, f"column `{name}` of `{target}`"))
        case bytes() | bytearray() | memoryview():
            return ("bytes", bytes(value))
        case Decimal():
            return ("text", format(value, "f") if value.is_finite() else str(value))
        case datetime():
            zoned = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value
            return ("timestamp-micros", (zoned - _EPOCH) // _MICROSECOND)
        case date() | time():
            return ("text", value.isoformat())
        case UUID():
            return ("text", str(value))
    what = f"column `{name}` of `{target}` is a {type(value).__name__}"
    raise Failure("no-column", f"{what}; json(value) makes text for a json column of a list, a dict or a tuple")


def text(value: str, what: str) -> str:
    """Returns the text if it is Unicode. JSON can bring half of a surrogate pair, which no database takes."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Failure(MALFORMED, f"{what} has half of a surrogate pair, which is no text") from None
    return str(value)
