"""A million people in the store: what an event costs beside and among them, and the start of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from random import Random
from statistics import median
from typing import Final

from redis import Redis

from bench.common_job import topics
from bench.common_job.engine import job_bundle
from bench.common_job.measure import Figures, Job, Start
from bench.common_job.peers import PARTITIONS, Peers
from bench.common_job.run import AT_ONCE, NOTHING, Services, engine, one_run, servers
from bench.in_memory import Events, work
from bench.lines import Line, Unusable, at_most
from retarget.journeys import wire
from streams.replaying import TOPIC
from streams.stores.keys import lane_keys, person_bytes
from streams.topics import lane_of

_CHUNK: Final = 2_000
# Of the people in the store, so many are in the worker's memory.
_CACHED: Final = 0.05
# Whoever is only in the store looked at something thirty hours before the first event: no message needs that.
_ONE: Final = b"crowd-0"
_LONG_AGO: Final = (
    b'{"id":"o%d","type":"view","time":1511431200000,"user_id":"crowd-0",'
    b'"items":[{"product_id":"p%d","category":"c1","price":9.9,"quantity":1}]}'
)


def lines(peers: Peers, copies: int, runs: int, people: int) -> list[Line]:
    """Beside and among so many people, against alone; by turns. Raises Unusable where messages are wrong."""
    with servers() as services:
        return asyncio.run(_lines(peers, copies, runs, people, services))


async def _lines(peers: Peers, copies: int, runs: int, people: int, services: Services) -> list[Line]:
    jobs = {
        "none": await _loaded(services, "none", peers, [[] for _ in range(PARTITIONS)]),
        "own": await _loaded(services, "own", peers, peers.lanes(copies)),
        "spread": await _loaded(services, "spread", peers, _spread(peers, copies, people)),
        "first": await _loaded(services, "first", peers, _first(peers)),
    }
    cached = {"RETARGET_BATCH_CACHED_PERSONS": str(round(people * _CACHED / PARTITIONS))}

    async def turn(
        name: str, crowd: int, more: Mapping[str, str] = NOTHING, start: Start = AT_ONCE
    ) -> Figures:
        fill = _filling(services.store, crowd) if crowd else None
        found = await one_run(engine(), jobs[name], services, start=start, more=more, prepare=fill)
        await topics.drop(services.bootstrap, [job.topic for job in jobs.values()])
        if found.missing or found.extra or found.duplicates:
            raise Unusable(f"{name}: {found.missing} missing, {found.extra} extra: {found.note}")
        return found

    start = Start((await turn("none", 0)).cpu_s)
    alone, beside, among, begun = [], [], [], []
    for _ in range(runs):
        alone.append((await turn("own", 0, start=start)).cpu_us_per_event_running)
        beside.append((await turn("own", people, start=start)).cpu_us_per_event_running)
        among.append((await turn("spread", people, cached, start)).cpu_us_per_event_running)
        begun.append((await turn("first", people)).wall_s or float("inf"))
    crowd, note = f"{people / 1e6:g} million in the store", f"{median(alone):.1f} us alone"
    beside_what = f"active people beside {crowd}, against alone"
    among_what = f"traffic spread evenly over {crowd}, a cache of 5 %, against that"
    return [
        at_most(beside_what, _ratios(beside, alone), 1.3, "times", note=note),
        at_most(among_what, _ratios(among, alone), 2.0, "times", note=note),
        at_most(f"start of a worker to its first decision, {crowd}", begun, 5, "s"),
    ]


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


async def _loaded(services: Services, name: str, peers: Peers, lanes: list[list[tuple[bytes, bytes]]]) -> Job:
    job = Job(f"touchpoints-{name}", sum(map(len, lanes)), peers.expected(lanes))
    await topics.load(services.bootstrap, job.topic, lanes)
    return job


def _spread(peers: Peers, copies: int, people: int) -> list[list[tuple[bytes, bytes]]]:
    """The same events, each of anybody."""
    random = Random(7)
    lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    for user, value in peers.events(copies):
        person = f"crowd-{random.randrange(people)}"
        mine = b'"user_id":"%s"' % person.encode()
        event = value.replace(b'"user_id":"%s"' % user.encode(), mine)
        lanes[lane_of(person, PARTITIONS)].append((person.encode(), event))
    return lanes


def _first(peers: Peers) -> list[list[tuple[bytes, bytes]]]:
    """The few events that lead to a first message: one person's third look at a product."""
    found: dict[str, list[bytes]] = {}
    for user, value in peers.events(1):
        found.setdefault(user, []).append(value)
        key, lane = user.encode(), lane_of(user, PARTITIONS)
        lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
        lanes[lane] = [(key, one) for one in found[user]]
        if len(found[user]) > 2 and peers.expected([lanes[lane]]):
            return lanes
    raise Unusable("nobody gets a message")


def _filling(url: str, people: int) -> Callable[[str], None]:
    def fill(app_id: str) -> None:
        client = Redis.from_url(url)
        for some in _chunks(people):
            client.mset({_key(app_id, person): value for person, value in some})

    return fill


def _key(app_id: str, person: str) -> bytes:
    return lane_keys(app_id, PARTITIONS, lane_of(person, PARTITIONS)).journey + person_bytes(person)


def _chunks(people: int) -> Iterator[list[tuple[str, bytes]]]:
    lane: Events = [(_ONE, _LONG_AGO % (number, number)) for number in range(12)]
    _, (stored,) = work([lane], job_bundle(TOPIC))
    journey = wire.decode(stored)
    for start in range(0, people, _CHUNK):
        some = []
        for number in range(start, min(start + _CHUNK, people)):
            journey.person = journey.user_id = f"crowd-{number}"
            some.append((journey.person, wire.encode(journey)))
        yield some
