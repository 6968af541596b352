"""The embedded broker for a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streams.embedded import EmbeddedBroker, PartMissing
from tests.support.missing import unavailable


def a_broker(folder: Path) -> Iterator[EmbeddedBroker]:
    """One that keeps its files in this folder, stopped at the end; skips where there is none to be had."""
    try:
        with EmbeddedBroker(folder=folder) as server:
            yield server
    except PartMissing as error:
        unavailable(str(error))
