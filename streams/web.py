"""The worker's own pages: `/metrics` for Prometheus, `/health` and `/ready` for whoever runs it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry

from retarget.errors import BadInput
from streams.clocks import monotonic_ms
from streams.metrics import CONTENT_TYPE, exposition
from streams.progress import Progress


class WebServer:
    """An async context manager that answers while it is open. `progress` must be fed by the clock `now`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        progress: Progress,
        *,
        host: str,
        port: int,
        now: Callable[[], int] = monotonic_ms,
    ) -> None:
        """Port 0 takes any free one; `port` tells which."""
        self._registry, self._progress, self._now = registry, progress, now
        self._host, self._wanted = host, port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it answers on. Raises RuntimeError while it is closed."""
        if self._runner is None:
            raise RuntimeError("the web server is not open")
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self) -> None:
        """Open the port. Raises BadInput, one line that names the setting, when it cannot be had."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/health", self._health),
                web.get("/ready", self._ready),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted).start()
        except OSError as refused:
            await runner.cleanup()
            raise BadInput([self._refusal(refused)]) from refused
        self._runner = runner

    async def stop(self) -> None:
        """Close the port; twice does no harm."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _refusal(self, refused: OSError) -> str:
        if refused.errno == errno.EADDRINUSE:
            return (
                f"web.port: {self._wanted} is in use on {self._host}, perhaps by another worker; set another "
                f"one, or 0 for any free one. Workers on one machine also need an app.worker_id each"
            )
        if refused.errno == errno.EACCES:
            return f"web.port: {self._wanted} needs rights this process has not; set one of 1024 or more"
        return f"web.host: cannot listen on {self._host}: {refused.strerror or refused}"

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        return self._answer(self._progress.stalled(self._now()))

    async def _ready(self, _: web.Request) -> web.Response:
        return self._answer(self._progress.unready(self._now()))

    def _answer(self, problems: tuple[str, ...]) -> web.Response:
        now = self._now()
        lanes = {
            str(lane): {"lag": known.lag, "claimed": known.claimed, "idle_ms": now - known.at}
            for lane, known in sorted(self._progress.lanes.items())
        }
        body = {"ok": not problems, "problems": problems, "lanes": lanes}
        return web.json_response(body, status=503 if problems else 200)
