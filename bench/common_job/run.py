"""The common job, run: a broker, a store, our worker and the stock Faust programs by turns, and a table.

python -m bench.common_job --copies 12 --runs 3 --peers faust_redis,faust_redis_take --peer-copies 3
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from redis import Redis

from bench import sheet
from bench.common_job import measure, rivals, topics
from bench.common_job.measure import Figures, Job, Program, Start
from bench.common_job.peers import ROOT, Peers, PeersMissing
from bench.common_job.table import table
from streams.embedded.processes import free_port
from streams.embedded.store import EmbeddedStore
from tests.support.kafka.jars import KafkaMissing
from tests.support.kafka.real_kafka import running

ENGINE: Final = "retarget"
QUESTION: Final = "common_job"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
AT_ONCE: Final = Start()
_LIMIT_S: Final = 1200.0


class Services(NamedTuple):
    """Where a run finds its broker and store, and room for files."""

    bootstrap: str
    store: str
    scratch: Path


def _given(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.common_job",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--copies", type=int, default=12, help="of the data set, for our engine (84,252 events each)"
    )
    parser.add_argument("--runs", type=int, default=3, help="of each program")
    parser.add_argument(
        "--peers", default="faust_redis,faust_redis_take", help="names with commas; empty: none"
    )
    parser.add_argument(
        "--peer-copies", type=int, default=3, help="of the data set, for the peers and for us beside them"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything; 1 when our messages are not exactly the expected ones."""
    given = _given(argv)
    try:
        peers = Peers()
        programs = [rivals.program(peers, rivals.rival(name)) for name in given.peers.split(",") if name]
        with servers() as services:
            runs = asyncio.run(_all(given, peers, programs, services))
    except (PeersMissing, KafkaMissing) as missing:
        print(f"skipped: {missing}")
        return 0
    print(table(runs))
    settings = ", ".join(f"{name} {value}" for name, value in vars(given).items())
    sheet.keep(sheet.of(QUESTION, f"settings of the call: {settings}", runs))
    ours = [one for one in runs if one.program == ENGINE]
    return 1 if any(one.missing or one.extra or one.duplicates for one in ours) else 0


async def _all(
    given: argparse.Namespace,
    peers: Peers,
    programs: Sequence[Program],
    services: Services,
) -> list[Figures]:
    wanted = {0, given.copies, given.peer_copies}
    jobs = {copies: await _job(peers, services, copies) for copies in wanted}
    keep = [job.topic for job in jobs.values()]
    starts: dict[str, Start] = {}
    found: list[Figures] = []
    for program, copies in _turns(given, programs):
        if program.name not in starts:
            starts[program.name] = Start((await one_run(program, jobs[0], services)).cpu_s)
            await topics.drop(services.bootstrap, keep)
        found.append(await one_run(program, jobs[copies], services, start=starts[program.name]))
        await topics.drop(services.bootstrap, keep)
        print(msgspec.json.encode(found[-1]).decode(), flush=True)
    return found


def _turns(given: argparse.Namespace, programs: Sequence[Program]) -> Iterator[tuple[Program, int]]:
    """Every program in turn, so that a slow hour of the machine meets them all."""
    for _ in range(given.runs):
        yield engine(), given.copies
        if programs and given.copies != given.peer_copies:
            yield engine(), given.peer_copies
        for program in programs:
            yield program, given.peer_copies


async def _job(peers: Peers, services: Services, copies: int) -> Job:
    lanes = peers.lanes(copies)
    job = Job(f"touchpoints-{copies}", sum(map(len, lanes)), peers.expected(lanes))
    await topics.load(services.bootstrap, job.topic, lanes)
    return job


async def one_run(
    program: Program,
    job: Job,
    services: Services,
    *,
    start: Start = AT_ONCE,
    more: Mapping[str, str] = NOTHING,
    prepare: Callable[[str], None] | None = None,
) -> Figures:
    """One run with an empty store and empty output topics; `more` goes to the program's environment.

    `prepare` is told the app id under which the program will run, and may put something into the store.
    """
    group = f"bench-{program.name}-{time.time_ns() // 1_000_000}"
    Redis.from_url(services.store).flushall()
    if prepare is not None:
        prepare(group)
    if program.ours:
        await topics.make_ours(services.bootstrap, job.topic)
    else:
        await topics.make(services.bootstrap, program.outputs)
    environment = {
        "BOOTSTRAP": services.bootstrap, "TOPIC": job.topic, "OUT": program.outputs[0],
        "GROUP": group, "REDIS": services.store,
        "METRICS_PORT": str(free_port()), "PYTHONPATH": str(program.folder), **more,
    }  # fmt: skip
    return await measure.run(
        program, job, environment=environment, scratch=services.scratch, start=start, limit=_LIMIT_S
    )


@contextmanager
def servers() -> Iterator[Services]:
    """A broker and a store for one call. Raises KafkaMissing."""
    with (
        tempfile.TemporaryDirectory(prefix="retarget-bench-") as folder,
        running(Path(folder)) as broker,
        EmbeddedStore() as store,
    ):
        yield Services(broker.bootstrap, store.url, Path(folder))


def engine() -> Program:
    """Our worker."""
    return Program(ENGINE, [sys.executable, "-m", "bench.common_job.worker"], ROOT, topics.OURS, ours=True)


def duo() -> Program:
    """Two of our workers, counted together."""
    return engine()._replace(name="two-workers", command=[sys.executable, "-m", "bench.common_job.duo"])
