"""The watchdog: ends the process when a lane stalls or the event loop hangs.

A restart under a supervisor is the cure that always works, as the next claim repairs whatever was cut off.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import threading
from collections.abc import Callable
from typing import Final, NoReturn

from streams.clocks import monotonic_ms
from streams.progress import Progress

log: Final = logging.getLogger("retarget.worker")

# For a supervisor: the process ended itself because a lane made no progress.
STALLED: Final = 70
_LONGEST_S: Final = 5.0


class Watchdog:
    """Two looks: a task that judges the lanes, and a thread that notices when tasks do not run any more."""

    def __init__(self, progress: Progress, look: Callable[[], None], *, stalled_after: int) -> None:
        """`look` tells `progress` what lanes do not tell themselves; `stalled_after` in ms."""
        self._progress, self._look = progress, look
        self._every = min(_LONGEST_S, stalled_after / 4000)
        self._most_missed = stalled_after / 1000 / self._every
        self._beats = 0
        self._over = threading.Event()

    async def watch(self) -> None:
        """Judge until cancelled."""
        threading.Thread(target=self._guard, name="watchdog", daemon=True).start()
        before: tuple[str, ...] = ()
        try:
            while True:
                await asyncio.sleep(self._every)
                self._beats += 1
                self._look()
                before = self._judge(before)
        finally:
            self._over.set()

    def _judge(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """What has stalled. The process ends at the second sight: a thawed one needs a moment to catch up."""
        stalled = self._progress.stalled(monotonic_ms())
        if stalled and before:
            _end(f"no progress: {'; '.join(stalled)}")
        return stalled

    def _guard(self) -> None:
        """Count the looks that were missed; by looks and not by time, which goes on while we are frozen."""
        missed, known = 0, self._beats
        while not self._over.wait(self._every):
            missed, known = (missed + 1 if self._beats == known else 0), self._beats
            if missed > self._most_missed:
                faulthandler.dump_traceback()
                _end("the event loop hangs; where is shown above")


def _end(why: str) -> NoReturn:
    log.critical("%s; ending the process", why)
    logging.shutdown()
    os._exit(STALLED)
