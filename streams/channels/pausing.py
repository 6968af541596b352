"""Kill switches for what lies in a channel's topic already: it is not handed over while one is on."""

from __future__ import annotations

from collections.abc import Mapping

from retarget.engine.gates import EVERYTHING
from retarget.messages import Message
from retarget.times import format_time

# What undoes something goes out whatever is paused.
_UNDOING = frozenset({"recall", "remove"})


def stopped_by(message: Message, pauses: Mapping[str, int]) -> str | None:
    """Which of these switches, and since when, in words; None when the message may go."""
    if message.operation in _UNDOING or not pauses:
        return None
    for switch in (EVERYTHING, message.rule, message.channel):
        if switch in pauses:
            what = "everything" if switch == EVERYTHING else switch
            return f"{what} is paused since {format_time(pauses[switch])}"
    return None
