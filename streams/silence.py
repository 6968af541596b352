"""Silence: whether the broker still answers fetches; an idle worker would not notice otherwise."""

from __future__ import annotations

import logging
from typing import Final

from streams.clocks import monotonic_ms
from streams.metrics import Metrics
from streams.progress import Progress

log: Final = logging.getLogger("retarget.worker")

# Fetches are answered every 50 ms; a broker that restarts in good order hands over within a few seconds.
SILENT_AFTER: Final = 10_000
_BROKER: Final = "broker"


class Silence:
    """Says once when it begins and once when it ends."""

    def __init__(self, progress: Progress, metrics: Metrics) -> None:
        self._progress, self._metrics = progress, metrics
        self._silent = False

    def look(self, answered: int | None, now: int) -> None:
        """`answered`: when a fetch was last answered, epoch ms; None: nothing is fetched, so who knows."""
        if answered is None:
            return
        if now - answered <= SILENT_AFTER:
            self.over()
        elif not self._silent:
            self._silent = True
            detail = f"no fetch was answered for {(now - answered) // 1000} s"
            log.warning("the worker waits for the broker: %s", detail)
            self._progress.waiting(_BROKER, detail)
            self._show()

    def over(self) -> None:
        """The broker has answered."""
        if self._silent:
            self._silent = False
            log.info("the broker answers the worker again")
            self._progress.answered(_BROKER, monotonic_ms())
            self._show()

    def _show(self) -> None:
        self._metrics.service.waiting.labels(_BROKER).set(int(self._progress.waits_for(_BROKER)))
