"""Granting: a lane that is short of a rule's ceiling asks for more before its next batch."""

from __future__ import annotations

from retarget.engine.ceilings import Granted, Shortage
from retarget.lane.lane import Lane
from streams.lanes.patience import Insisting
from streams.ports import Ask, JourneyStore


class Granting:
    """Asks the store, which knows what the other lanes have, until it answers."""

    def __init__(self, number: int, store: JourneyStore, insisting: Insisting) -> None:
        self._number, self._store, self._insisting = number, store, insisting

    async def ask(self, lane: Lane, lanes: int) -> dict[str, Granted]:
        """What the lane has from now on of all that it lacks; `lanes` share the ceilings."""
        return {rule: await self._of(lane, rule, lanes) for rule in sorted(lane.short)}

    async def _of(self, lane: Lane, rule: str, lanes: int) -> Granted:
        shortage = lane.short[rule]
        ask = Ask(rule, shortage, self._number, _has(lane, rule, shortage), lanes)
        return await self._insisting.ask(lambda: self._store.grant(ask))


def _has(lane: Lane, rule: str, shortage: Shortage) -> int:
    """What the lane knows to be its own; what it has sent has been granted, by whatever rule of the game."""
    granted, (window, sent) = lane.granted.get(rule), lane.risen.get(rule, (-1, 0))
    most = granted.most if granted is not None and granted.window == shortage.window else 0
    return max(most, sent if window == shortage.window else 0)
