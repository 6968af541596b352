"""How long topics keep what is told of people: once, for the settings and for whoever makes topics."""

from __future__ import annotations

from typing import Final, NamedTuple

from retarget.times import DAY, HOUR

# Kafka deletes whole segments: what is in one may stay for as long as it takes others, and is gone in a day.
SEGMENT: Final = 23 * HOUR
LATER: Final = DAY


class Kept(NamedTuple):
    """For how long at least, ms; a record is gone `LATER` after that at the latest."""

    messages: int = 7 * DAY
    decisions: int = 30 * DAY
    dead: int = 30 * DAY


KEPT: Final = Kept()
