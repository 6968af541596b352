"""The worker's pages over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from bench.fuzz.mutating import broken
from retarget.errors import BadInput
from streams.metrics import Metrics
from streams.progress import Progress
from streams.settings import load_settings
from streams.web import WebServer, require_token

TOKEN = "a-token-of-some-length"  # noqa: S105 - of servers that live as long as a test


class Worker:
    """A worker's pages on a free port, and the time by which it is judged."""

    def __init__(self, token: str = "") -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.progress = Progress(60_000)
        self.time = 0
        self.server = WebServer(
            self.registry, self.progress, host="127.0.0.1", port=0, token=token, now=lambda: self.time
        )

    async def get(self, path: str, said: str | None = None) -> tuple[int, str, str]:
        """Status, content type and body of a page; `said` is the header Authorization."""
        headers = {} if said is None else {"Authorization": said}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.server.port}{path}", headers=headers) as answer,
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
    (line,) = refusal(host="203.0.113.7", port=0, token=TOKEN)

    assert line.startswith("web.host: cannot listen on 203.0.113.7: ")


# -- beyond this machine --


BEYOND = ("0.0.0.0", "::", "192.168.0.7", "worker.example", "127.0.0.1.example")  # noqa: S104 - refused


@pytest.mark.parametrize("host", BEYOND)
def test_without_a_token_nobody_beyond_this_machine_is_answered(host: str) -> None:
    """The worker does not start, and is told both ways out."""
    (line,) = refusal(host=host, port=0)

    assert line.startswith(f"web.host: {host} can be reached from other machines, and web.token is not set")
    assert "127.0.0.1" in line


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_token(host: str) -> None:
    """As long as nobody else can ask."""
    require_token(host, "")


WRONG = (None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", TOKEN, "Bearer ü")


def test_who_does_not_bring_the_token_learns_only_whether_all_is_well() -> None:
    """Metrics are refused; the probes get their status, without lanes and reasons."""

    async def ask() -> None:
        worker = Worker(TOKEN)
        worker.progress.joined()
        worker.progress.finished(2, 0, lag=7)
        async with worker.server:
            for said in WRONG:
                assert (await worker.get("/metrics", said))[0] == 401
                for page in ("/health", "/ready"):
                    assert await worker.get(page, said) == (200, "application/json", '{"ok": true}')
            for said in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
                assert (await worker.get("/metrics", said))[0] == 200
                assert '"lag": 7' in (await worker.get("/ready", said))[2]

    asyncio.run(ask())


def test_a_short_token_is_refused() -> None:
    """It could be guessed, and nobody counts the tries."""
    with pytest.raises(BadInput, match=r"web\.token: found 5 characters"):
        load_settings(overrides=["web.token=12345"])


REQUESTS = (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n",
    b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /ready HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
)


def test_any_bytes_on_the_port_leave_it_answering() -> None:
    """Whatever is sent, the connection gets an answer or its end, and the next one is served."""

    async def send(port: int, value: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(value)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                await reader.read()
        writer.close()

    async def ask() -> None:
        worker, draw = Worker(), random.Random(1)
        async with worker.server:
            for _ in range(400):
                await send(worker.server.port, broken(draw, REQUESTS))
            assert (await worker.get("/metrics"))[0] == 200

    asyncio.run(ask())
