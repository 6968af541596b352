"""A burst of a hundred times the usual rate, where the wall clock moves lanes that are idle.

Small batches and a store that answers late make it more than the worker can do on any machine.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import pytest

from retarget.touchpoints import Touchpoint
from streams import topics
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress
from streams.kafka.sending import producing
from streams.producing import send_all
from tests.e2e.harness import Stage, WorkerProcess, file_events, on_stage, replayed
from tests.oracle.histories import random_history
from tests.support.memory import watched
from tests.support.slow_door import slow_store
from tests.support.worker import page

USUAL: Final = 15  # events a second
TIMES: Final = 100
PACE_S: Final = 0.1
PHASES: Final = ((USUAL, 8.0), (USUAL * TIMES, 10.0), (USUAL, 20.0))  # a second, for so many seconds
LANES: Final = 2
RECORDS: Final = 100
STORE_S: Final = 0.1
# What it may hold of each lane that is read and not taken.
MAY_HOLD: Final = 2 * RECORDS * LANES
GROWTH_MB: Final = 120
SETTINGS: Final = (
    *("clock.now=event", "clock.idle=wall", "clock.idle_after=250ms", "clock.lateness=10s"),
    *("consent.assume=granted", "quiet_hours.enabled=false"),
    *(f"batch.records={RECORDS}", "batch.persons=100", "batch.cached_persons=300"),
)
RULES: Final = Path(__file__).resolve().parents[2] / "bench" / "chaos" / "rules"
_LAG: Final = re.compile(r'^retarget_lane_lag_records\{lane="\d+"\} (\S+)$', re.MULTILINE)


async def flow(stage: Stage, history: Iterator[Mapping[str, Any]]) -> tuple[list[FileEvent], float]:
    """Send events of now, at the usual rate, a hundred times that, and the usual again.

    What was sent, and how many a second at the most.
    """
    sent: list[FileEvent] = []
    rates: list[float] = []
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        for rate, seconds in PHASES:
            began, told = time.monotonic(), 0
            while (passed := time.monotonic() - began) < seconds:
                due, now = int(passed * rate) - told, now_ms()
                chunk = file_events([{**next(history), "time": now} for _ in range(min(due, rate))])
                await send_all(producer, stage.outgoing(chunk))
                sent += chunk
                told += len(chunk)
                await asyncio.sleep(PACE_S)
            rates.append(told / (time.monotonic() - began))
    return sent, max(rates)


async def largest_lag(worker: WorkerProcess, seen: list[float]) -> None:
    """Note how much is unread, until cancelled."""
    while True:
        seen.append(sum(map(float, _LAG.findall((await page(worker, "/metrics")).text))))
        await asyncio.sleep(0.25)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_burst_of_a_hundred_times_the_usual_rate(store: EmbeddedStore, tmp_path: Path) -> None:
    """What it cannot hold waits in Kafka; memory stays; no wait ends before what ends it has been read."""
    people = (each for each in random_history(7, 18_000) if each["type"] != "heartbeat")
    with EmbeddedBroker(folder=tmp_path) as broker, slow_store(store.process.port, STORE_S) as slow:
        stage = Stage(
            bootstrap=broker.bootstrap,
            store=cast("EmbeddedStore", slow),
            folder=tmp_path,
            app_id="burst",
            emit="idempotent",
            partitions=LANES,
            settings=(*SETTINGS, f"rules.dir={RULES}"),
        )
        async with on_stage(stage), stage.outlet() as outlet:
            worker = stage.worker("one", alone=True)
            await stage.shared_out()
            lags: list[float] = []
            looking = asyncio.create_task(largest_lag(worker, lags))
            with watched(worker) as memory:
                began = time.monotonic()
                sent, rate = await flow(stage, people)
                end = max(one.found.time for one in sent if isinstance(one.found, Touchpoint)) + 60_000
                await stage.move_clocks(end)
                await stage.done(within_s=200)
                seconds = time.monotonic() - began
            looking.cancel()
            found = await outlet.to_end()
    closing = FileEvent("made-up", 0, Touchpoint(type="heartbeat", time=end), b"")
    wanted = await replayed([*sent, closing], stage.given, rules=RULES)
    grown = memory.largest - memory.first
    line = (
        f"| {USUAL} | {rate:,.0f} | {len(sent):,} | {seconds:.0f} | {max(lags):,.0f} | {MAY_HOLD:,} "
        f"| {memory.first:.0f} | {grown:.0f} | {len(wanted):,} |"
    )
    print(line)  # noqa: T201 - the figures for docs/overload.md
    assert sorted(one.value for one in found) == sorted(one.value for one in wanted)
    assert sum(one.topic == topics.DECISIONS for one in wanted) > 1_000
    assert rate > USUAL * TIMES * 0.8, f"the burst was no more than {rate:.0f} a second"
    assert max(lags) > 3 * MAY_HOLD, "no more came than it could hold"
    assert grown < GROWTH_MB, line
