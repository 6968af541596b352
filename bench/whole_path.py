"""Lines of the whole path: Kafka in, Redis checkpoint, transactional emission, against other programs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from statistics import median

from bench.common_job import topics
from bench.common_job.engine import job_bundle
from bench.common_job.measure import Figures, Job, Program, Start
from bench.common_job.peers import Peers, PeersMissing
from bench.common_job.rivals import RIVALS, Rival, program
from bench.common_job.run import AT_ONCE, Services, duo, engine, one_run, servers
from bench.in_memory import Events, work
from bench.lines import Line, Unusable, at_least, cpu_of, not_measured
from streams.replaying import TOPIC


def lines(peers: Peers, copies: int, runs: int, wanted: Sequence[str]) -> list[Line]:
    """Ours and each wanted rival's CPU per event, by turns. Raises Unusable where our messages are wrong."""
    programs, result = dict[Rival, Program](), list[Line]()
    for one in RIVALS:
        try:
            if one.name in wanted:
                programs[one] = program(peers, one)
            else:
                result.append(_missing(one, "not asked for"))
        except PeersMissing as missing:
            result.append(_missing(one, str(missing)))
    with servers() as services:
        found = asyncio.run(_all(peers, copies, runs, programs, services))
    ours = [one.cpu_us_per_event_running for one in found["retarget"]]
    others = max(one.other_cores for one in found["retarget"])
    note = f"{copies * 84_252:,} events; others kept {others:.1f} cores"
    result = [*(_against(one, found, note) for one in programs), *result]
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
        return _missing(rival, why)
    pairs = zip(found[rival.name], found["retarget"], strict=True)
    ratios = [one.cpu_us_per_event_running / ours.cpu_us_per_event_running for one, ours in pairs]
    theirs = median(one.cpu_us_per_event_running for one in found[rival.name])
    told = f"{theirs:.1f} us over {found[rival.name][0].events:,} events{', warm' * rival.warm}; ours {note}"
    return at_least(f"CPU of {rival.what} against ours", ratios, rival.times, "times", note=told)


def _missing(rival: Rival, why: str) -> Line:
    return not_measured(f"CPU of {rival.what} against ours", f"at least {rival.times:g} times", why)


def _replay(peers: Peers, copies: int, live: float, runs: int) -> Line:
    lanes: list[Events] = list(peers.lanes(min(copies, 2)))
    events = sum(map(len, lanes))
    bundle = job_bundle(TOPIC)
    ratios = [live / (cpu_of(lambda: work(lanes, bundle))[0] / events * 1e6) for _ in range(runs)]
    return at_least("replay without broker against the live rate, per CPU second", ratios, 1.5, "times")


async def _all(
    peers: Peers, copies: int, runs: int, rivals: Mapping[Rival, Program], services: Services
) -> dict[str, list[Figures]]:
    sizes = {one.name: min(copies, one.copies) * (2 if one.warm else 1) for one in rivals}
    halves = {one.name: sizes[one.name] // 2 for one in rivals if one.warm}
    jobs = {
        size: await _job(peers, services, size) for size in {0, copies, *sizes.values(), *halves.values()}
    }
    programs: list[Program] = [engine(), duo(), *rivals.values()]
    starts: dict[str, Start] = {}
    found: dict[str, list[Figures]] = {one.name: [] for one in programs}

    async def turn(one: Program, size: int, start: Start = AT_ONCE) -> Figures:
        figures = await one_run(one, jobs[size], services, start=start)
        await topics.drop(services.bootstrap, [job.topic for job in jobs.values()])
        return figures

    for one in programs:
        begun = jobs[halves.get(one.name, 0)]
        starts[one.name] = Start((await turn(one, halves.get(one.name, 0))).cpu_s, begun.events)
    for _ in range(runs):
        for one in programs:
            figures = await turn(one, sizes.get(one.name, copies), starts[one.name])
            if one.ours and (figures.missing or figures.extra or figures.duplicates):
                raise Unusable(
                    f"{figures.missing} missing, {figures.extra} extra, {figures.duplicates} twice: "
                    f"{figures.note}"
                )
            found[one.name].append(figures)
    return found


async def _job(peers: Peers, services: Services, copies: int) -> Job:
    lanes = peers.lanes(copies)
    job = Job(f"touchpoints-{copies}", sum(map(len, lanes)), peers.expected(lanes))
    await topics.load(services.bootstrap, job.topic, lanes)
    return job
