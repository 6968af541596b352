"""Whether a worker gets on with its lanes: what health, readiness and the watchdog are judged by.

An open port proves nothing; a consumer that has quietly stopped answers it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneProgress:
    """One lane: `at` is when it last finished something or was caught up, ms of the caller's clock."""

    at: int
    lag: int = 0
    claimed: bool = False
    refused: str = ""


class Progress:
    """Fed by the lanes of one worker; asked with the same clock (integer ms) that they are fed with."""

    def __init__(self, stalled_after: int) -> None:
        """A lane with lag that finishes nothing for more than `stalled_after` ms has stalled."""
        self._stalled_after = stalled_after
        self._lanes: dict[int, LaneProgress] = {}
        self._waiting: dict[str, dict[int | None, str]] = {}
        self._joined = False

    @property
    def lanes(self) -> Mapping[int, LaneProgress]:
        """The lanes of this worker, as they are now."""
        return MappingProxyType(self._lanes)

    def joined(self) -> None:
        """The worker is in the group; it may still have no lane, when there are more workers than lanes."""
        self._joined = True

    def assigned(self, lane: int, now: int) -> None:
        """The lane has come to this worker; from now on its claim must get done."""
        self._lanes[lane] = LaneProgress(at=now, lag=1)

    def claiming(self, lane: int, now: int) -> None:
        """The lane is claimed, perhaps not for the first time; to begin again and again is no progress."""
        known = self._lanes.get(lane, LaneProgress(at=now))
        self.behind(lane, now, lag=max(known.lag, 1))
        self._lanes[lane] = replace(self._lanes[lane], claimed=False)

    def gets_on(self, lane: int, now: int) -> None:
        """A part of the lane's claim is done: it may repeat batches for hours, as long as it does."""
        if lane in self._lanes:
            self._lanes[lane] = replace(self._lanes[lane], at=now)

    def finished(self, lane: int, now: int, *, lag: int) -> None:
        """The lane finished its claim, a batch, or a look at its topics; `lag` records are left to read."""
        self._lanes[lane] = LaneProgress(at=now, lag=lag, claimed=True)

    def behind(self, lane: int, now: int, *, lag: int) -> None:
        """The lane has been seen to have `lag` records left; that it was seen is no progress."""
        known = self._lanes.get(lane, LaneProgress(at=now))
        # The time of a lane that was caught up counts from the first record that waits for it.
        self._lanes[lane] = replace(known, lag=lag, at=now if known.lag == 0 else known.at)

    def refused(self, lane: int, now: int, why: str) -> None:
        """The lane stands because journal and store contradict each other; starting again would not help."""
        self._lanes[lane] = LaneProgress(at=now, refused=why)

    def revoked(self, lane: int) -> None:
        """The lane has gone to another worker, and whatever it waited for is waited for there."""
        self._lanes.pop(lane, None)
        for service in list(self._waiting):
            self._forget(service, lane)

    def waiting(self, service: str, detail: str, *, lane: int | None = None) -> None:
        """A lane, or the worker itself, waits for `service`; lanes that stand still are excused meanwhile."""
        self._waiting.setdefault(service, {})[lane] = detail

    def answered(self, service: str, now: int, *, lane: int | None = None) -> None:
        """The service answers whoever said to wait; when nobody waits any more lanes get their full time."""
        if self._forget(service, lane):
            self._lanes = {each: replace(known, at=now) for each, known in self._lanes.items()}

    def waits_for(self, service: str) -> bool:
        """Whether anybody waits for it."""
        return service in self._waiting

    def _forget(self, service: str, lane: int | None) -> bool:
        """One waits no more; whether that was the last one."""
        waiters = self._waiting.get(service, {})
        if waiters.pop(lane, None) is None or waiters:
            return False
        del self._waiting[service]
        return True

    def stalled(self, now: int) -> tuple[str, ...]:
        """A sentence for every lane that should get on and does not: the process should be started again."""
        if self._waiting:
            return ()
        return tuple(
            f"lane {lane} has {known.lag} records to go and finished nothing for {(now - known.at) // 1000} s"
            for lane, known in sorted(self._lanes.items())
            if known.lag > 0 and now - known.at > self._stalled_after
        )

    def unready(self, now: int) -> tuple[str, ...]:
        """A sentence for everything that keeps this worker from doing its part now."""
        lanes = sorted(self._lanes.items())
        return (
            *self.stalled(now),
            *(() if self._joined else ("the worker has not joined the group yet",)),
            *(
                f"waiting for the {service}: {next(iter(waiters.values()))}"
                for service, waiters in sorted(self._waiting.items())
            ),
            *(f"lane {lane} refused: {known.refused}" for lane, known in lanes if known.refused),
            *(
                f"lane {lane} is being claimed"
                for lane, known in lanes
                if not known.claimed and not known.refused
            ),
        )
