"""Membership: what workers do with the group, so that the lane changes hands as it does outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.protocol.group import SESSION_MS, Group
from tests.protocol.world import Passing, Worker

_DRAIN_MS: Final = 8_000  # so long may a lane take to finish its batch


class Membership:
    """The group's members. Heartbeats go out by themselves, but for those who are paused."""

    def __init__(self, passing: Passing, workers: Mapping[str, Worker], first: str) -> None:
        """`first`: the only member as yet."""
        self._passing, self._workers = passing, workers
        self._group = Group(passing.now)
        self._group.join(first)
        self._paused: set[str] = set()
        self._leaving: dict[str, str] = {}  # who goes -> who comes instead
        self._until: dict[str, int] = {}  # ms, by when one that stops has to be at its end

    @property
    def owner(self) -> str | None:
        """Who has the lane."""
        return self._group.owner

    @property
    def at_rest(self) -> bool:
        """Whether nobody comes or goes."""
        return not self._group.rebalancing and not self._leaving

    def replace(self, paused: str, heir: str) -> None:
        """Pause one until its session is over, and have another one there by then."""
        self._paused.add(paused)
        self._leaving.pop(paused, None)
        self.join(heir)
        self._passing.add(SESSION_MS)
        self.keep()

    def join(self, name: str) -> None:
        """Have one more member."""
        self._paused.discard(name)
        self._group.join(name)

    def leave(self, name: str, heir: str) -> None:
        """Let a member go in good order, and another one come."""
        self._leaving[name] = heir

    def keep(self) -> None:
        """Heartbeats and what they are answered with; who is silent for too long is no member any more."""
        for name in self._heard():
            self._group.heartbeat(name, self._group.generation)
        self._group.expire()
        for name in self._heard():
            answer = self._group.heartbeat(name, self._group.generation)
            told = answer == "rebalancing" and not self._group.has_joined(name)
            if (told or name in self._leaving) and self._has_stopped(name):
                self._answer(name)

    def _heard(self) -> list[str]:
        return [name for name in self._group.members if name not in self._paused]

    def _answer(self, name: str) -> None:
        heir = self._leaving.pop(name, None)
        if heir is None:
            self._group.join(name)
        else:
            self._group.leave(name)
            self._group.join(heir)

    def _has_stopped(self, name: str) -> bool:
        """Whether it has nothing of the lane any more; it is told to finish, and not waited for too long."""
        worker = self._workers.get(name)
        if worker is not None and worker.pending is not None:
            worker.stop()
            until = self._until.setdefault(name, self._passing.now() + _DRAIN_MS)
            if self._passing.now() < until:
                return False
            worker.crash()
        self._until.pop(name, None)
        return True
