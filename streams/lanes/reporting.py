"""Reporting: what one lane tells its observer, as metrics, health and log lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from streams.clocks import monotonic_ms
from streams.lanes.catching_up import CatchingUp
from streams.lanes.observer import Cause, Observer, Stage
from streams.metrics import Metrics
from streams.progress import Progress

log: Final = logging.getLogger("retarget.lane")

_SAY_EVERY_MS: Final = 10_000
_OUTPUTS: Final = {
    "message", "decision", "recall", "dead", "dropped", "ignored", "misfit", "failed", "shadow", "taken_over",
    "lacking", "joined", "unjoined", "sent_on", "merge_double",
}  # fmt: skip


class LaneReport(Observer):
    """The observer of one lane in a worker."""

    def __init__(
        self,
        lane: int,
        metrics: Metrics,
        progress: Progress,
        lag: Callable[[], int],
        changes: Callable[[], None],
    ) -> None:
        """`lag`: how many records are not yet read, asked once a batch.

        `changes`: told when the lane becomes ours, is claimed anew or goes.
        """
        self._lane, self._label = lane, str(lane)
        self._metrics, self._progress, self._lag, self._changes = metrics, progress, lag, changes
        decided = metrics.decision
        self._of_rules = {
            "taken_over": decided.taken_over, "misfit": decided.misfits, "failed": decided.failed,
        }  # fmt: skip
        self._waiting: set[str] = set()
        self._said = 0
        self._silent = False
        self._pools: set[str] = set()
        self._catching_up = CatchingUp()

    def claiming(self, cause: Cause, detail: str) -> None:
        """A claim begins."""
        now = self._said = monotonic_ms()
        self._metrics.lane.claims.labels(cause).inc()
        self._catching_up.forget()
        self._progress.claiming(self._lane, now)
        self._changes()
        log.log(
            self._level_of(cause),
            "claiming lane %d: %s",
            self._lane,
            f"{detail}; if this goes on, two workers have one app.worker_id, or two engines one app.id"
            if cause == "fenced"
            else detail or cause,
            extra={"lane": self._lane, "cause": cause},
        )

    def _level_of(self, cause: Cause) -> int:
        if cause in ("start", "rebalance"):
            return logging.INFO
        # That the broker is waited for has been said once; every further try would say it again.
        return logging.DEBUG if self._waiting else logging.WARNING

    def gets_on(self, done: str) -> None:
        """A part of a claim is done: said now and then, as it may take long."""
        now = monotonic_ms()
        self._progress.gets_on(self._lane, now)
        if now - self._said > _SAY_EVERY_MS:
            self._said = now
            log.info("lane %d is being claimed: %s", self._lane, done, extra={"lane": self._lane})

    def claimed(self, seconds: float, replayed: int) -> None:
        """A claim is done."""
        self._metrics.lane.up.labels(self._label).set(1)
        self._metrics.lane.claim.observe(seconds)
        self._metrics.lane.replayed.inc(replayed)
        self._progress.finished(self._lane, monotonic_ms(), lag=self._lag())
        self._changes()
        log.info("lane %d is ours, %d batches replayed", self._lane, replayed, extra={"lane": self._lane})

    def restored(self, sequence: int, source: str) -> None:
        """The store had lost the lane."""
        log.warning(
            "lane %d: the store had lost it; it is back from %s, as it was at sequence %d",
            self._lane, source, sequence, extra={"lane": self._lane},
        )  # fmt: skip

    def mismatch(self, sequence: int) -> None:
        """A replayed batch came to other outputs."""
        self._metrics.lane.mismatches.inc()
        log.error(
            "lane %d: batch %d came to other outputs than the journal says; rules or code have changed",
            self._lane, sequence, extra={"lane": self._lane},
        )  # fmt: skip

    def takes_up(self, bundle: str) -> None:
        """Another bundle decides."""
        log.info("lane %d decides by bundle %s", self._lane, bundle, extra={"lane": self._lane})

    def waiting(self, service: str, detail: str) -> None:
        """A service does not answer."""
        if service not in self._waiting:
            self._waiting.add(service)
            log.warning(
                "lane %d waits for the %s: %s", self._lane, service, detail, extra={"lane": self._lane}
            )
        self._progress.waiting(service, detail, lane=self._lane)
        self._show(service)
        if self._lag() > 0:
            self._metrics.lane.catch_up.labels(self._label).set(inf)

    def answered(self, service: str) -> None:
        """The service answers again."""
        if service in self._waiting:
            self._waiting.discard(service)
            self._progress.answered(service, monotonic_ms(), lane=self._lane)
            self._show(service)
            log.info("the %s answers lane %d again", service, self._lane, extra={"lane": self._lane})

    def _show(self, service: str) -> None:
        self._metrics.service.waiting.labels(service).set(int(self._progress.waits_for(service)))

    def gone(self) -> None:
        """The lane is no longer this worker's."""
        self._progress.revoked(self._lane)
        self._changes()
        self._metrics.lane.forget(self._lane, self._pools)
        for service in self._waiting:
            self._show(service)

    def stage(self, stage: Stage, seconds: float) -> None:
        """Time spent in one stage."""
        self._metrics.batch.stage.labels(stage).observe(seconds)

    def batch(self, records: int, counts: Mapping[tuple[str, ...], int], lateness: list[int]) -> None:
        """A batch is in the store."""
        metrics = self._metrics
        metrics.batch.records.observe(records)
        metrics.input.applied.labels(self._label).inc(counts.get(("applied",), 0))
        metrics.input.late.labels(self._label).inc(counts.get(("late",), 0))
        metrics.input.duplicate.labels(self._label).inc(counts.get(("repeat",), 0))
        metrics.input.listed.labels(self._label).inc(counts.get(("listed",), 0))
        for waited in lateness:
            metrics.decision.wait_lateness.observe(waited / 1000)
        for key, count in counts.items():
            if key[0] in _OUTPUTS:
                self._output(key, count)

    def _output(self, key: tuple[str, ...], count: int) -> None:
        metrics = self._metrics
        match key:
            case ("message", rule, channel, operation):
                metrics.decision.messages.labels(rule, channel, operation).inc(count)
            case ("decision", rule, outcome, reason):
                metrics.decision.decisions.labels(rule, outcome, reason).inc(count)
            case ("shadow", rule, outcome, reason):
                metrics.decision.shadow.labels(rule, outcome, reason).inc(count)
            case ("lacking", rule, reason):
                metrics.decision.lacking.labels(rule, reason).inc(count)
            case ("recall", rule, _, "regretted"):
                metrics.decision.regretted.labels(rule).inc(count)
            case ("dead", reason):
                metrics.input.dead_letters.labels(reason).inc(count)
            case ("dropped", kind):
                metrics.batch.dropped.labels(kind).inc(count)
            case ("taken_over" | "misfit" | "failed" as what, rule):
                self._of_rules[what].labels(rule).inc(count)
            case ("ignored", part):
                metrics.input.ignored.labels(part).inc(count)
            case _:
                self._of_people(key, count)

    def _of_people(self, key: tuple[str, ...], count: int) -> None:
        identity = self._metrics.identity
        match key:
            case ("joined",):
                identity.joined.labels(self._label).inc(count)
            case ("unjoined", why):
                identity.unjoined.labels(why).inc(count)
            case ("sent_on", why):
                identity.sent_on.labels(why).inc(count)
            case ("merge_double", rule):
                identity.doubles.labels(rule).inc(count)

    def state(self, clock: int, held: int, waits: int, frontier: Mapping[str, int]) -> None:  # noqa: ARG002
        """Where the lane stands."""
        lane, now, lag = self._metrics.lane, time.time(), self._lag()
        lane.clock.labels(self._label).set(clock / 1000)
        lane.lag_seconds.labels(self._label).set(max(now - clock / 1000, 0))
        lane.lag_records.labels(self._label).set(lag)
        lane.held.labels(self._label).set(held)
        lane.waits.labels(self._label).set(waits)
        lane.progress.labels(self._label).set(now)
        self._progress.finished(self._lane, monotonic_ms(), lag=lag)
        self._catch_up(lag)

    def _catch_up(self, lag: int) -> None:
        at = monotonic_ms()
        self._catching_up.look(at, lag)
        self._metrics.lane.catch_up.labels(self._label).set(self._catching_up.seconds(lag))
        if line := self._catching_up.line(at, lag):
            log.info("lane %d %s", self._lane, line, extra={"lane": self._lane})

    def silent(self, *, guarded: bool) -> None:
        """Whether guarded rules pause."""
        self._metrics.lane.silent.labels(self._label).set(int(guarded))
        if guarded != self._silent:
            self._silent = guarded
            if guarded:
                log.warning(
                    "lane %d hears of no purchase: guarded rules pause",
                    self._lane,
                    extra={"lane": self._lane},
                )
            else:
                log.info("lane %d hears of purchases again", self._lane, extra={"lane": self._lane})

    def codes(self, left: Mapping[str, int]) -> None:
        """How many codes are left."""
        for pool, count in left.items():
            self._pools.add(pool)
            self._metrics.lane.codes.labels(self._label, pool).set(count)

    def refused(self, why: str) -> None:
        """The lane stands still for good."""
        self._metrics.lane.up.labels(self._label).set(0)
        self._metrics.lane.refused.labels(self._label).set(1)
        for service in sorted(self._waiting):
            self.answered(service)
        self._progress.refused(self._lane, monotonic_ms(), why)
        log.error("lane %d stands still: %s", self._lane, why, extra={"lane": self._lane})
