"""The faults of workers and broker.

Each is a context manager: on entry it happens and is over, as far as it ever is; inside the block the engine
recovers; on exit what is still missing comes back.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from typing import Final

from bench.chaos.arena import Arena
from bench.chaos.proxy import Proxy
from bench.chaos.schedule import Fault
from tests.e2e.harness import WorkerProcess, until

Happening = Callable[[Arena, Fault], AbstractAsyncContextManager[str]]
KINDS: Final[dict[str, Happening]] = {}
_HOUR_S: Final = 3600.0


def kind(happening: Callable[[Arena, Fault], AsyncIterator[str]]) -> Happening:
    """A fault under its function's name; it yields whom it hit."""
    made = asynccontextmanager(happening)  # keeps the docstring, which the report shows
    KINDS[happening.__name__] = made
    return made


# -- workers --


@kind
async def worker_kill(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """SIGKILL; the others find out by the session timeout. It comes back when they have its lanes."""
    worker = arena.victim(fault.choice)
    arena.kill(worker)
    yield worker.name
    arena.start(worker.name)
    await arena.settled()


@kind
async def worker_crash_restart(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """SIGKILL, and started again at once under the same name."""
    worker = arena.victim(fault.choice)
    arena.kill(worker)
    arena.start(worker.name)
    yield worker.name
    await arena.settled()


@kind
async def worker_stop(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """SIGTERM; over when the process has ended. It comes back when the others have its lanes."""
    worker = arena.victim(fault.choice)
    await arena.stop(worker)
    yield worker.name
    arena.start(worker.name)
    await arena.settled()


@kind
async def worker_zombie(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """SIGSTOP until the others have its lanes, and a little longer; then it goes on where it was."""
    worker = arena.one_of(fault.choice)
    worker.send(signal.SIGSTOP)
    await others_have_all(arena, worker)
    await asyncio.sleep(fault.lasts_s)
    worker.send(signal.SIGCONT)
    yield worker.name
    await arena.settled()


@kind
async def rebalance_storm(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """Three more workers come one after the other, and go by SIGTERM or SIGKILL as soon as they are up."""
    names = [f"guest-{fault.number}-{nth}" for nth in range(3)]
    guests = []
    for name in names:
        guests.append(arena.start(name))
        await asyncio.sleep(fault.lasts_s)
    for nth, guest in enumerate(guests):
        if (nth + fault.number) % 2:
            await arena.stop(guest)
        else:
            arena.kill(guest)
        await asyncio.sleep(fault.lasts_s / 2)
    yield ", ".join(names)
    await arena.settled()


@kind
async def rolling_restart(arena: Arena, fault: Fault) -> AsyncIterator[str]:  # noqa: ARG001 - as all
    """Every worker is stopped and started again, one after the other, as the runbook says."""
    for name in arena.mortals:
        worker = next(each for each in arena.workers() if each.name == name)
        await arena.stop(worker)
        arena.start(name)
        if name != arena.mortals[-1]:
            await arena.settled()
    yield ", ".join(arena.mortals)
    await arena.settled()


@kind
async def clock_jump(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The workers' wall clock jumps by hours, forward or back; afterwards it is right again."""
    # Where it moves idle lanes a clock that is ahead is believed: it is later, as far as anybody can tell.
    forward = fault.choice < 0.5 and not arena.wall
    by = (1 if forward else -1) * fault.lasts_s * _HOUR_S
    arena.set_clock(by)
    await asyncio.sleep(fault.lasts_s)
    yield f"by {by:+.0f} s"
    arena.set_clock(0)


# -- broker --


@kind
async def broker_kill(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """SIGKILL of the broker; over when it answers again."""
    arena.broker.kill()
    await asyncio.sleep(fault.lasts_s)
    arena.broker.start()
    yield "broker"


@kind
async def broker_bounce(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """A clean stop and start of the broker."""
    arena.broker.stop()
    await asyncio.sleep(fault.lasts_s)
    arena.broker.start()
    yield "broker"


@kind
async def broker_cut(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """The way from the workers to the broker is cut: broken off, or silent."""
    yield await cut(arena.door, fault)


@kind
async def broker_delay(arena: Arena, fault: Fault) -> AsyncIterator[str]:
    """Everything between workers and broker takes 50 to 500 ms longer."""
    yield await delay(arena.door, fault)


async def cut(door: Proxy, fault: Fault) -> str:
    """Shut a door for a while; how."""
    if fault.choice < 0.5:
        how = "broken off"
        door.cut()
    else:
        how = "silent"
        door.hush()
    await asyncio.sleep(fault.lasts_s)
    door.mend()
    return how


async def delay(door: Proxy, fault: Fault) -> str:
    """Slow a door down for a while; by how much."""
    delay_s = 0.05 + 0.45 * fault.choice
    door.slow(delay_s)
    await asyncio.sleep(2 * fault.lasts_s)
    door.slow(0)
    return f"{delay_s * 1000:.0f} ms"


async def others_have_all(arena: Arena, frozen: WorkerProcess) -> None:
    """Wait until the other workers have claimed every lane."""

    async def taken_over() -> bool:
        shares = [await each.lanes() for each in arena.workers() if each is not frozen]
        return sorted(chain(*shares)) == list(range(arena.stage.partitions))

    await until(taken_over, "the other workers have all lanes", arena.stage.logs)
