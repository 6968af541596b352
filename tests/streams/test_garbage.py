"""A batch leaves nothing that only the garbage collector finds, which comes seldom (`streams.collector`)."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import Future
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec

from retarget.lane.handing import Handing
from retarget.lane.joining import Joining
from retarget.lane.run import Run
from retarget.lane.telling import Telling
from streams.backtest.pool import _results
from streams.ports import Output, Record
from streams.replaying import IN_MEMORY, LANE, TOPIC, RecordFeed, Tally, runner_over
from tests.oracle.histories import random_history
from tests.streams.commands.backtest.test_parts import with_devices
from tests.streams.commands.backtest.whole import a_bundle


async def test_the_results_of_a_batch_go_with_it() -> None:
    """What works in a batch ends with it, by counts alone: else the outputs of hundreds stay in memory."""
    events = with_devices(random_history(7, 600), Random(1))
    records = [Record(TOPIC, n, e["time"], None, msgspec.json.encode(e)) for n, e in enumerate(events)]
    outputs, bundle = list[Output](), a_bundle()
    feed = RecordFeed(records, lambda: events[-1]["time"])
    runner = runner_over(LANE, bundle, outputs.append, feed, Tally(), limits=IN_MEMORY._replace(records=100))
    await runner.claim()
    gc.collect()
    gc.disable()
    try:
        batches = 0
        while await runner.batch():
            batches += 1
            left = [one for one in gc.get_objects() if isinstance(one, (Run, Joining, Telling, Handing))]
            assert left == []
    finally:
        gc.enable()
    assert batches > 5
    assert len(outputs) > 100


class Outcome:
    """What a part of a backtest has come to, which grows with the input."""


def test_what_the_parts_of_a_backtest_come_to_is_not_kept() -> None:
    """It is added up, one after the other; all of them would take as much as the input has."""
    futures: set[Future[Any]] = {Future() for _ in range(5)}
    for future in futures:
        future.set_result(Outcome())
    kept = [weakref.ref(future.result()) for future in futures]
    del future
    for told, _ in enumerate(_results(futures, SimpleNamespace(value=0), lambda _: None), 1):
        assert sum(one() is not None for one in kept) == len(kept) - told + 1
