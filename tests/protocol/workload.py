"""The workload: some touchpoints of five people, out of order, with waits that come due, under two rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from retarget.catalogue import Fanned, pack
from retarget.engine.pools import Pool
from retarget.rules.model import Ceiling, Count, Offer, Quiet, Rule
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE, SECOND
from retarget.touchpoints import Item, Touchpoint
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.limits import Limits
from streams.ports import Record
from streams.rulebook import load_rules
from streams.settings import Settings, load_settings
from streams.topics import FANNED, MERGE, lane_of

_RULES: Final = Path(__file__).parents[2] / "config" / "rules"
START: Final = 1_748_865_600_000  # a Monday at noon, UTC
END: Final = START + 12 * HOUR

_PEOPLE: Final = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus")
_PRODUCTS: Final = ("lamp", "sofa", "chair", "table", "clock")
_DEVICE: Final = "device-of-"
_ASTRAY: Final = "astray "
EVENTS: Final = 100  # of a made-up story, for each lane
SHARED: Final = 0.1  # of the devices beside a person are somebody else's
Told: TypeAlias = tuple[int, str, str, str]
# (ms after the start, type, person, product). Some lie behind a later one, within the lateness.
_TOLD: Final[tuple[Told, ...]] = (
    (0, "add", "bob", "kettle"),
    (1 * SECOND, "view", "ann", "lamp"),
    (3 * SECOND, "view", "ann", "lamp"),
    (2 * SECOND, "view", "ann", "lamp"),
    (5_200, "add", "dan", "sofa"),
    (4 * SECOND, "add", "cyd", "chair"),
    (5_600, "purchase", "cyd", "chair"),
    (5 * SECOND, "add", "cyd", "table"),
    (5_600, "add", "eve", "clock"),  # at the time of the purchase, and a batch ends between the two
    (30 * MINUTE + 5_700, "view", "ann", "kettle"),  # brings the clock in between bob's wait and the others'
    (31 * MINUTE, "view", "bob", "kettle"),
)


class Shape(NamedTuple):
    """How the workload reaches the lane: over how many topics, and what moves the clock at the end."""

    topics: tuple[str, ...]
    ticks: bool  # the wall clock moves the idle lane; else a heartbeat ends the input
    limits: Limits
    story: int = 0  # the seed of a made-up one; 0: the one above
    short: bool = False  # of that one a wait, a message and what follows it, in two batches
    listed: bool = False  # the last topic has the catalogue
    joins: bool = False  # the last topic has what lanes tell each other of people
    shares: bool = False  # and people use each other's devices
    lanes: int = 1  # beside each other in one world
    between: bool = False  # what is told is that of two lanes
    astray: float = 0.0  # so much of a made-up story comes under a wrong key, to another lane


ONE_TOPIC: Final = Shape(("touchpoints",), ticks=False, limits=Limits(records=2))
SHORT: Final = ONE_TOPIC._replace(short=True)
# Everything is scarce: one person to a batch, two waits to a page, one journey in the cache.
TWO_TOPICS: Final = Shape(("app", "web"), ticks=True, limits=Limits(records=3, persons=1, waits=2, cached=1))

# A price falls for four people who hear one by one, before, between and after what they do; copied twice.
CATALOGUE: Final = Shape(
    ("touchpoints", FANNED), ticks=False, limits=Limits(records=3, persons=1, waits=2, cached=1), listed=True
)
# (ms after the start, product, price, stock, place in the catalogue).
_LISTED: Final = (
    (0, "lamp", 20.0, 0, 0),
    (6 * SECOND, "kettle", 10.0, 0, 1),
    (6 * SECOND, "lamp", 19.5, 2, 2),
    (6 * SECOND, "kettle", 10.0, 0, 1),
    (6 * SECOND, "lamp", 19.5, 2, 2),
    (40 * MINUTE, "lamp", 9.0, 3, 3),
    (5 * SECOND, "kettle", 8.0, 1, 4),
    (40 * MINUTE, "lamp", 9.0, 3, 3),
)
_LOOKS: Final = (
    (900, "view", "bob", "lamp"),
    (910, "view", "cyd", "lamp"),
    (920, "view", "dan", "lamp"),
    (930, "view", "ann", "kettle"),
)


# People come under the ids of their devices, too, and say who they are; what comes of it has its own topic.
JOINS: Final = Shape(
    ("touchpoints", MERGE),
    ticks=False,
    limits=Limits(records=3, persons=2, waits=2, cached=1),
    joins=True,
)
_JOINED: Final[tuple[Told, ...]] = (
    (0, "add", "device-of-bob", "kettle"),
    (500, "add", "device-of-fay", "sofa"),
    (1 * SECOND, "view", "device-of-ann", "lamp"),
    (2 * SECOND, "view", "ann", "lamp"),
    (3 * SECOND, "identify", "bob", ""),
    (3_500, "identify", "ann", ""),
    (3_550, "identify", "fay", ""),
    (3_600, "view", "device-of-ann", "lamp"),  # read before the word of who that is
    (5 * SECOND, "view", "bob", "sofa"),
    (7 * SECOND, "add", "device-of-bob", "sofa"),
    (8 * SECOND, "view", "ann", "clock"),
    (8_100, "identify", "dan", "device-of-ann"),  # another one has the same device from now on
    *((minutes * MINUTE, "view", "gus", "table") for minutes in range(1, 7)),
    (20 * MINUTE, "view", "device-of-ann", "chair"),
    (31 * MINUTE, "view", "device-of-bob", "chair"),
    (33 * MINUTE, "erase", "fay", ""),  # and nothing leads from her device to her any more
)


# The same between two lanes, from each to the other; some of it comes under a wrong key, to the wrong lane.
TWO_LANES: Final = JOINS._replace(
    lanes=2, between=True, limits=Limits(records=3, persons=2, waits=2, cached=2)
)
_CROSSED: Final[tuple[Told, ...]] = (
    (0, "add", "device-of-cyd", "kettle"),  # of lane 0
    (500, "view", "device-of-dan", "lamp"),  # of lane 1
    (1 * SECOND, "add", "cyd", "sofa"),
    (2 * SECOND, _ASTRAY + "view", "ann", "clock"),
    (3 * SECOND, "identify", "cyd", ""),
    (3_500, "view", "device-of-cyd", "chair"),  # read before the word of who that is, or after it
    (4 * SECOND, "identify", "ann", "device-of-dan"),
    (5 * SECOND, _ASTRAY + "purchase", "gus", "table"),
    (20 * MINUTE, "add", "device-of-dan", "lamp"),
    (31 * MINUTE, "view", "cyd", "kettle"),
)


# Of eight lanes the one here has five.
POOLS: Final = {"spring": Pool("spring", tuple(f"CODE-{n}" for n in range(40)))}


@cache
def bundle(shape: Shape) -> Bundle:
    """Two shipped rules and the settings, ready to run. Now is the event clock: no result shows real time."""
    return _of_many(
        bundle_of(
            _settings(shape, "rates.push=2/4h", "guard.purchase_silence=30m"),
            _rules(shape),
            _asked(shape),
            pools=POOLS,
        )
    )


@cache
def other_bundle(shape: Shape) -> Bundle:
    """The same rules, decided earlier, and a clock that stays further behind."""
    cart, views, *rest = _rules(shape)
    assert isinstance(cart.trigger, Quiet)
    assert isinstance(views.trigger, Count)
    changed = [
        replace(cart, trigger=replace(cart.trigger, after=20 * MINUTE), version="other"),
        replace(views, trigger=replace(views.trigger, at_least=2), version="other"),
        *rest,
    ]
    return _of_many(bundle_of(_settings(shape, "clock.lateness=3s"), changed, _asked(shape), pools=POOLS))


def _of_many(alone: Bundle) -> Bundle:
    """The bundle of a lane that asks for its portions of ceilings, although there is no other here."""
    return alone._replace(policy=replace(alone.policy, lanes=8))


def _settings(shape: Shape, *further: str) -> Settings:
    given = [
        f"kafka.partitions={shape.lanes}",
        "clock.now=event",
        "consent.assume=granted",
        "quiet_hours.enabled=false",
        *further,
    ]
    return load_settings(overrides=given)


def _rules(shape: Shape) -> tuple[Rule, ...]:
    cart, views = load_rules([_RULES / "abandoned_cart.yaml", _RULES / "repeated_view.yaml"], VOCABULARY)
    # Of codes in files the lane gives each once, and has too few in many a story.
    first, *later = cart.steps
    offer = Offer(percent=10.0, expires=2 * DAY, codes="spring")
    cart = replace(cart, steps=(replace(first, offer=offer), *later))
    # Reached in many a made-up story, and in no portion at once.
    found = (cart, replace(views, ceiling=Ceiling(most=5, within=6 * HOUR)))
    if not shape.listed:
        return found
    of_catalogue = [_RULES / f"{name}.yaml" for name in ("price_drop", "back_in_stock", "low_stock")]
    return (*found, *load_rules(of_catalogue, VOCABULARY))


def _asked(shape: Shape) -> tuple[str, ...]:
    return shape.topics[:-1] if shape.listed or shape.joins else shape.topics


def made_up(shape: Shape) -> list[Told]:
    """A hundred events for each lane, of seven people, some of them a little late, some at one time.

    Where the wall clock moves several lanes, nothing comes later than lateness allows: what is too late there
    hangs on whether another lane's records have let the clock go on.
    """
    seed, lanes, latest = shape.story, shape.lanes, 4 * SECOND
    if shape.ticks and lanes > 1:
        latest = 2 * SECOND
    chance, at = Random(seed), 5 * SECOND
    found: list[Told] = []
    for _ in range(EVENTS * lanes):
        at += chance.choice((0, 0, SECOND, 3 * SECOND, 40 * SECOND, 10 * MINUTE, 33 * MINUTE))
        kind = chance.choices(("view", "add", "remove", "purchase", "checkout"), (6, 4, 1, 1, 1))[0]
        late = chance.choice((0, 0, 0, SECOND, latest))
        found.append((at - late, kind, chance.choice(_PEOPLE), chance.choice(_PRODUCTS)))
    return found


@lru_cache(maxsize=64)
def records(shape: Shape, lane: int = 0) -> tuple[Record, ...]:
    """The input of a lane in its order of arrival, dealt out to the topics in turn."""
    found: list[Record] = []
    arrived = START
    # No two of several topics have the same time: how they come then hangs on how they are fetched.
    apart = 1 if shape.story and len(shape.topics) > 1 else 0
    story = _story(shape)
    told = [
        _touchpoint(after + number * apart, *one)
        for number, (after, *one) in enumerate(made_up(shape) if shape.story else story)
    ]
    if shape.joins and shape.story:
        _disguise(told, Random(shape.story), SHARED if shape.shares else 0)
    asked = _asked(shape)
    astray = Random(-shape.story)
    if not shape.ticks:
        told.append(Touchpoint(type="heartbeat", time=end_of(shape)))
    for event in told:
        arrived = max(arrived + apart, event.time)
        if not _comes_to(lane, event, shape, astray=astray.random() < shape.astray):
            continue
        offset, at = divmod(len(found), len(asked))
        found.append(Record(asked[at], offset, arrived, b"", msgspec.json.encode(event)))
    return _mixed(found, _listed()) if shape.listed else tuple(found)


def end_of(shape: Shape) -> int:
    """A time behind everything that is told, epoch ms."""
    return START + 36 * HOUR if shape.story else END


def _story(shape: Shape) -> tuple[Told, ...]:
    if shape.listed:
        return _LOOKS + _TOLD[:6]
    if shape.joins:
        return _CROSSED if shape.between else _JOINED
    return (_TOLD[0], *_TOLD[-2:]) if shape.short else _TOLD


def _comes_to(lane: int, event: Touchpoint, shape: Shape, *, astray: bool) -> bool:
    """Whether this lane has it: by its person, unless it comes under a wrong key; a heartbeat is for all."""
    if event.type == "heartbeat":
        return True
    astray = astray or (event.id or "").startswith(_ASTRAY)
    return (lane_of(event.person, shape.lanes) + astray) % shape.lanes == lane


def _listed() -> Iterator[Record]:
    for offset, (after, product, price, stock, place) in enumerate(_LISTED):
        said = {"product_id": product, "price": price, "stock": stock, "time": START + after}
        value = pack(Fanned(0, place, product.encode(), msgspec.json.encode(said)))
        yield Record(FANNED, offset, START + after, product.encode(), value)


def _mixed(told: list[Record], listed: Iterator[Record]) -> tuple[Record, ...]:
    """After every second touchpoint a record of the catalogue; the last word is a heartbeat's."""
    found: list[Record] = []
    for number, record in enumerate(told):
        if number == len(told) - 1:
            found += listed
        found.append(record)
        if number % 2 == 0:
            found += islice(listed, 1)
    return tuple(found)


