"""Where words and numbers go. Without a host, in tests, lines go to standard error and metrics nowhere."""

from __future__ import annotations

import sys
from typing import Protocol


class Host(Protocol):
    """What a handler may call."""

    def write(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        """Writes a line."""

    def count(self, name: str, delta: int) -> None:
        """Adds to a counter."""

    def observe(self, name: str, value: float) -> None:
        """Enters a value into a histogram."""


class Native:
    """No host."""

    def write(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        """Writes a line to standard error."""
        shown = "".join(f" {name}={value!r}" for name, value in fields)
        sys.stderr.write(f"{level} {message}{shown}\n")

    def count(self, name: str, delta: int) -> None:
        """Goes nowhere."""

    def observe(self, name: str, value: float) -> None:
        """Goes nowhere."""


current: Host = Native()


def use(host: Host) -> None:
    """Gives words and numbers to another host."""
    global current
    current = host


def shown(value: object) -> str:
    """Turns what goes into a line into text. It does not fail: a line is not worth a message."""
    try:
        text = str(value)
    except Exception as error:  # whatever a class of the plugin's own may raise
        text = f"<{type(value).__name__}: {type(error).__name__}>"
    return text.encode("utf-8", "replace").decode("utf-8")
