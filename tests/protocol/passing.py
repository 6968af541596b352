"""The time that passes in a world."""

from __future__ import annotations


class Passing:
    """With each operation, and wherever somebody waits."""

    def __init__(self) -> None:
        self.ms = 0

    def now(self) -> int:
        """In ms."""
        return self.ms

    def add(self, ms: int) -> None:
        """Let some pass."""
        self.ms += ms
