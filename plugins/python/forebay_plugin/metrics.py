"""Numbers for the host's metrics, which adds binding, plugin and digest."""

from __future__ import annotations

from forebay_plugin import host


def count(name: str, delta: int = 1) -> None:
    """Adds ``delta`` to the counter ``name``."""
    if not isinstance(delta, int) or not 0 <= delta < 1 << 64:
        raise ValueError(f"metrics.count({name!r}, {delta!r}): a counter grows by a whole number from 0")
    host.current.count(host.shown(name), int(delta))


def observe(name: str, value: float) -> None:
    """Enters ``value`` into the histogram ``name``."""
    host.current.observe(host.shown(name), float(value))
