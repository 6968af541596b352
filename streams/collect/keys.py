"""Write keys: who may send what."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hmac import compare_digest
from typing import Final

from aiohttp import web

from retarget.errors import BadInput
from retarget.touchpoints import Touchpoint
from streams.collect.refusals import Refusal
from streams.listening import is_loopback
from streams.settings_services import Collect

# A key of web pages is known to everybody: with one, nobody erases people or changes prices.
ONLY_SERVERS: Final = frozenset({"erase", "heartbeat", "price_change", "stock_change", "score", "profile"})
_SHORTEST: Final = 16


class Keys:
    """The keys that are good; without any, everybody on this machine may send everything."""

    def __init__(self, collect: Collect) -> None:
        """Raises BadInput where strangers could send and nothing is asked of them."""
        self._all = [key.encode() for key in (*collect.write_keys, *collect.server_keys)]
        self._servers = [key.encode() for key in collect.server_keys]
        self.on_loopback = is_loopback(collect.host)
        if not self.on_loopback:
            _require(collect)

    def admitted(self, said: str) -> bool:
        """Whether this is the key of a server; False: that of a page. Raises Refusal 401."""
        if not self._all:
            return True
        given = said.encode(errors="surrogateescape")
        if not _among(given, self._all):
            problem = "the write key is not known" if said else "there is no write key"
            remedy = "send it as the user name of basic authentication, or as writeKey in the body"
            if said:
                remedy = "send one of collect.write_keys or collect.server_keys"
            raise Refusal(401, "writeKey", problem, remedy)
        return _among(given, self._servers)


def key_in_header(request: web.Request) -> str:
    """The key in `Authorization`: the user name of Basic, or the token of Bearer; else empty."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def require_right(events: Iterable[Touchpoint | object], *, server: bool) -> None:
    """Raise Refusal 403 when a page sends what only a server may."""
    for event in events:
        if not server and isinstance(event, Touchpoint) and event.type in ONLY_SERVERS:
            said = f"events of type {event.type} are not taken with the key of a page"
            raise Refusal(403, "writeKey", said, "send them from a server, with one of collect.server_keys")


def _among(given: bytes, keys: Iterable[bytes]) -> bool:
    """Whether it is one of them; the time it takes tells nothing."""
    found = False
    for key in keys:
        found |= compare_digest(given, key)
    return found


def _require(collect: Collect) -> None:
    given = (*collect.write_keys, *collect.server_keys)
    if not given:
        said = f"collect.host: {collect.host} can be reached from other machines, and there are no write keys"
        remedy = "set collect.write_keys (RETARGET_COLLECT_WRITE_KEYS, or …_FILE with a path)"
        raise BadInput([f"{said}; {remedy}, or listen on 127.0.0.1"])
    if short := [key for key in given if len(key) < _SHORTEST]:
        said = (
            f"collect.write_keys: {len(short)} of them can be guessed; write {_SHORTEST} characters or more"
        )
        raise BadInput([said])
