"""The pages of a channel service: unsubscribing by one POST, links of messages, /health and /metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry

from retarget.touchpoints import Touchpoint
from streams.channels.email.links import PATH, Leaver, Seal
from streams.clocks import now_ms
from streams.collect.delivery import Delivery, NotTaken
from streams.collect.links import LINK, LinkPage
from streams.collect.refusals import Refusal
from streams.links.revocation import Revoked
from streams.listening import Listener, bearer, is_loopback
from streams.metrics import CONTENT_TYPE, exposition
from streams.metrics_services import ChannelMetrics
from streams.settings import Settings

_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title>'
    '<body style="font-family:sans-serif;max-width:32em;margin:4em auto;padding:0 1em">'
    "<h1>{title}</h1>{body}</body></html>"
)
_FORM: Final = (
    "<p>You will get no more mails of this kind from us.</p>"
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button style="font-size:1em;padding:.5em 1em">Unsubscribe</button></form>'
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}
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
            return _shown("There is no such page", status=404)
        return _shown("Unsubscribe", _FORM)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        """No login, no cookie, no redirect, whoever asks: as RFC 8058 has it."""
        leaver = self._leaver(request)
        if leaver is None:
            return _shown("There is no such page", status=404)
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
            return _shown("Please try again in a minute", status=503)
        self._metrics.unsubscribed.inc()
        return _shown("You are unsubscribed", "<p>You will get no more mails of this kind from us.</p>")

    async def _link(self, request: web.Request) -> web.Response:
        """As `retarget collect` answers it, where there is none."""
        try:
            return await self._followed.answer(request)
        except Refusal as refusal:
            return _shown("Please try again in a minute", status=refusal.status, more=refusal.headers)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _page(self, request: web.Request) -> web.Response:
        if not (bearer(request, self._token) if self._token else self._open):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})


def _shown(
    title: str, body: str = "", *, status: int = 200, more: Mapping[str, str] | None = None
) -> web.Response:
    text, headers = _PAGE.format(title=escape(title), body=body), {**_HEADERS, **(more or {})}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)
