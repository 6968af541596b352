"""The worker's own pages: `/metrics` for Prometheus, `/health` and `/ready` for whoever runs it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry

from retarget.errors import BadInput
from streams.clocks import monotonic_ms
from streams.listening import Listener, bearer, is_loopback
from streams.metrics import CONTENT_TYPE, exposition
from streams.progress import Progress

_ANOTHER: Final = ", perhaps by another worker; workers on one machine also need an app.worker_id each"


class WebServer:
    """An async context manager that answers while it is open. `progress` must be fed by the clock `now`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        progress: Progress,
        *,
        host: str,
        port: int,
        token: str = "",
        now: Callable[[], int] = monotonic_ms,
    ) -> None:
        """Port 0 takes any free one; `port` tells which. With a `token` only who sends it is told details."""
        self._registry, self._progress, self._now = registry, progress, now
        self._host, self._token = host, token
        self._listener = Listener("web", host, port, hint=_ANOTHER)

    @property
    def port(self) -> int:
        """The port it answers on. Raises RuntimeError while it is closed."""
        return self._listener.port

    async def start(self) -> None:
        """Open the port. Raises BadInput, a line that names the setting, when it cannot or must not be."""
        require_token(self._host, self._token)
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/health", self._health),
                web.get("/ready", self._ready),
            ]
        )
        await self._listener.open(app)

    async def stop(self) -> None:
        """Close the port; twice does no harm."""
        await self._listener.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _admits(self, request: web.Request) -> bool:
        """Whether nothing is asked for, or the request brings the token."""
        return not self._token or bearer(request, self._token)

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            return web.Response(
                status=401, text="send web.token as a bearer token\n", headers={"WWW-Authenticate": "Bearer"}
            )
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, request: web.Request) -> web.Response:
        return self._answer(request, self._progress.stalled(self._now()))

    async def _ready(self, request: web.Request) -> web.Response:
        return self._answer(request, self._progress.unready(self._now()))

    def _answer(self, request: web.Request, problems: tuple[str, ...]) -> web.Response:
        status = 503 if problems else 200
        if not self._admits(request):  # probes bring no token, and need the status only
            return web.json_response({"ok": not problems}, status=status)
        now = self._now()
        lanes = {
            str(lane): {"lag": known.lag, "claimed": known.claimed, "idle_ms": now - known.at}
            for lane, known in sorted(self._progress.lanes.items())
        }
        body = {"ok": not problems, "problems": problems, "lanes": lanes}
        return web.json_response(body, status=status)


def require_token(host: str, token: str) -> None:
    """Raise BadInput when others than this machine could ask and nothing is asked of them."""
    if not token and not is_loopback(host):
        remedy = "set it (RETARGET_WEB_TOKEN, or RETARGET_WEB_TOKEN_FILE with a path), or listen on 127.0.0.1"
        problem = f"web.host: {host} can be reached from other machines, and web.token is not set"
        raise BadInput([f"{problem}; {remedy}"])
