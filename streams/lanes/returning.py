"""Coming back: what a lane does when the store has nothing of it, or half of a copy.

A copy goes into the store in portions, under sequences below 0: each portion is compared and set as every
checkpoint is, and two owners at work at the same time have numbers of their own. So one that is no longer the
owner writes nothing, and whoever finds such a number knows that the copy is not whole and begins again.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from retarget.errors import LaneRefused
from streams.lanes import positions as stored
from streams.lanes.limits import Reclaim
from streams.lanes.patience import Insisting
from streams.ports import (
    NOTHING_FOLLOWS,
    Checkpoint,
    Copies,
    History,
    JourneyStore,
    LaneCopy,
    LaneImage,
    LaneLog,
    Portion,
)

# Numbers of one try lie close together, those of two tries apart; all are whole numbers for Lua, up to 2^53.
_TRIES: Final = 1 << 28
_PORTIONS: Final = 1 << 24

_EMPTY: Final = LaneImage(0, b"")


async def _nothing(pauses: Mapping[str, int]) -> None:
    """Nobody minds kill switches."""


class Returning:
    """How lanes of a process come back."""

    def __init__(
        self,
        copies: Copies | None = None,
        regained: Callable[[Mapping[str, int]], Awaitable[None]] = _nothing,
        draw: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """`regained` hears the kill switches of a lane's last batch, which the store has lost as well."""
        self.copies, self.regained, self.draw = copies, regained, draw

    def of(self, lane: int, store: JourneyStore, log: LaneLog, insisting: Insisting) -> Return:
        """One lane's way back."""
        return Return(self, lane, store, log, insisting)


class Return:
    """One lane, once."""

    def __init__(
        self, how: Returning, lane: int, store: JourneyStore, log: LaneLog, insisting: Insisting
    ) -> None:
        self._how, self._lane, self._store, self._log, self._insisting = how, lane, store, log, insisting
        self._copy: LaneCopy | None = None

    @property
    def source(self) -> str:
        """Where the copy lies, for people."""
        return self._copy.source if self._copy else "the beginning of the inputs"

    async def restore(self, found: LaneImage) -> tuple[LaneImage, History]:
        """Put the newest copy into the store, if there is one; what the store holds then, and what follows.

        Raises LaneRefused when the copy is not of this journal, Reclaim when another owner writes.
        """
        if self._how.copies is not None:
            self._copy = await self._how.copies.newest(self._lane)
        wanted = self._copy.image if self._copy else _EMPTY
        history = await self._history_after(wanted)
        # Before anything else: what is paused must be so in the first batch, even after a crash in between.
        if pauses := self._pauses(history):
            await self._insisting.ask(lambda: self._how.regained(pauses))
        if self._copy is not None or found.sequence != 0:
            await self._put(found, wanted, history.first[1].now if history.first else NOTHING_FOLLOWS)
        return wanted, history

    def _pauses(self, history: History) -> Mapping[str, int]:
        if history.last is not None:
            return history.last[1].pauses
        return self._copy.pauses if self._copy else {}

    def impossible(self, why: LaneRefused) -> LaneRefused:
        """The refusal of a lane that cannot come back, with what to do."""
        copies = self._how.copies
        if self._copy is not None:
            tried = f"it was brought back from {self.source}, which is too old or not of this engine"
        elif copies is None:
            tried = "snapshot.folder is not set, so the inputs were read from their beginning"
        else:
            tried = f"{copies.place} has no snapshot of it, so the inputs were read from their beginning"
        return LaneRefused(
            f"lane {self._lane}: the store has lost it and it cannot come back; {tried}: {why}. Put a newer "
            f"snapshot into snapshot.folder, or restore the store from a backup, and restart the worker"
        )

    async def _history_after(self, wanted: LaneImage) -> History:
        """The journal, which must go on where the copy ends."""
        try:
            history = await self._log.history(stored.decode(wanted.meta).journal)
        except LaneRefused as why:
            raise self.impossible(why) from why
        if history.first is not None and history.first[1].sequence != wanted.sequence + 1:
            offset, record = history.first
            raise self.impossible(
                LaneRefused(
                    f"the journal goes on at offset {offset} with sequence {record.sequence}, and what "
                    f"stands before it ends with {wanted.sequence}"
                )
            )
        return history

    async def _put(self, found: LaneImage, wanted: LaneImage, follows: int) -> None:
        at = -(1 + self._how.draw(_TRIES)) * _PORTIONS
        await self._step(Checkpoint(expected=found.sequence, then=at, meta=b""))
        if found.sequence < 0:
            at = await self._clear(at)
        if self._copy is not None:
            async for portion in self._copy.portions(follows):
                await self._step(_filled(at, portion))
                at -= 1
        await self._step(Checkpoint(expected=at, then=wanted.sequence, meta=wanted.meta))

    async def _clear(self, at: int) -> int:
        """Take out what an earlier try has left; the number that is stored then."""
        async for portion in self._store.portions(self._lane):
            await self._step(emptied(at, portion))
            at -= 1
        return at

    async def _step(self, checkpoint: Checkpoint) -> None:
        found = await self._insisting.ask(lambda: self._store.checkpoint(self._lane, checkpoint))
        if found != checkpoint.after:
            raise Reclaim("store_changed", f"another worker brings lane {self._lane} back")
        self._insisting.gets_on(f"it comes back from {self.source}")


def _filled(at: int, portion: Portion) -> Checkpoint:
    return Checkpoint(
        expected=at,
        then=at - 1,
        meta=b"",
        journeys=portion.journeys,
        waits=portion.waits,
        listings=portion.listings,
        following=portion.following,
    )


def emptied(at: int, portion: Portion) -> Checkpoint:
    """What takes a portion out again, when `at` is the number that is stored."""
    return Checkpoint(
        expected=at,
        then=at - 1,
        meta=b"",
        forgotten=[person for person, _ in portion.journeys],
        unwaited=[person for person, _ in portion.waits],
        unlisted=[product for product, _ in portion.listings],
        unfollowing=portion.following,
    )
