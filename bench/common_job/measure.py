"""One run of one program over a loaded topic, and its figures."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench.common_job.answer import Comparison, compare, id_of
from bench.common_job.processes import Tree, calibration_ms, child_named, machine_cpu, main_thread_share
from bench.common_job.topics import Outputs

_EVERY: Final = 0.25
_SETTLE: Final = 5.0
_CALIBRATE_EACH: Final = 4
_STALL: Final = 40.0
_GRACE: Final = 20.0
_TAIL: Final = 1500  # characters of a failed program's log
_QUIET: Final = 0.5  # cores: a worker that uses less than this has nothing more to do
_LOOK_BACK: Final = 3.0
_STAGE: Final = re.compile(r'^retarget_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)$', re.MULTILINE)


class Program(NamedTuple):
    """What to start and where its messages go; `ours` has ids to be worked out and a metrics page."""

    name: str
    command: Sequence[str]
    folder: Path
    outputs: Sequence[str]
    ours: bool = False


class Job(NamedTuple):
    """A loaded input topic with its expected answer."""

    topic: str
    events: int
    expected: Counter[str]


class Figures(msgspec.Struct, kw_only=True):
    """What one run came to; CPU is user + system of the program's whole process tree."""

    program: str
    events: int
    cpu_s: float
    cpu_us_per_event: float  # with the start
    cpu_us_per_event_running: float  # without what the program spends when there is nothing to read
    cpu_s_start: float
    events_per_s: float | None  # between the broker's times of the first and the last message
    wall_s: float | None  # from the start of the process to its last message
    peak_rss_mb: float
    messages: int
    expected: int
    missing: int
    extra: int
    duplicates: int
    broker_cpu_us_per_event: float
    store_cpu_us_per_event: float
    other_cores: float  # that others used on this machine meanwhile
    calibration_ms: float
    main_thread_us_per_event: float
    other_threads_us_per_event: float
    stages: dict[str, dict[str, float]] = {}
    note: str = ""


class Start(NamedTuple):
    """What a program spent before what counts: CPU seconds, and over how many events."""

    cpu_s: float = 0.0
    events: int = 0


class _Watch:
    """The samples of a run, and when it is over."""

    def __init__(self, pid: int, wanted: int) -> None:
        self.tree = Tree(pid)
        self._wanted = wanted
        self.started = self.changed = time.time()
        self.samples: list[tuple[float, float]] = [(self.started, 0.0)]
        self.speed: list[float] = []
        self._count = 0

    def note(self, count: int) -> None:
        """One more look at the outputs and at the processes."""
        now, cpu = time.time(), self.tree.sample()
        self.samples.append((now, cpu))
        if count != self._count:
            self._count, self.changed = count, now
        if len(self.samples) % _CALIBRATE_EACH == 0:
            self.speed.append(calibration_ms())

    def over(self) -> bool:
        """Whether nothing more will come."""
        now, cpu = self.samples[-1]
        past = next(sample for sample in self.samples if sample[0] >= now - _LOOK_BACK)
        busy = (cpu - past[1]) / max(now - past[0], _EVERY)
        patience = _SETTLE if self._count >= self._wanted else _STALL
        return now - self.changed >= patience and busy < _QUIET

    def cpu(self) -> float:
        """CPU seconds until the last commits were in."""
        return next((cpu for now, cpu in self.samples if now >= self.changed + _SETTLE), self.samples[-1][1])


class _Beside:
    """What the broker, the store and everybody else spend meanwhile."""

    def __init__(self) -> None:
        words = {"broker": ["kafka.Kafka"], "store": ["valkey-server", "redis-server"]}
        pids = {name: child_named(*known) for name, known in words.items()}
        self._trees = {name: Tree(pid) for name, pid in pids.items() if pid is not None}
        self._before = {name: tree.sample() for name, tree in self._trees.items()}
        self._machine, self._own, self._since = machine_cpu(), time.process_time(), time.time()

    def spent(self) -> dict[str, float]:
        """CPU seconds of the services so far."""
        return {name: tree.sample() - self._before[name] for name, tree in self._trees.items()}

    def other_cores(self, worker: float) -> float:
        """Cores that neither the worker (its CPU seconds given), the services nor we ourselves kept busy."""
        known = worker + sum(self.spent().values()) + time.process_time() - self._own
        return (machine_cpu() - self._machine - known) / (time.time() - self._since)


