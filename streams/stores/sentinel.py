"""The way to a primary that Sentinel watches: the sentinels are asked who it is, at each new connection."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

_PORT: Final = 26379
_OWN: Final = "sentinel_"


class Watched(NamedTuple):
    """What a URL says of a primary: its name, who knows it, how to connect to those and to it."""

    name: str
    sentinels: list[tuple[str, int]]
    to_sentinels: dict[str, Any]
    to_primary: dict[str, Any]

    @property
    def address(self) -> str:
        """Safe to show."""
        return f"{self.name} of " + ",".join(f"{host}:{port}" for host, port in self.sentinels)

    def pool(self, settings: dict[str, Any]) -> ConnectionPool:
        """Connections to whoever is the primary, with these settings of redis-py."""
        timeouts = {key: value for key, value in settings.items() if key.startswith("socket_")}
        to_sentinels = {**timeouts, **self.to_sentinels}
        sentinel = Sentinel(self.sentinels, sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call]
        return SentinelConnectionPool(self.name, sentinel, **settings)  # type: ignore[no-untyped-call]


def read(url: str, scheme: str) -> Watched:
    """What the URL `...+sentinel://[user:password@]host[:port],.../NAME[/number][?options]` says.

    `scheme`: redis, or rediss for TLS to all of them. Options that begin with `sentinel_` are for the
    sentinels. Raises ValueError, whose text may hold a part of the password.
    """
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, number = parts.path.strip("/").partition("/")
    settings = dict(parse_url(f"{scheme}://{login}{at}host/{number}?{parts.query}"))
    settings.pop("host")
    if settings.pop("connection_class", None) is not None:
        settings["ssl"] = True
    own = {key.removeprefix(_OWN): settings.pop(key) for key in list(settings) if key.startswith(_OWN)}
    own |= {key: value for key, value in settings.items() if key.startswith("ssl")}
    sentinels = [_place(host) for host in hosts.split(",")]
    if not name:
        raise ValueError("no name of a primary")
    return Watched(unquote(name), sentinels, own, settings)


async def leave(pool: ConnectionPool) -> None:
    """End the connections to the sentinels of this pool, if it has any."""
    if isinstance(pool, SentinelConnectionPool):
        for client in pool.sentinel_manager.sentinels:
            await client.aclose()


def _place(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or _PORT
