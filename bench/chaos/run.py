"""One run: parts up, load on, one fault after the other, load off, verdict."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from bench.chaos import checker, store_faults
from bench.chaos.arena import PARTITIONS, RULES, WORKERS, Arena
from bench.chaos.bounds import late
from bench.chaos.faults import KINDS
from bench.chaos.load import Bursts, Load
from bench.chaos.proxy import Proxy
from bench.chaos.records import RESULTS, Began, Ended, Happened, RunLog, read
from bench.chaos.schedule import Fault, schedule
from bench.chaos.soak import soaked, weigh
from bench.chaos.stores import Cluster, Pair
from bench.chaos.watch import RECOVER_S, NotRecovered, Watch
from retarget.times import DAY
from streams.clocks import now_ms
from streams.embedded import StartFailed
from streams.files import FileEvent
from streams.resources import default_rules_dir
from streams.stores.memory import MemoryStore
from tests.e2e.harness import file_events, replayed
from tests.oracle.histories import random_history
from tests.support.kafka.jars import VERSION, classpath
from tests.support.kafka.processes import KafkaOnJava

assert store_faults.__name__  # its faults are in KINDS once it is imported
# Beyond the planned time: the last fault's recovery.
_SPARE_S: Final = RECOVER_S + 60
_END_S: Final = 180.0


class Plan(NamedTuple):
    """What to play. `soak`: one worker lives through it all; `keep`: leave a log among the results.

    `wall`: the load comes in bursts, and between them the wall clock ends waits.
    """

    seed: int
    minutes: float
    layout: str
    rate: float
    kinds: tuple[str, ...]
    soak: bool
    keep: bool
    emit: str = "transactional"
    wall: bool = False

    @property
    def name(self) -> str:
        """Of its log."""
        parts = [
            *(["wall"] if self.wall else []),
            *(["idempotent"] if self.emit == "idempotent" else []),
            "soak" if self.soak else self.layout,
        ]
        return f"{'-'.join(parts)}-{self.seed}"

    @property
    def spared(self) -> str:
        """The worker that no fault ends; empty: any may be."""
        return WORKERS[0] if self.soak else ""


async def play(plan: Plan, folder: Path) -> int:
    """Play it with the files of servers in `folder`; 0 when all is well, else 1. Raises KafkaMissing."""
    log = RunLog((RESULTS if plan.keep else folder) / f"{plan.name}.jsonl")
    with arena_of(plan, folder) as arena:
        began = Began(
            seed=plan.seed,
            minutes=plan.minutes,
            layout=plan.layout,
            rate=plan.rate,
            date=datetime.now(UTC).date().isoformat(),
            commit=_commit(),
            versions=_versions(arena),
            spared=plan.spared,
            emit=plan.emit,
            clock="wall" if plan.wall else "events",
        )
        log.add(began)
        print(
            f"chaos: seed {plan.seed}, {plan.minutes:g} min, store: {plan.layout}, {plan.emit}, "
            f"clock: {began.clock}, {began.versions}",
            flush=True,
        )
        async with arena.open():
            ended = await _under_fire(plan, arena, log)
        log.add(ended)
    for line in ended.differences:
        print(f"  DIFFERENT: {line}")
    verdict = "exactly as undisturbed" if not ended.differences else f"{len(ended.differences)} differences"
    print(
        f"verdict of seed {plan.seed}: {verdict}; {ended.faults} faults, {ended.events} events, "
        f"{ended.outputs} outputs ({ended.repeats} repeats dropped, {ended.by_wall} batches by the wall "
        f"clock alone), {ended.stored} entries of the store in {ended.lasted_s:.0f} s; {log.path.name}",
        flush=True,
    )
    faults = [line for line in read(log.path) if isinstance(line, Happened)]
    prompt = _prompt(faults)
    flat = _flat(plan.spared, faults) if plan.soak else True
    return 0 if prompt and flat and not ended.differences else 1


def _prompt(faults: Sequence[Happened]) -> bool:
    """Say after which faults lanes were longer away than allowed; whether after none."""
    found = late(faults)
    for line in found:
        print(f"  LATE: {line}", flush=True)
    return not found


def _flat(spared: str, faults: Sequence[Happened]) -> bool:
    """Say how the memory and the files of the spared worker went; whether they are within the bound."""
    try:
        measures = soaked(spared, faults)
    except ValueError as problem:
        print(f"soak: {problem}")
        return False
    for each in measures:
        print(f"soak: {each}")
    return all(each.flat for each in measures)


@contextmanager
def arena_of(plan: Plan, folder: Path) -> Iterator[Arena]:
    """Broker, door and stores, started; all gone behind the block. Raises KafkaMissing."""
    with Proxy(0) as door:
        broker = KafkaOnJava(folder, classpath(), told=door.port)
        door.lead_to(broker.inner_port)
        try:
            broker.start()
            with Cluster(folder) if plan.layout == "cluster" else Pair(folder) as stores:
                yield Arena(folder, broker, door, stores, spared=plan.spared, emit=plan.emit, wall=plan.wall)
        finally:
            broker.close()


def told(seed: int, events: int, now: int) -> list[FileEvent]:
    """The history that flows in, all of it in the past: workers clamp what claims to be of the future."""
    history = random_history(seed, events)
    ahead = max(max(event["time"] for event in history) - (now - DAY), 0)
    return file_events([{**event, "time": event["time"] - ahead} for event in history])


async def _under_fire(plan: Plan, arena: Arena, log: RunLog) -> Ended:
    begun = time.monotonic()
    most = int(plan.rate * (plan.minutes * 60 + _SPARE_S))
    if plan.wall:
        load: Load = Bursts(arena.broker.bootstrap, PARTITIONS, random_history(plan.seed, most), plan.rate)
    else:
        load = Load(arena.broker.bootstrap, PARTITIONS, told(plan.seed, most, now_ms()), plan.rate)
    watch = Watch(arena.broker.bootstrap, arena.stores.url, arena.stage.app_id, PARTITIONS)
    await watch.start()
    wrong: list[str] = []
    faults = 0
    try:
        async with load.flowing():
            await watch.recovered(begun)
            for fault in schedule(plan.seed, plan.kinds):
                if time.monotonic() - begun > plan.minutes * 60:
                    break
                faults += 1
                await _strike(arena, fault, watch, log, begun)
    except (NotRecovered, AssertionError, TimeoutError, StartFailed) as problem:
        wrong.append(f"{type(problem).__name__}: {problem}")
    finally:
        await watch.close()
    events = load.sent
    memory = MemoryStore()
    closing = [*events, *load.closing]
    rules = RULES if plan.wall else default_rules_dir()
    wanted = await replayed(closing, arena.stage.given, store=memory, rules=rules)
    try:
        await arena.stage.close_input(closing)
        await arena.stage.done(_END_S)
    except AssertionError as problem:
        wrong.append(str(problem))
    found = await checker.verdict(arena.stage, events, wanted, memory, besides=load.besides)
    if plan.wall and not found.by_wall:
        wrong.append("the wall clock has ended no wait: the run proves nothing of it")
    return Ended(
        events=len(events),
        outputs=len(wanted),
        faults=faults,
        lasted_s=round(time.monotonic() - begun, 1),
        differences=[*wrong, *found.differences],
        repeats=found.repeats,
        by_wall=found.by_wall,
        stored=found.stored,
    )


async def _strike(arena: Arena, fault: Fault, watch: Watch, log: RunLog, begun: float) -> None:
    await asyncio.sleep(fault.after_s)
    started = time.monotonic()
    async with KINDS[fault.kind](arena, fault) as hit:
        over = time.monotonic()
        lanes = await watch.recovered(over)
    noted, arena.noted = arena.noted, []
    happened = Happened(
        number=fault.number,
        kind=fault.kind,
        hit=hit,
        at_s=round(started - begun, 1),
        took_s=round(over - started, 1),
        recovered_s=max(lanes),
        lanes_s=list(lanes),
        noted=noted,
        workers=weigh(arena.workers()),
    )
    log.add(happened)
    print(
        f"{happened.at_s:7.1f} s  {fault.kind:22} {hit:24} took {happened.took_s:5.1f} s, "
        f"recovered {happened.recovered_s:5.1f} s later" + "".join(f"; {note}" for note in noted),
        flush=True,
    )


def _versions(arena: Arena) -> dict[str, str]:
    said = arena.stores.primaries[0].client.info("server")
    store = (
        f"Valkey {said['valkey_version']}" if "valkey_version" in said else f"Redis {said['redis_version']}"
    )
    return {"kafka": VERSION, "store": store, "retarget": version("retarget")}


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
        cwd=RESULTS.parents[2],
    )
    return done.stdout.strip() or "unknown"
