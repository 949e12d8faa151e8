"""Structured logging: ``log.info("settled", order_id=7)``. The host adds binding, plugin and the message's place."""

from __future__ import annotations

from forebay_plugin import host


def write(level: str, message: object, fields: dict[str, object]) -> None:
    """Writes a line of a level, with names and values for machines."""
    host.current.write(level, host.shown(message), [(host.shown(name), host.shown(fields[name])) for name in fields])


def trace(message: object, /, **fields: object) -> None:
    """Every step."""
    write("trace", message, fields)


def debug(message: object, /, **fields: object) -> None:
    """For whoever looks for a fault."""
    write("debug", message, fields)


def info(message: object, /, **fields: object) -> None:
    """Worth knowing in ordinary life."""
    write("info", message, fields)


def warn(message: object, /, **fields: object) -> None:
    """Odd, but the message is handled."""
    write("warn", message, fields)


def error(message: object, /, **fields: object) -> None:
    """The message fails. The last line of this level stands in the dead letter if the handler then raises."""
    write("error", message, fields)
