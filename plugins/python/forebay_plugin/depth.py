"""How deep JSON is nested: a reader that calls itself for each level runs out of stack, which no handler survives."""

from __future__ import annotations

import re

#: Lists and objects within one another. The SDKs of all languages take as many.
DEPTH_MAX = 127

_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def is_too_deep(text: bytes) -> bool:
    """Whether JSON is nested deeper than that. Costs next to nothing where there are few brackets."""
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False
    # Only brackets, one level taken away at a time.
    rest = text.translate(_ALIKE, _NO_BRACKETS)
    for _ in range(DEPTH_MAX):
        length = len(rest)
        rest = rest.replace(b"[]", b"")
        if len(rest) == length:
            break
    return bool(rest) and _is_too_deep_for_sure(text)


def _is_too_deep_for_sure(text: bytes) -> bool:
    """The same where brackets stand in texts, or have no other half."""
    depth = 0
    for token in _TOKEN.finditer(text):
        match token[0][:1]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
        if depth > DEPTH_MAX:
            return True
    return False
