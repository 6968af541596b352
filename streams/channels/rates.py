"""The rate of a channel over all its services: leases of tokens that are good for a moment.

A token is leased with the time from which it is good, and thrown away when it is not used soon after. So what
leaves within a window was leased within a little more than that window, and tokens lie as far apart as keeps
those at or below the rate, however many services there are and whichever of them dies or sleeps. Each service
has one lease at a time, and of those who wait nobody gets far ahead of another: fair.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from retarget.errors import Unreachable
from streams.ports import UnknownOutcome
from streams.settings_kinds import Limit
from streams.stores.leases import Leased

log: Final = logging.getLogger("retarget.channel")
_PAUSE_S: Final = 1.0
_LEAST_GOOD_MS: Final = 100
# How long a connection is kept waiting for other tokens, when its own have lapsed.
_SOON_S: Final = 5.0


class Pace(NamedTuple):
    """How a rate is kept: `apart_us` between tokens, `saved` at once, each good for `good_ms`."""

    apart_us: int
    saved: int
    good_ms: int
    kept_ms: int


def pace_of(rate: Limit) -> Pace:
    """How to stay at or below `rate.most` in every `(t - window, t]`.

    What is used in a window was good from within `window + good_ms`. In so long a time at most
    `time / apart + saved` tokens come free, rounded up, less one.
    """
    good = max(rate.window // 10, min(_LEAST_GOOD_MS, rate.window))
    saved = max(1, rate.most // 20)
    within_us = (rate.window + good) * 1_000
    return Pace(-(-within_us // (rate.most - saved + 1)), saved, good, within_us // 1_000)


class Tokens(Protocol):
    """Where tokens come from; see `streams.stores.leases`."""

    async def lease(
        self, name: str, count: int, *, asker: str, apart_us: int, saved: int, kept_ms: int
    ) -> Leased:
        """Some of these tokens, and when they may be used."""


class Lease(NamedTuple):
    """So many may be handed over, if that begins before `until` (monotonic seconds)."""

    tokens: int
    until: float


class Turn:
    """Whether what was leased may leave: while its lease is good, else with other tokens, if they come soon.

    A far side that takes its time would never be handed anything if what it has let lapse were lost.
    """

    def __init__(self, rate: Rate, lease: Lease, soon_s: float = _SOON_S) -> None:
        self._rate, self._lease, self._soon_s = rate, lease, soon_s

    async def __call__(self, count: int) -> bool:
        """See Leave."""
        if self._rate.is_good(self._lease):
            return True
        try:
            async with asyncio.timeout(self._soon_s):
                other = await self._rate.take_all(count)
        except TimeoutError:
            return False
        return self._rate.is_good(other)


class Rate:
    """The rate of one channel as one service keeps it; None is no rate."""

    def __init__(
        self,
        channel: str,
        rate: Limit | None,
        tokens: Tokens | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._tokens, self._now = channel, tokens, now
        self._pace = None if rate is None else pace_of(rate)
        self._one, self._asker = asyncio.Lock(), secrets.token_hex(8)

    def is_good(self, lease: Lease) -> bool:
        """Whether it has not lapsed."""
        return self._now() < lease.until

    async def take_all(self, count: int) -> Lease:
        """All of so many, good together, for what leaves whole; waits as long as it takes.

        More than are ever saved up are never good together: who has so many to send in one piece, as the rate
        was set or lowered since it was begun, waits until so many have been given.
        """
        together = self._pace is None or count <= self._pace.saved
        held: list[Lease] = []
        while (lacking := count - sum(one.tokens for one in held)) > 0:
            held.append(await self.take(lacking))
            if together:
                held = [one for one in held if self.is_good(one)]
        return Lease(count, min(one.until for one in (held if together else held[-1:])))

    async def take(self, wanted: int) -> Lease:
        """At least one and at most `wanted`, as soon as they may be used; waits as long as it takes."""
        if self._pace is None or self._tokens is None:
            return Lease(wanted, float("inf"))
        async with self._one:  # whoever has more partitions has no more of the rate
            while True:
                count = min(wanted, self._pace.saved)
                begun = self._now()
                try:
                    leased = await self._tokens.lease(
                        self._name, count, asker=self._asker, apart_us=self._pace.apart_us,
                        saved=self._pace.saved, kept_ms=self._pace.kept_ms,
                    )  # fmt: skip
                except (UnknownOutcome, Unreachable) as error:
                    log.warning("the rate of %s is not known, nothing leaves: %s", self._name, error)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                # The server's clock began between; good ends by the earlier count, begins by the later one.
                until = begun + leased.wait_us / 1e6 + self._pace.good_ms / 1e3
                await asyncio.sleep(leased.wait_us / 1e6)
                if leased.tokens and self._now() < until:
                    return Lease(leased.tokens, until)
