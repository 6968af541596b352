"""Log lines while a screen is in use: warnings of the engine are kept for the end, the rest is dropped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

# Clients that lose a server which the demo itself has stopped say so at length.
_MUTED = ("aiohttp", "aiokafka", "asyncio", "faust", "mode")


class Complaints(logging.Handler):
    """Collects the warnings of the engine, each once, with how often it came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember one."""
        detail = f": {record.exc_info[1]!r}" if record.exc_info else ""
        self.heard[f"{record.name}: {record.getMessage()}{detail}"] += 1


@contextmanager
def listening() -> Iterator[Complaints]:
    """Take all log lines; what was there before is there again afterwards."""
    root, complaints = logging.getLogger(), Complaints()
    before = root.handlers
    root.handlers = [complaints]
    for name in _MUTED:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield complaints
    finally:
        root.handlers = before