def device_of(person: str) -> str:
    """The id under which a person comes before they say who they are."""
    return _DEVICE + person


def _disguise(told: list[Touchpoint], chance: Random, shared: float) -> None:
    """Let people come under the ids of their devices, say who they are, and use each other's now and then."""
    for number, event in enumerate(told):
        person = event.user_id or ""
        device = device_of(person if chance.random() >= shared else chance.choice(_PEOPLE))
        how = chance.choices(("as they are", "as a device", "as both", "saying so"), (3, 5, 1, 1))[0]
        if how == "as a device":
            event.user_id, event.anonymous_id = None, device_of(person)
        elif how == "as both":
            event.anonymous_id = device
        elif how == "saying so":
            told[number] = Touchpoint(
                id=event.id, type="identify", time=event.time, user_id=person, anonymous_id=device
            )


def _touchpoint(after: int, kind: str, person: str, product: str) -> Touchpoint:
    if kind == "identify":
        device = product or device_of(person)
        return Touchpoint(
            id=f"{person}-{after}", type=kind, time=START + after, user_id=person, anonymous_id=device
        )
    anonymous = person.startswith(_DEVICE)
    astray, kind = (_ASTRAY if kind.startswith(_ASTRAY) else ""), kind.removeprefix(_ASTRAY)
    return Touchpoint(
        id=f"{astray}{person}-{kind}-{product}-{after}",
        type=kind,
        time=START + after,
        user_id=None if anonymous else person,
        anonymous_id=person if anonymous else None,
        items=[Item(product_id=product, price=20.0, quantity=1.0)],
        order_id="order-1" if kind == "purchase" else None,
        value=20.0 if kind == "purchase" else None,
        currency="EUR",
    )
