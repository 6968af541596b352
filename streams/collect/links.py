"""`GET /p/TOKEN`: the link of a message, wherever it is answered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from aiohttp import web
from prometheus_client import Counter

from streams.collect.delivery import Delivery, NotTaken
from streams.collect.refusals import Refusal
from streams.links import Followed, Links
from streams.links.answer import NOT_KEPT
from streams.links.revocation import Revoked, Untold
from streams.settings import Settings

LINK: Final = "/p/{token}"


class LinkPage:
    """Leads to the products of a message, when the click is in Kafka; `delivery` must be running."""

    def __init__(
        self, settings: Settings, revoked: Revoked | None, delivery: Delivery, counted: Counter,
        now: Callable[[], int],
    ) -> None:  # fmt: skip
        """Without `revoked` no link leads anywhere; `counted` is by outcome."""
        self._links = Links(settings, revoked) if revoked is not None else None
        self._patience = settings.collect.patience / 1000
        self._delivery, self._counted, self._now = delivery, counted, now

    async def answer(self, request: web.Request) -> web.Response:
        """404 without detail for what is wrong. Raises Refusal while nobody can tell."""
        followed = await self._followed(request)
        if followed is None:
            self._counted.labels("nowhere").inc()
            return web.Response(status=404, text="not found\n", headers=NOT_KEPT)
        await self._delivered(followed)
        self._counted.labels("clicked" if followed.event is not None else "program").inc()
        return web.Response(status=302, headers={"Location": followed.place, **NOT_KEPT})

    async def _followed(self, request: web.Request) -> Followed | None:
        if self._links is None:
            return None
        token = request.match_info["token"]
        try:
            async with asyncio.timeout(self._patience):
                return await self._links.follow(token, request.method, request.headers, self._now())
        except (Untold, TimeoutError):
            said = "the link cannot be looked up"
            raise Refusal(503, "path", said, "try again in a moment", retry_after=2) from None

    async def _delivered(self, followed: Followed) -> None:
        if followed.event is None:
            return
        followed.event.id = secrets.token_hex(16)  # sent twice by the client of Kafka, it is still one click
        try:
            async with asyncio.timeout(self._patience):
                await self._delivery.deliver([followed.event])
        except (NotTaken, TimeoutError):
            said = "Kafka has not confirmed the events"
            raise Refusal(
                503, "request", said, "send it again later, as Retry-After says", retry_after=2
            ) from None
