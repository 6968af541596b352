"""Where a person is reached: as the message says, else as the shop's own service says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from retarget.messages import Message
from streams.channels.outcomes import Outcome, dead, later

_ANSWER_S: Final = 10.0
_MOST_BYTES: Final = 64 * 1024
_GONE: Final = (404, 410)
_FINE: Final = 200


class Addresses:
    """Looks up addresses at a URL with `{user_id}` in it; an empty one: there is nobody to ask."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def of(self, message: Message, kinds: tuple[str, ...]) -> Mapping[str, Any] | Outcome:
        """An object with at least one of `kinds`; or why there is none."""
        if any(message.to.get(kind) for kind in kinds):
            return message.to
        wanted = message.to.get("external") or message.user_id
        if not self._url or not wanted:
            said = "the message has no address, and channel.addresses is not set"
            return dead("no_address", said if not self._url else "nobody knows an address")
        try:
            found = await self._asked(str(wanted))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return later(f"channel.addresses does not answer: {error!r}")
        if isinstance(found, Outcome) or any(found.get(kind) for kind in kinds):
            return found
        return dead("no_address", f"channel.addresses knows no {' or '.join(kinds)} of this person")

    async def _asked(self, user_id: str) -> Mapping[str, Any] | Outcome:
        url = self._url.replace("{user_id}", quote(user_id, safe=""))
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S))
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status in _GONE:
                return dead("no_address", "channel.addresses does not know this person")
            too_long = (answer.content_length or 0) > _MOST_BYTES
            if answer.status != _FINE or too_long:
                return later(f"channel.addresses answers {answer.status}")
            found = await answer.json(content_type=None)
        return found if isinstance(found, Mapping) else {}

    async def close(self) -> None:
        """End every connection."""
        if self._session is not None:
            await self._session.close()
