"""Why a message, or a configuration, can not be handled."""

from __future__ import annotations

#: The code of what can not be read: bad JSON, text that is not UTF-8, a missing field.
MALFORMED = "malformed"


class Failure(Exception):
    """A handler raises it or returns it: the message becomes a dead letter with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        #: Short and of few distinct values: a metric's label and a dead letter's header.
        self.code = str(code)
        #: For people: what is wrong, where, and what was expected.
        self.message = str(message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failure) and (self.code, self.message) == (other.code, other.message)

    def __hash__(self) -> int:
        return hash((self.code, self.message))


def reject(code: str, message: str) -> Failure:
    """Makes a failure with a code of your own: ``raise reject("unknown-currency", f"no rate for {currency}")``."""
    return Failure(code, message)
