"""A collector as a process of its own, and what it has put into Kafka."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from retarget.decode import decode_canonical
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.embedded.processes import LOOPBACK, ChildProcess, free_port
from streams.kafka import KafkaAddress, Reader
from streams.ports import Record


class Answer(NamedTuple):
    """What the collector answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body as JSON."""
        return json.loads(self.body)


class Collector:
    """Where a test's collector listens, and its topic of two partitions."""

    def __init__(self, bootstrap: str, topic: str, port: int) -> None:
        self.bootstrap, self.topic, self.port = bootstrap, topic, port
        self.url = f"http://{LOOPBACK}:{port}"

    def send(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, method: str = ""
    ) -> Answer:
        """Post JSON (bytes go as they are); without a body get."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        said = (
            {"Content-Type": "application/json", **(headers or {})}
            if data is not None
            else dict(headers or {})
        )
        request = urllib.request.Request(  # noqa: S310 - of this machine
            self.url + path, data, said, method=method or ("GET" if data is None else "POST")
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def records(self) -> list[tuple[int, Record]]:
        """Every record of the topic with its partition, heartbeats left out."""
        return [
            (place, one)
            for place, one in asyncio.run(self._read())
            if b'"heartbeat"' not in (one.value or b"")
        ]

    def events(self) -> list[Touchpoint | Rejected]:
        """What a lane would read there."""
        return [_read(record.value or b"") for _, record in self.records()]

    def named(self) -> dict[str, Touchpoint]:
        """The touchpoints by their producer's name, else type."""
        return {event.name or event.type: event for event in self.events() if isinstance(event, Touchpoint)}

    async def _read(self) -> list[tuple[int, Record]]:
        reader = Reader(KafkaAddress(bootstrap=self.bootstrap))
        await reader.start()
        try:
            found: list[tuple[int, Record]] = []
            for place in range(await reader.partitions(self.topic)):
                end = await reader.end(self.topic, place)
                found += [(place, one) for one in await reader.read(self.topic, place, 0, end)]
            return found
        finally:
            await reader.close()


def _read(value: bytes) -> Touchpoint | Rejected:
    try:
        return decode_canonical(value)
    except Rejected as rejected:
        return rejected


@contextmanager
def collecting(bootstrap: str, topic: str, folder: Path, *settings: str) -> Iterator[Collector]:
    """Run `retarget collect` with these settings while inside."""
    port = free_port()
    argv = [sys.executable, "-m", "streams", "collect"]
    for one in (
        f"kafka.bootstrap={bootstrap}",
        f"kafka.input_topics={topic}",
        f"collect.port={port}",
        *settings,
    ):
        argv += ["--set", one]
    with ChildProcess("collector", argv, port=port, log=folder / "collector.log"):
        yield Collector(bootstrap, topic, port)
