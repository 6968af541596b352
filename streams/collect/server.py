"""The HTTP entrance for producers: it answers when Kafka has the events."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from retarget.decode import encode_touchpoint
from retarget.dialects import decoder_for
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.clocks import now_ms
from streams.collect import browsers, calls, cloudevents
from streams.collect.bodies import Room, expected_size, parsed, read_body, require_json
from streams.collect.delivery import Delivery, NotTaken
from streams.collect.keys import Keys, key_in_header, require_right
from streams.collect.links import LINK, LinkPage
from streams.collect.refusals import SEGMENT, Refusal, of_event, told
from streams.links.revocation import Revoked
from streams.listening import Listener, bearer
from streams.metrics import CONTENT_TYPE, exposition
from streams.metrics_services import CollectMetrics
from streams.settings import Settings

# How the topics are read to which we may write: see `streams.reading.canonical_topic`.
_READERS: Final = (decoder_for("canonical"), decoder_for("auto"))


class Entrance:
    """An async context manager that listens while it is open; `delivery` must be running."""

    def __init__(
        self, settings: Settings, delivery: Delivery, registry: CollectorRegistry, *,
        now: Callable[[], int] = now_ms, revoked: Revoked | None = None,
    ) -> None:  # fmt: skip
        """Without `revoked` no link of a message leads anywhere.

        Raises BadInput where strangers could send and nothing is asked of them.
        """
        self._settings, self._token, self._now = settings, settings.web.token, now
        self._most = settings.input.max_bytes
        self._keys, self._room = Keys(settings.collect), Room(settings.collect.max_waiting)
        self._delivery, self._registry = delivery, registry
        self._metrics = CollectMetrics(registry)
        self._link = LinkPage(settings, revoked, delivery, self._metrics.links, now)
        self._listener = Listener("collect", settings.collect.host, settings.collect.port)

    @property
    def port(self) -> int:
        """The port it answers on. Raises RuntimeError while it is closed."""
        return self._listener.port

    async def __aenter__(self) -> Self:
        """Open the port. Raises BadInput, a line that names the setting, when that cannot be."""
        app = web.Application(middlewares=[self._answered])
        app.add_routes(self._routes())
        await self._listener.open(app, decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take nothing more; what is being answered is answered."""
        await self._listener.close()

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/{call}", self._call),
            web.get("/v1/pixel/{call}", self._pixel),
            web.get("/pixel.gif", self._pixel),
            web.get(LINK, self._link.answer),
            web.post("/cloudevents", self._cloudevents),
            web.post("/", self._cloudevents),
            web.get("/v1/projects/{key}/settings", self._project),
            web.get("/sourceConfig", self._source),
            web.get("/sourceConfig/", self._source),
            web.get("/health", self._health),
            web.get("/ready", self._health),
            web.get("/metrics", self._page),
        ]

    # -- what is sent --

    async def _call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["call"]
        if name == "m":  # what analytics.js measures of itself
            return web.json_response({"success": True})
        if name not in calls.CALL_OF and name not in calls.BATCHES:
            said = f"/v1/{name[:40]} is no call"
            raise Refusal(
                404, "path", said, f"post to /v1/ and one of {', '.join(sorted(calls.CALL_OF))}, batch"
            )
        with self._room.reserved(expected_size(request, self._settings.collect.max_body)):
            require_json(request)
            early = key_in_header(request)
            server = self._keys.admitted(early) if early else None
            body = parsed(await read_body(request, self._settings.collect.max_body, self._patience))
            if server is None:
                server = self._keys.admitted(_text(body.get("writeKey")))
            if name in calls.BATCHES:
                events, raws = list(calls.calls_of_batch(body, self._now())), body["batch"]
                return await self._taken(events, server=server, raws=raws)
            return await self._one(lambda: calls.call_of_body(name, body, self._now()), server=server)

    async def _cloudevents(self, request: web.Request) -> web.StreamResponse:
        with self._room.reserved(expected_size(request, self._settings.collect.max_body)):
            server = self._keys.admitted(key_in_header(request) or request.query.get("writeKey", ""))
            body = await read_body(request, self._settings.collect.max_body, self._patience)
            if cloudevents.is_batch(request.headers):
                events, raws = cloudevents.events_of_batch(body)
                return await self._taken(events, server=server, raws=raws, names=cloudevents.NAMES)
            return await self._one(
                lambda: cloudevents.event_of(request.headers, body), server=server, names=cloudevents.NAMES
            )

    async def _pixel(self, request: web.Request) -> web.StreamResponse:
        body = (
            calls.call_in_query(request.query)
            if "data" in request.query
            else browsers.of_query(request.query)
        )
        server = self._keys.admitted(_text(body.get("writeKey")) or key_in_header(request))
        name = request.match_info.get("call", body.get("type", "track"))
        if name not in calls.CALL_OF:
            said = f"/v1/pixel/{str(name)[:40]} is no call"
            raise Refusal(404, "path", said, f"it may be one of {', '.join(sorted(calls.CALL_OF))}")
        await self._one(lambda: calls.call_of_body(name, body, self._now()), server=server)
        return browsers.pixel()

    async def _one(
        self, read: Callable[[], Touchpoint], *, server: bool, names: Mapping[str, str] = SEGMENT
    ) -> web.StreamResponse:
        try:
            event = read()
        except Rejected as rejected:
            self._metrics.refused.labels(rejected.reason).inc()
            raise of_event(rejected, names=names) from None
        return await self._taken([event], server=server, raws=())

    async def _taken(
        self,
        events: Sequence[Touchpoint | Rejected],
        *,
        server: bool,
        raws: Sequence[object],
        names: Mapping[str, str] = SEGMENT,
    ) -> web.StreamResponse:
        """Answer when all are in Kafka; unusable ones of a batch as they are, so that they are not lost."""
        asides = [raw for raw, one in zip(raws, events, strict=False) if isinstance(one, Rejected)]
        require_right([*events, *_read_anyway(asides)], server=server)
        wrong = {
            index: of_event(one, f"batch[{index}]", names)
            for index, one in enumerate(events)
            if isinstance(one, Rejected)
        }
        for refusal in wrong.values():
            self._metrics.refused.labels(refusal.reason).inc()
        if wrong and len(wrong) == len(events):
            raise next(iter(wrong.values()))
        await self._delivered([self._record(one, raws, index) for index, one in enumerate(events)])
        self._metrics.events.inc(len(events) - len(wrong))
        aside = {"set_aside": [told(refusal) for refusal in wrong.values()]} if wrong else {}
        return web.json_response({"success": True, **aside})

    def _record(self, event: Touchpoint | Rejected, raws: Sequence[object], index: int) -> Touchpoint | bytes:
        if isinstance(event, Rejected):
            return cloudevents.as_sent(raws[index])
        if event.id is None:
            event.id = secrets.token_hex(16)  # sent twice by the client of Kafka, it is still one event
        if event.time < 0:
            event.time = self._now()
        if len(encode_touchpoint(event)) > self._most:
            said = f"it has more than {self._most:,} bytes"
            raise Refusal(413, f"batch[{index}]", said, "send fewer or shorter fields", reason="too_large")
        return event

    async def _delivered(self, records: Sequence[Touchpoint | bytes]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._delivery.deliver(records)
        except (NotTaken, TimeoutError):
            said = "Kafka has not confirmed the events"
            raise Refusal(
                503, "request", said, "send it again later, as Retry-After says", retry_after=2
            ) from None

    # -- what is asked --

    async def _project(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(browsers.project(request.match_info["key"], request.host, request.scheme))

    async def _source(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(browsers.source(request.query.get("writeKey") or key_in_header(request)))

    async def _health(self, _: web.Request) -> web.StreamResponse:
        trouble = bool(self._delivery.trouble)
        return web.json_response({"ok": not trouble}, status=503 if trouble else 200)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if not (bearer(request, self._token) if self._token else self._keys.on_loopback):
            raise Refusal(
                401, "Authorization", "the metrics are not for everybody", "send web.token as a bearer token"
            )
        self._metrics.waiting.set(self._room.taken)
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})

    # -- around each answer --

    @property
    def _patience(self) -> float:
        return self._settings.collect.patience / 1000

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.monotonic()
        shared = browsers.sharing(request, self._settings.collect.origins)
        try:
            response = web.Response(status=204) if request.method == "OPTIONS" else await handler(request)
        except Refusal as refusal:
            response = web.json_response(refusal.body(), status=refusal.status, headers=refusal.headers)
        except web.HTTPException as error:
            unknown = Refusal(error.status, "path", str(error.reason), "see docs/collector.md for the paths")
            response = web.json_response(unknown.body(), status=error.status)
        response.headers.update(shared)
        if request.method == "POST" or "pixel" in request.path:
            self._metrics.requests.labels(str(response.status)).inc()
            self._metrics.seconds.observe(time.monotonic() - started)
        return response


def _read_anyway(raws: Sequence[object]) -> Iterator[Touchpoint]:
    """The events that the engine would find in what is set aside: it goes to the topic as it was sent."""
    for raw in raws:
        for read in _READERS:
            with suppress(Rejected):
                yield read(cloudevents.as_sent(raw))


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""
