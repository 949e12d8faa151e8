"""From JSON to a dataclass: what is missing or of another type is malformed, and named."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar

from forebay_plugin.failure import MALFORMED, Failure

T = TypeVar("T")


class Fields(dict):  # type: ignore[type-arg]
    """A JSON object. A field that is asked for and missing is malformed; ``get`` asks without that."""

    def __missing__(self, name: str) -> Any:
        raise Failure(MALFORMED, f"missing field `{name}`")


def read(kind: type[T], data: object, *, strict: bool = False) -> T:
    """Makes a dataclass of a JSON object. ``strict`` refuses fields that it does not have.

    Fields are str, int, float, bool, Decimal (text or a whole number in JSON), lists, dicts, other dataclasses, any of
    these ``| None``, or Any. A field with a default may be missing. ``-`` in a name is ``_`` in the field's.
    """
    if not isinstance(data, Mapping):
        raise Failure(MALFORMED, f"expected an object, found {_name_of(data)}")
    known = _fields(kind)
    values = {}
    for name, value in data.items():
        field = name.replace("-", "_")
        if field in known:
            hint = known[field][0]
            values[field] = value if type(value) is hint else _value(hint, value, name)
        elif strict:
            names = ", ".join(f"`{name}`" for name in known)
            raise Failure(MALFORMED, f"unknown field `{name}`, expected {names}")
    for field, (_, is_needed) in known.items():
        if is_needed and field not in values:
            raise Failure(MALFORMED, f"missing field `{field}`")
    return kind(**values)


@lru_cache(maxsize=None)
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    """Each field's type, and whether it has to be there."""
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind!r} is no dataclass")
    hints = typing.get_type_hints(kind)
    nothing = dataclasses.MISSING
    fields = [field for field in dataclasses.fields(kind) if field.init]
    return {f.name: (hints[f.name], f.default is nothing and f.default_factory is nothing) for f in fields}


def _value(hint: Any, value: Any, name: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        [hint, *more] = [arg for arg in args if arg is not type(None)]
        return value if more else _value(hint, value, name)
    if hint is Decimal:
        return _decimal(value, name)
    if origin is list and isinstance(value, list):
        return [_value(args[0], item, name) for item in value]
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return read(typing.cast(type, hint), value)
    if hint is float and type(value) is int:
        return float(value)
    kind = origin or hint
    # True is an int to Python, and none to anybody else.
    if isinstance(value, kind) and (not isinstance(value, bool) or kind is bool):
        return value
    wanted = getattr(kind, "__name__", str(kind))
    raise Failure(MALFORMED, f"field `{name}` is {_name_of(value)}, expected {wanted}")


def _decimal(value: Any, name: str) -> Decimal:
    """A fraction as a JSON number may have lost digits on its way."""
    try:
        if isinstance(value, (str, Decimal)) or type(value) is int:
            return Decimal(value)
    except InvalidOperation:
        pass
    raise Failure(MALFORMED, f'field `{name}` is {_name_of(value)}, expected a decimal as text such as "12.50"')


def _name_of(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a fraction", bool: "a boolean"}
    return next((name for kind, name in names.items() if type(value) is kind), type(value).__name__)
