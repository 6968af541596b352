"""Waits: who is to be looked at when, in the order (due, person), as far ahead as they have been loaded.

A wait is armed lazily: a touch that moves the due later leaves it in place, and when it fires the journey
says whether there is anything to do. An entry that is no longer the person's armed wait is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush


class Waits:
    """The near future of one lane: all waits due up to `horizon` (epoch ms)."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, str]] = []  # to be looked at only; always the same list
        self.horizon = -1

    def __len__(self) -> int:
        return len(self.heap)

    def load(self, page: Iterable[tuple[int, str]], horizon: int) -> None:
        """Take in the stored waits up to a further horizon."""
        self.heap.extend(page)
        heapify(self.heap)
        self.horizon = horizon

    def arm(self, due: int, person: str) -> None:
        """Note a wait; beyond the horizon the store alone keeps it until its page is loaded."""
        if due <= self.horizon:
            heappush(self.heap, (due, person))

    def next_due(self) -> int | None:
        """The due of the first wait, stale entries included."""
        return self.heap[0][0] if self.heap else None

    def pop(self) -> tuple[int, str]:
        """Take the first wait out."""
        return heappop(self.heap)

    def until(self, due: int) -> list[str]:
        """The persons with a wait due up to `due`."""
        return [person for at, person in self.heap if at <= due]
