"""Whether a link has been taken back: by hand, or its person was erased since, or is nobody that is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from retarget.errors import LaneRefused, Unreachable
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.personal.links import Link
from retarget.times import MINUTE
from streams.ports import UnknownOutcome
from streams.topics import lane_of

Revoked = Callable[[Link], Awaitable[bool]]
# A device leads to its owner, and no further.
_HOPS: Final = 3


class Untold(Exception):
    """Nobody can say now whether it has been taken back."""


class _Journeys(Protocol):
    async def journey(self, lane: int, person: str) -> bytes | None:
        """The stored journey of one person, to be looked at only. Raises UnknownOutcome."""

    async def link_is_revoked(self, message_id: str) -> bool:
        """Whether somebody has taken the link of this message back. Raises UnknownOutcome."""


class ByStore:
    """Asks the store's image of the journeys, which is behind by a batch at most."""

    def __init__(self, store: _Journeys, lanes: int) -> None:
        self._store, self._lanes = store, lanes

    async def __call__(self, link: Link) -> bool:
        """Whether it leads nowhere any more. Raises Untold."""
        if await self._by_hand(link):
            return True
        person = link.person
        for _ in range(_HOPS):
            journey = await self._journey(person)
            if journey is None or journey.was_erased(link.made_at):
                return True
            if not journey.moved:
                # Whoever has come since under an id that was let go is somebody new.
                return journey.first > link.made_at + MINUTE
            person = journey.moved[0][1]
        return True

    async def _by_hand(self, link: Link) -> bool:
        try:
            return await self._store.link_is_revoked(link.message_id)
        except (UnknownOutcome, Unreachable) as error:
            raise Untold(str(error)) from error

    async def _journey(self, person: str) -> Journey | None:
        try:
            found = await self._store.journey(lane_of(person, self._lanes), person)
            return None if found is None else wire.decode(found)
        except (UnknownOutcome, LaneRefused, Unreachable) as error:
            raise Untold(str(error)) from error
