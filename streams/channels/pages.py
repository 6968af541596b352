"""The pages of a channel service: unsubscribing by one POST, links of messages, /health and /metrics."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry

from retarget.touchpoints import Touchpoint
from streams.channels.email.links import PATH, Leaver, Seal
from streams.channels.unsubscribing import shown
from streams.clocks import now_ms
from streams.collect.delivery import Delivery, NotTaken
from streams.collect.links import LINK, LinkPage
from streams.collect.refusals import Refusal
from streams.links.revocation import Revoked
from streams.listening import Listener, bearer, is_loopback
from streams.metrics import CONTENT_TYPE, exposition
from streams.metrics_services import ChannelMetrics
from streams.settings import Settings

_MOST: Final = 4_096


class Pages:
    """An async context manager that answers while it is open; `delivery` must be running."""

    def __init__(
        self, settings: Settings, seal: Seal | None, delivery: Delivery, metrics: ChannelMetrics,
        registry: CollectorRegistry, *, now: Callable[[], int] = now_ms, revoked: Revoked | None = None,
    ) -> None:  # fmt: skip
        """Without `revoked` no link of a message leads anywhere."""
        self._seal, self._delivery, self._metrics = seal, delivery, metrics
        self._registry, self._now = registry, now
        self._open = is_loopback(settings.channel.host)
        self._token = settings.web.token
        self._followed = LinkPage(settings, revoked, delivery, metrics.links, now)
        self._listener = Listener("channel", settings.channel.host, settings.channel.port)

    @property
    def port(self) -> int:
        """The port it answers on. Raises RuntimeError while it is closed."""
        return self._listener.port

    async def __aenter__(self) -> Self:
        """Open the port. Raises BadInput."""
        app = web.Application(client_max_size=_MOST)
        app.add_routes(
            [
                web.get(PATH + "{token}", self._ask),
                web.post(PATH + "{token}", self._unsubscribe),
                web.get(LINK, self._link),
                web.get("/health", self._health),
                web.get("/metrics", self._page),
            ]
        )
        await self._listener.open(app)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.close()

    def _leaver(self, request: web.Request) -> Leaver | None:
        return None if self._seal is None else self._seal.read(request.match_info["token"])

    async def _ask(self, request: web.Request) -> web.Response:
        """A page with a button; programs that follow every link of a mail change nothing."""
        if self._leaver(request) is None:
            return shown(request, "nowhere")
        return shown(request, "ask")

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        """No login, no cookie, no redirect, whoever asks: as RFC 8058 has it."""
        leaver = self._leaver(request)
        if leaver is None:
            return shown(request, "nowhere")
        event = Touchpoint(  # without an id: who came back and leaves by the same link again is no repeat
            type="unsubscribe",
            time=self._now(),
            user_id=leaver.user_id,
            anonymous_id=leaver.anonymous_id,
            channel="email",
            source="retarget",
            campaign={"name": leaver.rule, "message_id": leaver.message_id},
        )
        try:
            await self._delivery.deliver([event])
        except NotTaken:
            return shown(request, "later")
        self._metrics.unsubscribed.inc()
        return shown(request, "done")

    async def _link(self, request: web.Request) -> web.Response:
        """As `retarget collect` answers it, where there is none."""
        try:
            return await self._followed.answer(request)
        except Refusal as refusal:
            return shown(request, "later", refusal.headers)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _page(self, request: web.Request) -> web.Response:
        if not (bearer(request, self._token) if self._token else self._open):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})
