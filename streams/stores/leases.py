"""Leases of a rate's tokens, shared by all who use one store."""

from __future__ import annotations

from typing import NamedTuple, Self

from streams.stores import scripts
from streams.stores.routes import Routes

_NO_LANE = -1


class Leased(NamedTuple):
    """So many tokens, good in `wait_us`; none: until it is worth asking again."""

    tokens: int
    wait_us: int


class Leases:
    """The tokens of any number of rates, by name."""

    def __init__(self, routes: Routes, app_id: str) -> None:
        self._routes, self._app_id = routes, app_id

    @classmethod
    def at(cls, url: str, app_id: str) -> Self:
        """Those of the store at `url`; nothing is opened yet. Raises BadInput."""
        return cls(Routes.to(url), app_id)

    async def lease(
        self, name: str, count: int, *, asker: str, apart_us: int, saved: int, kept_ms: int
    ) -> Leased:
        """At most `count` tokens, which are the `asker`'s from now on.

        There is one in `apart_us`; at most `saved` of those that nobody asked for are kept. Whoever asks
        first gets the first, but nobody more than `saved` ahead of another who waits. An `asker` is letters
        and digits. Raises UnknownOutcome, Unreachable; some tokens may be gone then.
        """
        key = f"{{{self._app_id}:rates}}:{name}"
        arguments: list[bytes | str | int] = [count, apart_us, saved, kept_ms, asker]
        keys = [key.encode(), f"{key}:askers".encode()]
        given, wait_us = await self._routes.run(_NO_LANE, scripts.LEASE, keys, arguments)
        return Leased(int(given), int(wait_us))

    async def close(self) -> None:
        """End every connection."""
        await self._routes.close()
