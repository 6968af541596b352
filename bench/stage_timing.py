"""CPU of the main thread by stage: the worker's own functions, each with a clock around it.

Only what runs without waiting is timed, a batch at a time (a message at a time for its encoding), so that the
clocks themselves cost next to nothing. A stage inside another one counts for itself only.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final
from unittest.mock import patch

# What is timed: the place where the name is looked up, the name, and the stage that its time belongs to.
_PLACES: Final = (
    ("streams.lanes.gathering.Gathering", "arrivals_of", "decode"),
    ("streams.lanes.gathering.Gathering", "_portion", "gather"),
    ("retarget.lane.lane.Lane", "target", "load"),
    ("retarget.lane.lane.Lane", "needs", "load"),
    ("retarget.journeys.wire", "decode", "load"),
    ("streams.lanes.loading.Loading", "forget", "load"),
    ("retarget.lane.lane.Lane", "work", "step"),
    ("retarget.engine.moment.Moment", "emit_message", "encode outputs"),
    ("retarget.engine.moment.Moment", "emit_decision", "encode outputs"),
    ("retarget.journeys.wire", "encode", "encode journeys"),
    ("streams.stores.redis", "_checkpoint_keys", "checkpoint"),
    ("streams.stores.redis", "_checkpoint_arguments", "checkpoint"),
    ("hiredis", "pack_command", "checkpoint"),
    ("streams.lanes.outputs", "outputs", "emit"),
    ("streams.lanes.outputs", "digest", "emit"),
    ("streams.kafka.sending", "_batches", "emit"),
    ("streams.worker.Worker", "_lag", "report"),
    ("streams.lanes.reporting.LaneReport", "batch", "report"),
    ("streams.lanes.reporting.LaneReport", "state", "report"),
)


class _Clock:
    """CPU seconds of this thread by stage; the innermost open stage gets them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._thread = threading.get_ident()
        self._since = 0.0

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted for `stage`."""

        def timed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any function
            self.enter(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return timed

    def enter(self, stage: str) -> None:
        """Count for this stage from now on."""
        self._charge()
        self._open.append(stage)

    def leave(self) -> None:
        """Count for the stage around again."""
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        now = time.thread_time()
        if self._open:
            stage = self._open[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def of_collector(self, phase: str, _: object) -> None:
        """Python's cyclic garbage collector, wherever in this thread it strikes."""
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self.enter("garbage collector")
        else:
            self.leave()


@contextmanager
def measured(path: str) -> Iterator[None]:
    """Time the stages of the worker that runs inside, and write them to `path` as JSON at the end."""
    clock = _Clock()
    with ExitStack() as opened:
        for place, name, stage in _PLACES:
            opened.enter_context(_patched(clock, place, name, stage))
        gc.callbacks.append(clock.of_collector)
        opened.callback(gc.callbacks.remove, clock.of_collector)
        yield
    Path(path).write_text(json.dumps({"main": time.thread_time(), "stages": clock.seconds}))


def _patched(clock: _Clock, place: str, name: str, stage: str) -> Any:  # noqa: ANN401 - what mock gives
    owner = resolve_name(place)
    return patch.object(owner, name, clock.around(stage, getattr(owner, name)))
