"""The worker's pages over real connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from retarget.errors import BadInput
from streams.metrics import Metrics
from streams.progress import Progress
from streams.web import WebServer


class Worker:
    """A worker's pages on a free port, and the time by which it is judged."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.progress = Progress(60_000)
        self.time = 0
        self.server = WebServer(self.registry, self.progress, host="127.0.0.1", port=0, now=lambda: self.time)

    async def get(self, path: str) -> tuple[int, str, str]:
        """Status, content type and body of a page."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.server.port}{path}") as answer,
        ):
            return answer.status, answer.content_type, await answer.text()


def pages(*paths: str, given: Callable[[Worker], object]) -> list[tuple[int, str, str]]:
    """What the pages say of a worker after `given`."""

    async def ask() -> list[tuple[int, str, str]]:
        worker = Worker()
        given(worker)
        async with worker.server:
            return [await worker.get(path) for path in paths]

    return asyncio.run(ask())


def test_metrics_are_what_prometheus_reads() -> None:
    """The page is in the text format and holds our metrics."""
    ((status, kind, body),) = pages("/metrics", given=lambda worker: worker.metrics.lane.replayed.inc(3))

    assert (status, kind) == (200, "text/plain")
    assert "retarget_replayed_batches_total 3.0" in body


def test_a_worker_that_gets_on_is_healthy_and_ready() -> None:
    """Both pages answer 200 and show the lanes."""

    def well(worker: Worker) -> None:
        worker.progress.joined()
        worker.progress.finished(2, 0, lag=7)

    health, ready = pages("/health", "/ready", given=well)

    assert (health[0], ready[0]) == (200, 200)
    assert '"2": {"lag": 7' in ready[2]


def test_a_stalled_lane_makes_health_503_and_is_named() -> None:
    """Whoever runs the worker starts it again, and can read why."""

    def stall(worker: Worker) -> None:
        worker.progress.joined()
        worker.progress.finished(2, 0, lag=7)
        worker.time = 60_001

    health, ready = pages("/health", "/ready", given=stall)

    assert (health[0], ready[0]) == (503, 503)
    assert "lane 2 has 7 records to go" in health[2]


def test_a_worker_that_starts_is_healthy_and_not_ready() -> None:
    """It is given no work yet, and it is not killed for that."""
    health, ready = pages("/health", "/ready", given=lambda worker: worker)

    assert (health[0], ready[0]) == (200, 503)


def refusal(**wrong: Any) -> tuple[str, ...]:  # noqa: ANN401 - passed on as they are
    """The lines with which a server refuses to start."""

    async def start() -> None:
        async with WebServer(CollectorRegistry(), Progress(1), **wrong):
            pass

    with pytest.raises(BadInput) as refused:
        asyncio.run(start())
    return refused.value.problems


def test_a_port_in_use_is_one_clear_line() -> None:
    """The second worker on a machine says which setting it needs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        (line,) = refusal(host="127.0.0.1", port=port)

    assert line.startswith(f"web.port: {port} is in use on 127.0.0.1, perhaps by another worker; ")
    assert "app.worker_id" in line


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    """203.0.113.0/24 is nobody's, by RFC 5737."""
    (line,) = refusal(host="203.0.113.7", port=0)

    assert line.startswith("web.host: cannot listen on 203.0.113.7: ")
