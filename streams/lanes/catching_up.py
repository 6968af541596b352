"""How a lane with a backlog gets on: at which rate it shrinks, and when it will be worked off."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from retarget.times import format_duration

# What more than this waits for a lane is a backlog, of which the log tells.
BACKLOG: Final = 20_000
_EVERY_MS: Final = 1_000
_WINDOW: Final = 30  # looks, of which the first is compared with the last
_TELL_EVERY_MS: Final = 30_000


class CatchingUp:
    """Is told of every batch how many records are left; answers in records a second, and seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._told: int | None = None

    def look(self, at: int, lag: int) -> None:
        """`lag` records were left at `at`, ms of any clock that never jumps."""
        if lag == 0:  # caught up, or nothing is known yet: no rate follows from that
            self._looks.clear()
        elif not self._looks or at - self._looks[-1][0] >= _EVERY_MS:
            self._looks.append((at, lag))

    def forget(self) -> None:
        """The lane begins anew: what was before says nothing of the rate from now on."""
        self._looks.clear()

    @property
    def rate(self) -> float:
        """By how many records a second the backlog shrinks, what comes in meanwhile taken off."""
        if not self._looks:
            return 0.0
        (since, before), (until, after) = self._looks[0], self._looks[-1]
        return (before - after) * 1000 / (until - since) if until > since else 0.0

    def seconds(self, lag: int) -> float:
        """How long it will take at this rate; without an end when the backlog does not shrink."""
        if lag <= 0:
            return 0.0
        return lag / self.rate if self.rate > 0 else inf

    def line(self, at: int, lag: int) -> str | None:
        """What the log should say now: of a backlog every half minute, and once when it is over."""
        if self._told is None:
            if lag < BACKLOG:
                return None
            self._told = at - _TELL_EVERY_MS + 5 * _EVERY_MS  # when there is a rate to tell
        if lag * 10 < BACKLOG:
            self._told = None
            return "has caught up"
        if at - self._told < _TELL_EVERY_MS:
            return None
        self._told = at
        seconds = self.seconds(lag)
        if seconds == inf:
            return f"is behind by {lag} records, and they do not become fewer"
        return f"is behind by {lag} records, {self.rate:.0f} fewer each second: about {_rounded(seconds)}"


def _rounded(seconds: float) -> str:
    return format_duration(max(round(seconds), 1) * 1000)
