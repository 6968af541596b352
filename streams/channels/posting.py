"""Handing over by HTTP: one request, and what its answer, or the want of one, means."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final, Literal

import aiohttp
from aiohttp.connector import Connection

from retarget.errors import BadInput
from streams.channels.outcomes import HANDED, NOT_YET, Leave, Outcome, dead, freely, later
from streams.settings_kinds import masked_url

_FINE: Final = range(200, 300)
# The service is busy, or not there: another time.
_LATER: Final = frozenset({408, 421, 425, 429, 500, 502, 503, 504})
_SHOWN: Final = 300


class _NotNow(Exception):
    """What was to leave may not."""


class _Leaving:
    """One request on its way out: whether it has gone is known, whatever breaks then."""

    def __init__(self, leave: Leave, count: int) -> None:
        self._leave, self._count = leave, count
        self.has_left = False

    async def ask(self) -> None:
        """Raises _NotNow."""
        if not await self._leave(self._count):
            raise _NotNow
        self.has_left = True


_leaving: ContextVar[_Leaving] = ContextVar("_leaving")


class _Request(aiohttp.ClientRequest):
    """Asks when the connection is there, and not a byte has been written."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        await _leaving.get().ask()
        return await super().send(conn)


class Post:
    """POSTs to services, over connections that are kept."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, gone: frozenset[int] = frozenset(),
        method: Literal["POST", "DELETE"] = "POST", leave: Leave = freely, count: int = 1,
    ) -> Outcome:  # fmt: skip
        """What came of it. With an answer of `gone` there is nobody there: `bad_address`.

        `leave` is asked for `count` messages when everything is ready.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, request_class=_Request)
        leaving = _Leaving(leave, count)
        _leaving.set(leaving)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                status, said = answer.status, (await answer.content.read(_SHOWN)).decode(errors="replace")
        except _NotNow:
            return NOT_YET
        except aiohttp.ClientConnectorError as error:  # nothing has left
            return later(f"cannot be reached: {error}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # An address that is none, or a host that nobody could ask for, is ValueError.
            if isinstance(error, ValueError) and not leaving.has_left:
                return dead("bad_address", f"no address to post to: {error}")
            lost = Outcome(kind="doubt", detail=f"no answer: {error!r}")
            return lost if leaving.has_left else later(f"cannot be reached: {error!r}")
        return _meant(status, said, gone)

    async def close(self) -> None:
        """End every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _meant(status: int, said: str, gone: frozenset[int]) -> Outcome:
    if status in _FINE:
        return HANDED
    told = f"answered {status} {' '.join(said.split())}"
    if status in _LATER:
        return later(told)
    return dead("bad_address" if status in gone else "refused", told)


def headers(token: str, key: str) -> Mapping[str, str]:
    """What is posted with, to be known again by `key`."""
    known = {"Content-Type": "application/json", "Idempotency-Key": key}
    return known | {"Authorization": f"Bearer {token}"} if token else known


def require_url(setting: str, url: str) -> None:
    """Raise BadInput for what cannot be posted to."""
    if not url.startswith(("https://", "http://")):
        raise BadInput([f"{setting}: found {masked_url(url)!r}, expected a URL"])
