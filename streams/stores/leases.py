"""Leases of a rate's tokens, shared by all who use one store."""

from __future__ import annotations

from typing import Self

from streams.stores import scripts
from streams.stores.routes import Routes

_NO_LANE = -1


class Leases:
    """The tokens of any number of rates, by name."""

    def __init__(self, routes: Routes, app_id: str) -> None:
        self._routes, self._app_id = routes, app_id

    @classmethod
    def at(cls, url: str, app_id: str) -> Self:
        """Those of the store at `url`; nothing is opened yet. Raises BadInput."""
        return cls(Routes.to(url), app_id)

    async def lease(self, name: str, count: int, *, apart_us: int, saved: int, kept_ms: int) -> int:
        """Microseconds until `count` tokens, which are ours from now on, may all be used.

        There is one in `apart_us`; at most `saved` of those that nobody asked for are kept. Whoever asks
        first gets the first. Raises UnknownOutcome, Unreachable; some tokens may be gone then.
        """
        key = f"{{{self._app_id}:rates}}:{name}".encode()
        arguments: list[bytes | str | int] = [count, apart_us, saved, kept_ms]
        return int(await self._routes.run(_NO_LANE, scripts.LEASE, [key], arguments))

    async def close(self) -> None:
        """End every connection."""
        await self._routes.close()
