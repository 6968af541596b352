"""Which server holds which lane: the one of the URL, until a cluster names another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self

from redis.exceptions import MovedError

from streams.ports import UnknownOutcome
from streams.stores.link import Argument, Link
from streams.stores.scripts import Script


class Routes:
    """Sends each lane's calls to the server that holds it. All keys of a call must be the lane's own."""

    def __init__(self, home: Link) -> None:
        """Ask `home` about every lane of which nothing is known."""
        self.home = home
        self._links = {home.address: home}
        self._of_lane: dict[int, Link] = {}

    @classmethod
    def to(cls, url: str) -> Self:
        """The way to the server, or to the cluster that it belongs to. Raises BadInput."""
        return cls(Link.to(url))

    async def run(
        self, lane: int, script: Script, keys: list[bytes], arguments: list[Argument] | None = None
    ) -> Any:  # noqa: ANN401 - the script's header says what comes back
        """The answer of `script`. Raises UnknownOutcome, Unreachable."""
        return await self._at_holder(lane, lambda link: link.run(script, keys, arguments))

    async def call(self, lane: int, *command: Argument) -> Any:  # noqa: ANN401 - as the command says
        """The answer to one command. Raises UnknownOutcome, Unreachable."""
        return await self._at_holder(lane, lambda link: link.call(*command))

    def others(self) -> list[Link]:
        """The servers that lanes were found at, beside the one of the URL."""
        return [link for link in self._links.values() if link is not self.home]

    async def close(self) -> None:
        """End every connection."""
        for link in self._links.values():
            await link.close()

    async def _at_holder(self, lane: int, send: Callable[[Link], Awaitable[Any]]) -> Any:  # noqa: ANN401
        link = self._of_lane.get(lane, self.home)
        try:
            try:
                return await send(link)
            except MovedError as moved:
                link = self._of_lane[lane] = self._link_to(link, moved)
                return await send(link)
        except MovedError as moved:
            self._forget(lane, link)
            raise UnknownOutcome(f"the cluster of {link.address} is just moving lane {lane}") from moved
        except UnknownOutcome:
            self._forget(lane, link)
            raise

    def _link_to(self, asked: Link, moved: MovedError) -> Link:
        link = asked.beside(moved.host, moved.port)
        return self._links.setdefault(link.address, link)

    def _forget(self, lane: int, link: Link) -> None:
        self._of_lane.pop(lane, None)
        if link is self.home:  # of a cluster, any other node can tell the way
            known = list(self._links.values())
            self.home = known[(known.index(link) + 1) % len(known)]
