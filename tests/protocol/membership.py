"""Membership: what workers do with the group, so that the lane changes hands as it does outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.protocol.group import SESSION_MS, Group
from tests.protocol.passing import Passing
from tests.protocol.world import Worker

_DRAIN_MS: Final = 8_000  # so long may a lane take to finish its batch
_LOADING_MS: Final = 4  # some steps of the lane


class Membership:
    """The group's members. Heartbeats go out by themselves, but for those who are paused."""

    def __init__(self, passing: Passing, workers: Mapping[str, Worker], first: str) -> None:
        """`first`: the only member as yet."""
        self._passing, self._workers = passing, workers
        self._group = Group(passing.now)
        self._group.join(first)
        self._paused: set[str] = set()
        self._coming: set[str] = set()  # who asks to join until it is a member
        self._leaving: dict[str, str] = {}  # who goes -> who comes instead
        self._moves_at = self._loaded_at = 0  # ms, of the coordinator
        self._until: dict[str, int] = {}  # ms, by when one that stops has to be at its end

    @property
    def owner(self) -> str | None:
        """Who has the lane."""
        return self._group.owner

    @property
    def at_rest(self) -> bool:
        """Whether nobody comes or goes."""
        return not (self._group.rebalancing or self._leaving or self.moving)

    @property
    def moving(self) -> bool:
        """Whether its coordinator moves, or has not loaded it yet."""
        return bool(self._moves_at) or self._passing.now() < self._loaded_at

    def replace(self, paused: str, heir: str) -> None:
        """Pause one until its session is over, and have another one there by then."""
        self._paused.add(paused)
        self._coming.discard(paused)
        self._leaving.pop(paused, None)
        self.join(heir)
        self._passing.add(SESSION_MS)
        self.keep()

    def join(self, name: str) -> None:
        """Have one more member."""
        self._paused.discard(name)
        self._coming.add(name)
        self._group.join(name)

    def move(self) -> None:
        """Have another coordinator in a moment: what was under way then has to be asked for again."""
        self._moves_at = self._passing.now() + _LOADING_MS

    def wait(self) -> None:
        """Let the coordinator move, or load."""
        self._passing.add(_LOADING_MS)
        self.keep()

    def leave(self, name: str, heir: str) -> None:
        """Let a member go in good order, and another one come."""
        self._leaving[name] = heir

    def keep(self) -> None:
        """Heartbeats and what they are answered with; who is silent for too long is no member any more."""
        if self._moves_at and self._passing.now() >= self._moves_at:
            self._moves_at, self._loaded_at = 0, self._passing.now() + _LOADING_MS
            self._group.move()
        if self._passing.now() < self._loaded_at:
            return  # every heartbeat is answered as if all were well
        self._coming.difference_update(self._group.members if not self._group.rebalancing else ())
        for name in sorted(self._coming.difference(self._group.members)):
            self._group.join(name)
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
            self._coming.discard(name)
            self._group.leave(name)
            self.join(heir)

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
