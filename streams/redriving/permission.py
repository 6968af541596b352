"""Whether a message may still go to its person, by what the engine knows of them now.

It was decided a while ago: since then they may have been erased, or have withdrawn, and somebody may have
thrown a kill switch. What takes something back protects people, and passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from retarget.decode import read_time
from retarget.engine import reach
from retarget.engine.gates import EVERYTHING
from retarget.engine.policy import Policy
from retarget.errors import Rejected
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.lane.crossing import MOST_HOPS
from retarget.times import format_time
from streams.lanes.bundle import policy_of
from streams.settings import Settings
from streams.stores import Store, open_store
from streams.topics import lane_of

_UNDOING: Final = frozenset({"recall", "remove"})


class Refusal(NamedTuple):
    """Why a message goes out no more: in a word, and in a sentence."""

    reason: str
    detail: str


class Permission:
    """Asks the store of one engine."""

    def __init__(self, store: Store, lanes: int, policy: Policy, pauses: Mapping[str, int]) -> None:
        """`pauses`: the kill switches in force, and since when."""
        self._store, self._lanes, self._policy, self._pauses = store, lanes, policy, pauses

    async def refusal(self, message: Mapping[str, Any], channel: str, now: int) -> Refusal | None:
        """Why this message for `channel` may not go out at `now` (epoch ms); None: it may.

        Raises UnknownOutcome, LaneRefused for a journey of another build.
        """
        if message.get("operation") in _UNDOING:
            return None
        for switch in (EVERYTHING, str(message.get("rule")), channel):
            if switch in self._pauses:
                return Refusal("paused", f"{switch} is paused since {format_time(self._pauses[switch])}")
        due = _time(message.get("due"))
        journey = await self._journey(str(message.get("person") or ""), due)
        if journey is None:
            return Refusal("erased", "nothing is stored of its person")
        return self._of_person(journey, str(message.get("purpose", "marketing")), channel, due, now)

    def _of_person(self, journey: Journey, purpose: str, channel: str, due: int, now: int) -> Refusal | None:
        # Who has done nothing since is known by nothing that was decided for them since.
        if journey.was_erased(due) or (journey.erased and not journey.recent_marks):
            return Refusal("erased", f"its person was erased at {format_time(journey.erased_at)}")
        until = journey.pauses.get(purpose, 0)
        if now < until:
            return Refusal("paused", f"{purpose} for the person until {format_time(until)}")
        if not reach.may_address(journey, purpose, channel, self._policy, due):
            return Refusal("no_consent", f"there is no consent of its person to {purpose} by {channel}")
        return None

    async def _journey(self, person: str, due: int) -> Journey | None:
        """That of the person, or of whom they have turned out to be."""
        for _ in range(MOST_HOPS):
            _, [data] = await self._store.load(lane_of(person, self._lanes), [person])
            journey = None if data is None else wire.decode(data)
            if journey is None or not journey.moved or journey.was_erased(due):
                return journey
            person = journey.owner(due)
        return None


@asynccontextmanager
async def permission_of(settings: Settings) -> AsyncIterator[Permission]:
    """That of the engine of these settings. Raises Unreachable, UnknownOutcome."""
    lanes = settings.kafka.partitions
    store = await open_store(settings.store.url, settings.app.id, lanes)
    try:
        yield Permission(store, lanes, policy_of(settings, lanes, {}), await store.pauses())
    finally:
        await store.close()


def _time(given: object) -> int:
    with suppress(Rejected):
        return read_time(given)
    return 0
