"""The clocks of the machine, in ms."""

from __future__ import annotations

import time


def now_ms() -> int:
    """The present, epoch ms."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """A clock for progress: milliseconds that never jump."""
    return time.monotonic_ns() // 1_000_000
