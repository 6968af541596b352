"""Millions of open waits: what the worker holds, how soon the next are there, what a checkpoint costs.

They are those of as many lanes as there are unless somebody says otherwise; one of these is looked at.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import median
from typing import Final

from redis import Redis

from bench.lines import Line, at_most
from retarget.lane.waits import Waits
from streams.embedded.store import EmbeddedStore
from streams.ports import Checkpoint
from streams.stores import Store, open_store
from streams.stores.keys import lane_keys

APP: Final = "bench-waits"
LANES: Final = 8
LANE: Final = 0
_CHUNK: Final = 50_000
_FIRST: Final = 1_700_000_000_000
_PAGE: Final = 1_000
_PAGES: Final = 300
_BATCHES: Final = 20
_TURNS: Final = 5
_PEOPLE: Final = 1_000
_JOURNEY: Final = b"\x02" + b"j" * 2_000


def lines(waits: int) -> list[Line]:
    """The three figures, with so many waits in all lanes; a checkpoint beside that of one who has none."""
    with EmbeddedStore() as server:
        _fill(server.url, waits)
        base = _memory_mb()
        late, held = asyncio.run(_pages(server.url, waits // LANES))
        grown = max(_memory_mb() - base, 0.0)
        ratio = asyncio.run(_against_none(server.url))
    what = f"{waits / 1e6:g} million open waits"
    return [
        at_most(
            f"{what}: memory in the worker",
            [grown],
            300,
            "MB",
            note=f"{held:,} waits held at most",
        ),
        at_most(f"{what}: the next page of waits is there, p99", [late], 1, "s"),
        at_most(
            f"{what}: a checkpoint against none",
            [max(ratio)],
            1.2,
            "times",
            note=f"CPU of the client {ratio[0]:.2f}, time of the call {ratio[1]:.2f}; the larger counts",
        ),
    ]


def _fill(url: str, waits: int) -> None:
    client, each = Redis.from_url(url), waits // LANES
    for lane in range(LANES):
        waiting = lane_keys(APP, LANES, lane).waits
        for start in range(0, each, _CHUNK):
            some = range(start, min(start + _CHUNK, each))
            client.zadd(waiting, {f"person-{number:09}": _FIRST + number * 40 for number in some})


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _store(url: str, app: str = APP) -> Store:
    return await open_store(url, app, LANES)


async def _pages(url: str, waits: int) -> tuple[float, int]:
    """p99 seconds of the call for the next page, as a lane asks while its clock moves; waits held at most."""
    store = await _store(url)
    took: list[float] = []
    near, after, end, most = Waits(), _FIRST - 1, _FIRST + waits * 40, 0
    for _ in range(_PAGES):
        started = time.perf_counter()
        _, page = await store.waits(LANE, after, end, _PAGE)
        took.append(time.perf_counter() - started)
        if not page:
            break
        after = page[-1][0]
        near.load(page, after)
        most = max(most, len(near))
        while near:
            near.pop()
    await store.close()
    return sorted(took)[len(took) * 99 // 100], most


async def _against_none(url: str) -> list[float]:
    """CPU of the client, and time of the call, beside an app without waits: medians of turns."""
    full, none = await _store(url), await _store(url, f"{APP}-none")
    turns = [
        [one / two for one, two in zip(await _checkpoints(full, n), await _checkpoints(none, n), strict=True)]
        for n in range(_TURNS)
    ]
    await full.close()
    await none.close()
    return [median(ratios) for ratios in zip(*turns, strict=True)]


async def _checkpoints(store: Store, turn: int) -> list[float]:
    """CPU of the client, and seconds of the call, for a full batch: medians."""
    cpu, wall = [], []
    people = [f"person-{number:09}" for number in range(_PEOPLE)]
    for batch in range(turn * _BATCHES, (turn + 1) * _BATCHES):
        checkpoint = Checkpoint(
            expected=batch, meta=b"m", journeys=[(person, _JOURNEY) for person in people],
            waits=[(person, _FIRST + batch) for person in people[:200]], forgotten=[], unwaited=[],
        )  # fmt: skip
        started, spent = time.perf_counter(), time.process_time()
        await store.checkpoint(LANE, checkpoint)
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - started)
    return [median(cpu), median(wall)]
