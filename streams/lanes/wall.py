"""The wall: the one clock and the one way to wait that lanes know; tests put others in its place."""

from __future__ import annotations

import asyncio
from typing import Protocol

from streams.clocks import now_ms


class Wall(Protocol):
    """The time outside, and waiting for it."""

    def now(self) -> int:
        """Epoch ms."""

    async def sleep(self, seconds: float) -> None:
        """Let others work for so long."""


class RealWall:
    """The clock of the machine."""

    def now(self) -> int:
        """Epoch ms."""
        return now_ms()

    async def sleep(self, seconds: float) -> None:
        """Let others work for so long."""
        await asyncio.sleep(seconds)