async def run(
    program: Program, job: Job, *, environment: Mapping[str, str], scratch: Path, start: Start, limit: float
) -> Figures:
    """Start the program, watch it until it is done, end it, and compare its messages.

    `start`: what it spends with nothing to read, or until it is warm, left out of one of the figures.
    """
    beside = _Beside()
    async with Outputs(environment["BOOTSTRAP"], program.outputs) as outputs:
        with _started(program, environment, scratch) as worker:
            watch = _Watch(worker.pid, job.expected.total())
            note = await _watched(watch, worker, outputs, limit)
            alive = worker.poll() is None
            threads = main_thread_share(worker.pid) if alive else (0.0, 0.0)
            stages = _stages(environment) if program.ours else {}
            others, spent = beside.other_cores(watch.samples[-1][1]), beside.spent()
        values, first_ms, last_ms = await outputs.read()
    if note:
        note += "\n" + _log_of(program, scratch).read_text(errors="replace")[-_TAIL:]
    found = Counter(key for value in values if (key := _id(value, ours=program.ours)) is not None)
    compared: Comparison = compare(found, job.expected)
    per_event, span = 1e6 / max(job.events, 1), (last_ms - first_ms) / 1000
    return Figures(
        program=program.name,
        events=job.events,
        cpu_s=round(watch.cpu(), 2),
        cpu_us_per_event=round(watch.cpu() * per_event, 2),
        cpu_us_per_event_running=round(_running(watch.cpu(), job.events, start), 2),
        cpu_s_start=round(start.cpu_s, 2),
        events_per_s=round(job.events / span) if span else None,
        wall_s=round(last_ms / 1000 - watch.started, 2) if last_ms else None,
        peak_rss_mb=round(watch.tree.peak_rss / 1e6, 1),
        **compared._asdict(),
        broker_cpu_us_per_event=round(spent.get("broker", 0.0) * per_event, 2),
        store_cpu_us_per_event=round(spent.get("store", 0.0) * per_event, 2),
        other_cores=round(others, 2),
        calibration_ms=round(sum(watch.speed) / max(len(watch.speed), 1), 2),
        main_thread_us_per_event=round(threads[0] * per_event, 2),
        other_threads_us_per_event=round(threads[1] * per_event, 2),
        stages=stages,
        note=note,
    )


def _running(cpu_s: float, events: int, start: Start) -> float:
    return (cpu_s - start.cpu_s) / max(events - start.events, 1) * 1e6


@contextmanager
def _started(
    program: Program, environment: Mapping[str, str], scratch: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        tempfile.TemporaryDirectory(dir=scratch) as state,
        _log_of(program, scratch).open("ab") as log,
        subprocess.Popen(
            program.command, cwd=program.folder, env={**_environment(), **environment, "STATE_DIR": state},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        ) as worker,
    ):  # fmt: skip
        try:
            yield worker
        finally:
            _end(worker)


def _environment() -> dict[str, str]:
    """Ours, without settings of the engine: a run has the job's, and no others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}


async def _watched(watch: _Watch, worker: subprocess.Popen[bytes], outputs: Outputs, limit: float) -> str:
    """Return when it is over; what was wrong, else nothing."""
    while not watch.over():
        await asyncio.sleep(_EVERY)
        watch.note(await outputs.count())
        if worker.poll() is not None:
            # A program may know by itself that there is no more.
            return "" if worker.returncode == 0 else f"the program ended by itself with {worker.returncode}"
        if time.time() - watch.started > limit:
            return "given up at the time limit"
    return ""


def _log_of(program: Program, scratch: Path) -> Path:
    return scratch / f"{program.name}.log"


def _id(value: bytes, *, ours: bool) -> str | None:
    if ours:
        return id_of(value)
    key: str = json.loads(value)["id"]
    return key


def _stages(environment: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The worker's own account: seconds and batches by stage. Waiting counts, so the sum is no CPU time."""
    with suppress(OSError):
        url = f"http://127.0.0.1:{environment['METRICS_PORT']}/metrics"
        page = urllib.request.urlopen(url, timeout=5).read().decode()
        found: dict[str, dict[str, float]] = {}
        for kind, stage, value in _STAGE.findall(page):
            found.setdefault(stage, {})["seconds" if kind == "sum" else "batches"] = round(float(value), 3)
        return found
    return {}


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(_GRACE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
