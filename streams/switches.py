"""The kill switches as a worker knows them: read twice a second, not forgotten when the store is lost.

A lane that has everybody in memory asks the store nothing before it decides. So it must not learn from a
store that was emptied that nothing is paused: what is missing there, and was not ended, is thrown again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from retarget.errors import Unreachable
from streams.ports import StoredSwitches, UnknownOutcome

_EVERY_S: Final = 0.5
log: Final = logging.getLogger("retarget.worker")


class HoldsSwitches(Protocol):
    """What of a store is asked for here."""

    async def switches(self) -> StoredSwitches:
        """The pauses in force, and those that were ended. Raises UnknownOutcome."""

    async def set_pause(self, name: str, since_ms: int | None) -> None:
        """Pause, or end a pause. Raises UnknownOutcome."""


class Switches:
    """Those of one worker."""

    def __init__(self, store: HoldsSwitches, shown: Callable[[int], object]) -> None:
        """`shown` hears how many are in force."""
        self._store, self._shown = store, shown
        self._reading = asyncio.Lock()
        self.in_force: Mapping[str, int] = {}
        self._is_silent = False  # whether the last reading failed
        self._are_known = False  # whether the store has told them once
        self._ended: dict[str, int] = {}

    async def read(self) -> None:
        """Take over what the store says; while it does not answer, what was in force is."""
        try:
            await self._compare(self.in_force)
        except (UnknownOutcome, Unreachable) as error:
            if not self._is_silent:
                log.warning("the kill switches cannot be read, those of before are in force: %s", error)
            self._is_silent = True
            return
        self._is_silent = False
        self._are_known = True

    def told(self) -> Mapping[str, int] | None:
        """Those in force; None while the store has not answered once."""
        return self.in_force if self._are_known else None

    async def follow(self) -> None:
        """Read them twice a second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.read()

    async def regained(self, pauses: Mapping[str, int]) -> None:
        """Those of a lane's last batch, which the store has lost with the lane. Raises UnknownOutcome."""
        await self._compare({**pauses, **self.in_force})

    async def _compare(self, known: Mapping[str, int]) -> None:
        """Throw again what is known and was lost, and go by what the store says then."""
        async with self._reading:
            stored = await self._store.switches()
            now = dict(stored.in_force)
            self._ended |= stored.ended
            for name, since in known.items():
                if name not in now and self._ended.get(name) != since:
                    log.warning("the store had lost the kill switch of %s, it is thrown again", name)
                    now[name] = since  # in force whether or not the store can be told now
                    self._take({**self.in_force, name: since})
                    await self._store.set_pause(name, since)
            self._take(now)

    def _take(self, pauses: Mapping[str, int]) -> None:
        if pauses != self.in_force:
            log.info("kill switches: %s", ", ".join(sorted(pauses)) or "none")
        self.in_force = pauses
        self._shown(len(pauses))
