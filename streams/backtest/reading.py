"""Reading: one record of a backtest's input, as what it tells a lane; and files as such records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from retarget.catalogue import Fanned, pack
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.files import FileEvent

NO_TIME: Final = -1


class Told(NamedTuple):
    """One record: what it tells the clock of its lane (-1: nothing), and the event when there is one.

    An event without a person is for everybody: a change of price or stock. `listed` has the bytes of a record
    of the catalogue as a lane gets them. `timestamp` is the record's own, -1 without one; `reason` is set
    when the record cannot be used.
    """

    lane: int
    tells: int
    event: Touchpoint | None
    timestamp: int = NO_TIME
    reason: str = ""
    listed: bytes | None = None


def of_files(events: Iterable[FileEvent]) -> Iterator[Told]:
    """Files are one lane, and their records have no timestamps: as in a replay."""
    for each in events:
        found = each.found
        if isinstance(found, Rejected):
            yield Told(0, NO_TIME, None, reason=found.reason)
        elif found.time < 0:
            yield Told(0, NO_TIME, None, reason="bad_time")
        elif each.listed:
            fanned = Fanned(0, 0, None, each.raw, f"{each.file}:{each.line}", found.time)
            yield Told(0, NO_TIME, found, listed=pack(fanned))
        else:
            yield Told(0, found.time, None if found.type == "heartbeat" else found)
