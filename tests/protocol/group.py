"""A consumer group as its coordinator keeps it: members, sessions, generations, and who has the lane.

Joining and the assignment that follows are one step here. The lane goes to whoever joined last: it is one of
those that a newcomer is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

SESSION_MS: Final = 10_000
REBALANCE_MS: Final = 60_000

Answer = Literal["ok", "rebalancing", "illegal generation", "unknown member"]


class Member(msgspec.Struct):
    """What the coordinator knows of one."""

    heard: int  # ms, when it last said anything
    joined: bool = True  # for the generation that is being made


class Group:
    """One group, of which the lane is one partition."""

    def __init__(self, now: Callable[[], int]) -> None:
        """`now`: ms that have passed."""
        self._now = now
        self._members: dict[str, Member] = {}  # in the order in which they came
        self._since: int | None = None  # when the rebalance began that is under way
        self._whole: tuple[str, ...] = ()  # the members of the last generation that began
        self.generation = 0
        self.owner: str | None = None  # of the lane, in this generation

    @property
    def members(self) -> tuple[str, ...]:
        """Those that the coordinator counts."""
        return tuple(self._members)

    @property
    def rebalancing(self) -> bool:
        """Whether it waits for members to join again."""
        return self._since is not None

    def join(self, name: str) -> None:
        """Ask to be in the next generation, which begins when every member has asked."""
        if name not in self._members or self.rebalancing:
            self._begin()
            self._members[name] = Member(self._now())
            self._complete()

    def has_joined(self, name: str) -> bool:
        """Whether a member waits for the next generation."""
        return self.rebalancing and self._members[name].joined

    def leave(self, name: str) -> Answer:
        """Go, in good order."""
        if name not in self._members:
            return "unknown member"
        self._drop(name)
        return "ok"

    def heartbeat(self, name: str, generation: int) -> Answer:
        """A sign of life; the answer tells of a rebalance."""
        if name not in self._members:
            return "unknown member"
        answer = self.commit(name, generation)
        return "rebalancing" if answer == "ok" and self.rebalancing else answer

    def commit(self, name: str, generation: int) -> Answer:
        """Whether the member's offsets are taken."""
        member = self._members.get(name)
        if member is None and self.generation:
            return "unknown member"
        if member is None or generation != self.generation:
            return "illegal generation"
        member.heard = self._now()
        return "ok"

    def move(self) -> None:
        """Have another node be the coordinator: it knows the last generation that began, and no more.

        Whoever has asked to join or to leave since has to ask again, and every session begins anew.
        """
        self._since = None
        self._members = {name: Member(self._now()) for name in self._whole}

    def expire(self) -> None:
        """Go on without those whose session is over, or who have not joined in time."""
        late = self._since is not None and self._now() - self._since >= REBALANCE_MS
        for name, member in list(self._members.items()):
            waits = self.rebalancing and member.joined  # its session rests meanwhile
            silent = not waits and self._now() - member.heard >= SESSION_MS
            if silent or (late and not member.joined):
                self._drop(name)

    def _drop(self, name: str) -> None:
        del self._members[name]
        self._begin()
        self._complete()

    def _begin(self) -> None:
        if not self.rebalancing:
            self._since = self._now()
            for member in self._members.values():
                member.joined = False

    def _complete(self) -> None:
        if all(member.joined for member in self._members.values()):
            self._since = None
            self.generation += 1
            self._whole = self.members
            self.owner = next(reversed(self._members), None)
            for member in self._members.values():
                member.heard = self._now()
