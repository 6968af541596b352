"""Many things that happen side by side, told in the order of time.

Each is a process: a generator that yields how many ms to let pass, a touchpoint that happens now, or an
`Aside`, another process that starts now. It is sent the time at each step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TypeAlias

from retarget.touchpoints import Touchpoint

Step: TypeAlias = "int | Touchpoint | Aside"
Process: TypeAlias = Generator[Step, int, None]
# The same with an answer: a time, and whether something came to pass.
Moment: TypeAlias = Generator[Step, int, int]
Outcome: TypeAlias = Generator[Step, int, bool]


@dataclass(frozen=True, slots=True)
class Aside:
    """A process that goes its own way from now on."""

    process: Process


def unfold(start_ms: int, processes: Iterable[Process]) -> Iterator[Touchpoint]:
    """The touchpoints of all processes from `start_ms` on, stamped with their time, never going back."""
    order = count()
    # The order settles ties, so that processes are never compared.
    agenda = [(start_ms, next(order), process, False) for process in processes]
    heapify(agenda)
    while agenda:
        now, _, process, running = heappop(agenda)
        step = _resume(process, now if running else None)
        while step is not None:
            if isinstance(step, int):
                heappush(agenda, (now + step, next(order), process, True))
                break
            if isinstance(step, Aside):
                heappush(agenda, (now, next(order), step.process, False))
            else:
                step.time = now
                yield step
            step = _resume(process, now)


def _resume(process: Process, now: int | None) -> Step | None:
    # A generator that has not begun takes no value yet.
    try:
        return next(process) if now is None else process.send(now)
    except StopIteration:
        return None
