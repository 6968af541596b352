"""The judge: what must be true after a run, whatever happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from retarget.journeys import repeats, wire
from retarget.journeys.model import Journey
from streams import topics
from streams.kafka.headers import RepeatFilter, decode_headers
from streams.kafka.journal import Arbiter
from streams.lanes.outputs import digest
from streams.ports import JournalRecord, Output
from tests.protocol.abreast import Abreast
from tests.protocol.broker import Sent, decoded
from tests.protocol.faults import Fault, Faults
from tests.protocol.scheduler import Scheduler, Stuck
from tests.protocol.world import Setup, Worker, World


class Verdict(NamedTuple):
    """How a run ended: what is wrong (nothing: None), what could have happened at each step, what did."""

    problem: str | None
    choices: list[tuple[Fault, ...]]
    trace: list[str]


class Seen(NamedTuple):
    """What a run leaves: by topic what a reader took, the journeys and waits, all that is stored."""

    outputs: dict[str, list[bytes]]
    people: object
    stored: object


def judge(setup: Setup, faults: Faults, *, traced: bool = False, surveyed: bool = True) -> Verdict:
    """Run one world with these faults and say whether it kept its promise; `surveyed`: see Scheduler."""
    scheduler = _scheduler(setup, faults, traced=traced, surveyed=surveyed)
    try:
        scheduler.run()
        problem = _problem_of_all(scheduler.worlds)
    except Stuck:
        problem = "stuck"
    return Verdict(problem, scheduler.choices, scheduler.trace)


def _scheduler(
    setup: Setup, faults: Faults, *, traced: bool = False, surveyed: bool = True
) -> Scheduler | Abreast:
    kind = Abreast if setup.shape.lanes > 1 else Scheduler
    return kind(setup, faults, traced=traced, surveyed=surveyed)


class Peace(NamedTuple):
    """A run without faults: what it leaves of each lane, and how many steps it takes."""

    left: list[Seen]
    steps: int


@lru_cache(maxsize=64)
def in_peace(setup: Setup) -> Peace:
    """A run without faults."""
    scheduler = _scheduler(setup, {}, surveyed=False)
    scheduler.run()
    return Peace([seen(world) for world in scheduler.worlds], len(scheduler.choices))


def undisturbed(setup: Setup, lane: int = 0) -> Seen:
    """What a run without faults leaves of a lane."""
    return in_peace(setup).left[lane]


def bundles_named(setup: Setup) -> set[str]:
    """The bundles that the journal of a run without faults names."""
    scheduler = _scheduler(setup, {})
    scheduler.run()
    return {record.bundle for record in _journal(scheduler.worlds[0])}


def seen(world: World) -> Seen:
    """What a reader takes, and what is stored."""
    taken = _taken(world)
    outputs = {topic: [sent.value for sent in found] for topic, found in taken.items()}
    image = world.images.now
    return Seen(outputs, (image.journeys, image.waits), image.content())


def _problem_of_all(worlds: Sequence[World]) -> str | None:
    """The first problem of any lane, of the people of all of them, or of what a lane has sent and stored."""
    whole = worlds[0].setup.shape.joins and not any(world.stands for world in worlds)
    return (
        next(filter(None, map(_broken, worlds)), None)
        or (_unlike_people(worlds) if whole else None)
        or next(filter(None, map(_unlike, worlds)), None)
    )


def _broken(world: World) -> str | None:
    """What must not be of a lane, whatever it came to."""
    if world.problems:
        return world.problems[0]
    if wrong := _wrong_image(world):
        return wrong
    last = _journal(world)[-1].sequence
    if not world.stands and world.images.now.sequence != last:
        return f"store at {world.images.now.sequence}, journal at {last}"
    return None


def _unlike(world: World) -> str | None:
    """What of a lane is otherwise than without faults, or than its journal says."""
    journal = _journal(world)
    if world.stands:
        return _cut_short(world) or _unlike_journal(world, journal) or _read_again(journal)
    differs = _recomputed if world.setup.publishes or world.setup.shape.joins else _difference
    return differs(world) or _unlike_journal(world, journal) or _read_again(journal)


def _wrong_image(world: World) -> str | None:
    if world.images.forked is not None:
        return f"two contents of the store at sequence {world.images.forked}"
    if world.images.invented is not None:
        return f"a lane was told of sequence {world.images.invented}, which the store never had"
    return None


def _difference(world: World) -> str | None:
    expected, found = undisturbed(world.setup, world.lane), seen(world)
    for topic in sorted(expected.outputs.keys() | found.outputs.keys()):
        wanted, got = expected.outputs.get(topic, []), found.outputs.get(topic, [])
        if wanted != got:
            missing = sum(one not in got for one in wanted)
            twice = len(got) - len(set(got))
            return (
                f"outputs of {topic}: {missing} missing, {twice} twice, {len(got)} instead of {len(wanted)}"
            )
    return None if expected.stored == found.stored else "stored state"


def _cut_short(world: World) -> str | None:
    """What a lane that stands has sent otherwise than without faults: it may have stopped, and no more."""
    if world.setup.publishes or world.setup.shape.joins:
        return None
    expected, found = undisturbed(world.setup, world.lane).outputs, seen(world).outputs
    differing = [topic for topic, got in found.items() if got != expected.get(topic, [])[: len(got)]]
    return f"outputs of {differing} before the lane stood still" if differing else None


def _recomputed(world: World) -> str | None:
    """What differs when all is done once more from the journal alone, or None.

    At which event other rules take over depends on the cut of the batches, which faults change; the journal
    has it. That nothing of the input and of the outputs is missing is another question.
    """
    again = World.of_all_lanes(world.setup)[world.lane]
    again.broker, again.bundles = world.broker.copied(), world.bundles
    again.passing, again.day = world.passing, world.day
    before = {place: len(log) for place, log in world.broker.all.items() if place[0] != topics.JOURNAL}
    worker = Worker(again, "Z")
    while not worker.idle and worker.pending is not None:
        worker.do()
    if again.problems:
        return f"done once more: {again.problems[0]}"
    if again.images.now.content() != world.images.now.content():
        return "done once more, the store holds something else"
    more = [place for place, size in before.items() if len(again.broker.all[place]) > size]
    if more and world.setup.mode == "transactional":
        return f"done once more, outputs are sent to {more}"
    read, wanted = _journal(world)[-1].frontier, Counter(one.topic for one in world.inputs)
    if world.setup.shape.joins:
        told = world.broker.visible(topics.MERGE)
        wanted[topics.MERGE] = told[-1][0] + 1 if told else 0
    return None if read == wanted else f"the input is read up to {read}"


def _unlike_people(worlds: Sequence[World]) -> str | None:
    """Whether somebody's history, all that was done as them, is another one than without faults.

    What is decided between a word and its merge may differ: that hangs on when they cross. So does to whom a
    device belongs for the moment in which it changes hands; between lanes, which of two words comes first.
    """
    setup = worlds[0].setup
    before = _together(stored(undisturbed(setup, world.lane)) for world in worlds)
    after = _together(world.images.now.journeys for world in worlds)
    if events_known(before) != events_known(after):
        return f"events: {events_known(after)} instead of {events_known(before)}"
    timed = setup.shape.lanes == 1 or not setup.shape.story
    expected, found = histories(before, timed=timed), histories(after, timed=timed)
    if setup.shape.shares:
        return None
    for person in sorted(expected.keys() | found.keys()):
        if expected.get(person) != found.get(person):
            return f"history of {person}: {found.get(person)} instead of {expected.get(person)}"
    if not setup.shape.story and carts(before) != carts(after):
        return f"carts: {carts(after)} instead of {carts(before)}"
    return None


def _together(lanes: Iterable[Mapping[str, bytes]]) -> dict[str, bytes]:
    """The people of all lanes. One in two of them would be known twice, so they are kept apart."""
    return {
        person if not number else f"{person} of lane {number}": journey
        for number, lane in enumerate(lanes)
        for person, journey in lane.items()
    }


def events_known(journeys: Mapping[str, bytes]) -> list[str]:
    """The ids of all events, each as often as somebody has it in their history."""
    decoded = [wire.decode(data) for data in journeys.values()]
    return sorted(name for one in decoded for name in dict(repeats.remembered(one)) | one.earlier)


def histories(journeys: Mapping[str, bytes], *, timed: bool = True) -> dict[str, object]:
    """What is known of each person whatever the order of crossings; `timed`: and since when they are one."""
    decoded = [wire.decode(data) for data in journeys.values()]
    return {name: _history(one, timed=timed) for name, one in zip(journeys, decoded, strict=True)}


def decoded_people(seen: Seen) -> dict[str, Journey]:
    """Everybody who is stored, by name."""
    return {person: wire.decode(data) for person, data in stored(seen).items()}


def stored(seen: Seen) -> Mapping[str, bytes]:
    """The journeys, by person."""
    journeys, _ = cast("tuple[Mapping[str, bytes], object]", seen.people)
    return journeys


def _history(journey: Journey, *, timed: bool) -> object:
    ids = sorted(dict(repeats.remembered(journey)) | journey.earlier)
    bought = {name: product.bought for name, product in journey.products.items()}
    viewed = {name: product.viewed for name, product in journey.products.items()}
    whose = journey.moved, journey.joined
    if not timed:
        whose = [(0, to) for _, to in journey.moved], dict.fromkeys(journey.joined, 0)
    # When a redirect was last heard of is when its words came.
    last = 0 if journey.moved and not timed else journey.last
    return whose, ids, bought, viewed, journey.order_count, last


def carts(journeys: Mapping[str, bytes]) -> dict[str, object]:
    """What lies in the carts of each person, and how much of it: what was merged twice is there twice."""
    decoded = {name: wire.decode(data) for name, data in journeys.items()}
    return {
        name: {
            cart: {product: line.quantity for product, line in lines.items()}
            for cart, lines in one.carts.items()
        }
        for name, one in decoded.items()
    }


def _unlike_journal(world: World, journal: list[JournalRecord]) -> str | None:
    """Whether some batch left other outputs than its journal record says."""
    batches: dict[int, list[tuple[int, Output]]] = {}
    for found in _taken(world).values():
        for sent in found:
            stamp = decode_headers(sent.headers)
            assert stamp is not None
            batches.setdefault(stamp.sequence, []).append(
                (stamp.nth, Output(sent.topic, sent.key, sent.value))
            )
    settled = _arbiter(world)[0].acknowledged if world.stands else journal[-1].sequence
    for record in journal:
        outputs = [output for _, output in sorted(batches.pop(record.sequence, []))]
        if record.sequence > settled:
            continue  # its outputs would have left with the next claim
        if (len(outputs), digest(outputs)) != (record.outputs, record.digest):
            return f"outputs of batch {record.sequence} are not those of the journal"
    return f"outputs of batches {sorted(batches)} that the journal does not have" if batches else None


def _read_again(journal: list[JournalRecord]) -> str | None:
    """Whether some batch reads what one before it has read. The engine knows repeats and hides it."""
    frontier: dict[str, int] = {}
    for record in journal:
        if any(offset > record.frontier.get(topic, 0) for topic, offset in frontier.items()):
            return f"batch {record.sequence} goes back to {record.frontier}"
        frontier = record.frontier
    return None


def _taken(world: World) -> dict[str, list[Sent]]:
    """By topic, what a reader takes: committed, and each only once where there are no transactions."""
    repeats = RepeatFilter()
    every = world.setup.mode == "transactional"
    found: dict[str, list[Sent]] = {}
    for place in sorted(world.broker.all):
        topic, partition = place
        if topic != topics.JOURNAL:
            found.setdefault(topic, []).extend(
                sent
                for _, sent in world.broker.visible_at(place)
                if _is_of(world.lane, sent) and (every or repeats.is_new(topic, partition, sent.headers))
            )
    return found


def _is_of(lane: int, sent: Sent) -> bool:
    """Whether a lane has written this."""
    stamp = decode_headers(sent.headers)
    return stamp is not None and stamp.lane == lane


def _journal(world: World) -> list[JournalRecord]:
    return _arbiter(world)[1]


def _arbiter(world: World) -> tuple[Arbiter, list[JournalRecord]]:
    """Who has read the whole journal, and what of it counts."""
    arbiter = Arbiter(0)
    counted = arbiter.take(decoded(world.broker.visible(topics.JOURNAL)))
    return arbiter, [record for _, record in counted]
