"""Lines of the whole path: Kafka in, Redis checkpoint, transactional emission, against other programs."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from bench.common_job import topics
from bench.common_job.engine import job_bundle
from bench.common_job.measure import Figures, Job, Program
from bench.common_job.peers import Peers
from bench.common_job.run import Services, duo, engine, one_run, peer, servers
from bench.in_memory import Events, work
from bench.lines import Line, Unusable, at_least, at_most, cpu_of, not_measured
from streams.replaying import TOPIC


class Rival(NamedTuple):
    """Another program on the same job, and how many times its CPU must be ours."""

    name: str
    what: str
    module: str
    times: float


RIVALS: Final = (
    Rival("faust_redis_take", "stock Faust with Redis, batched by hand", "faust", 12),
    Rival("faust_redis", "stock Faust with Redis, per event", "faust", 60),
)
# As measured with these programs in their own folder (`jvm/results.md` and `results.md` there), us per event.
PUBLISHED: Final = (
    ("Kafka Streams exactly_once_v2, steady state", 9.3, 11.5, 1.25),
    ("Flink exactly-once, RocksDB state", 14.1, 15.3, 1.0),
    ("Bytewax, cyclic collector on", 26.2, 36.6, 1 / 2),
    ("Quix Streams with exact messages", 53.0, 74.5, 1 / 5),
)


def lines(peers: Peers, copies: int, runs: int, rivals: Sequence[str]) -> list[Line]:
    """Ours and each rival's CPU per event, by turns. Raises Unusable where our messages are wrong."""
    known = [one for one in RIVALS if one.name in rivals and importlib.util.find_spec(one.module)]
    with servers() as services:
        found = asyncio.run(_all(peers, copies, runs, known, services))
    ours = [one.cpu_us_per_event_running for one in found["retarget"]]
    others = max(one.other_cores for one in found["retarget"])
    note = f"{copies * 84_252:,} events; others kept {others:.1f} cores"
    result = [_against(rival, found, note) for rival in known]
    result += [_missing(one) for one in RIVALS if one not in known]
    for what, low, high, times in PUBLISHED:
        line = at_most(f"CPU against {what} ({low:g}-{high:g} us)", ours, high * times, "us per event")
        line.note = "against its figure as published beside its program, not of this run; " + note
        result.append(line)
    ratios = [
        one.cpu_us_per_event_running / two.cpu_us_per_event_running
        for one, two in zip(found["retarget"], found["two-workers"], strict=True)
    ]
    result.append(
        at_least("events per CPU second of two workers against one", ratios, 0.9, "times", note=note)
    )
    return [*result, _replay(peers, copies, median(ours), runs)]


def _against(rival: Rival, found: dict[str, list[Figures]], note: str) -> Line:
    wrong = [one for one in found[rival.name] if one.missing or one.extra or one.duplicates]
    if wrong:
        why = f"it came to other messages, or did not run: {wrong[0].missing} of {wrong[0].expected} missing"
        return not_measured(f"CPU of {rival.what} against ours", f"at least {rival.times} times", why)
    pairs = zip(found[rival.name], found["retarget"], strict=True)
    ratios = [one.cpu_us_per_event_running / ours.cpu_us_per_event_running for one, ours in pairs]
    return at_least(f"CPU of {rival.what} against ours", ratios, rival.times, "times", note=note)


def _missing(rival: Rival) -> Line:
    return not_measured(f"CPU of {rival.what} against ours", f"at least {rival.times} times", "not asked for")


def _replay(peers: Peers, copies: int, live: float, runs: int) -> Line:
    lanes: list[Events] = list(peers.lanes(min(copies, 2)))
    events = sum(map(len, lanes))
    bundle = job_bundle(TOPIC)
    ratios = [live / (cpu_of(lambda: work(lanes, bundle))[0] / events * 1e6) for _ in range(runs)]
    return at_least("replay without broker against the live rate, per CPU second", ratios, 1.5, "times")


async def _all(
    peers: Peers, copies: int, runs: int, rivals: Sequence[Rival], services: Services
) -> dict[str, list[Figures]]:
    jobs = {number: await _job(peers, services, number) for number in (0, copies)}
    keep = [job.topic for job in jobs.values()]
    programs: list[Program] = [engine(), duo(), *(peer(peers, one.name) for one in rivals)]
    starts: dict[str, float] = {}
    found: dict[str, list[Figures]] = {program.name: [] for program in programs}
    for program in programs:
        starts[program.name] = (await one_run(program, jobs[0], services)).cpu_s
        await topics.drop(services.bootstrap, keep)
    for _ in range(runs):
        for program in programs:
            one = await one_run(program, jobs[copies], services, start=starts[program.name])
            await topics.drop(services.bootstrap, keep)
            if program.ours and (one.missing or one.extra or one.duplicates):
                raise Unusable(
                    f"{one.missing} missing, {one.extra} extra, {one.duplicates} twice: {one.note}"
                )
            found[program.name].append(one)
    return found


async def _job(peers: Peers, services: Services, copies: int) -> Job:
    lanes = peers.lanes(copies)
    job = Job(f"touchpoints-{copies}", sum(map(len, lanes)), peers.expected(lanes))
    await topics.load(services.bootstrap, job.topic, lanes)
    return job
