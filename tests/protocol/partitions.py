"""Partitions of topics, and those of one lane among them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Place: TypeAlias = tuple[str, int]  # topic, partition


class Own(MutableMapping[str, T]):
    """By topic, what is kept of a lane's own partition; what is kept of all of them has a default."""

    def __init__(self, kept: MutableMapping[Place, T], lane: int) -> None:
        self._kept, self._lane = kept, lane

    def __getitem__(self, topic: str) -> T:
        """Of a topic; what is not there is made."""
        return self._kept[topic, self._lane]

    def __setitem__(self, topic: str, value: T) -> None:
        """Of a topic."""
        self._kept[topic, self._lane] = value

    def __delitem__(self, topic: str) -> None:
        """Of a topic."""
        del self._kept[topic, self._lane]

    def __iter__(self) -> Iterator[str]:
        """The topics."""
        return iter([topic for topic, lane in self._kept if lane == self._lane])

    def __len__(self) -> int:
        """How many topics."""
        return sum(lane == self._lane for _, lane in self._kept)
