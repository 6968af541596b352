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
from streams.topics import FANNED, MERGE

_RULES: Final = Path(__file__).parents[2] / "config" / "rules"
START: Final = 1_748_865_600_000  # a Monday at noon, UTC
END: Final = START + 12 * HOUR

_PEOPLE: Final = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus")
_PRODUCTS: Final = ("lamp", "sofa", "chair", "table", "clock")
_DEVICE: Final = "device-of-"
EVENTS: Final = 100  # of a made-up story
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
    listed: bool = False  # the last topic has the catalogue
    joins: bool = False  # the last topic has what lanes tell each other of people
    shares: bool = False  # and people use each other's devices


ONE_TOPIC: Final = Shape(("touchpoints",), ticks=False, limits=Limits(records=2))
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


# Of eight lanes the one here has five.
POOLS: Final = {"spring": Pool("spring", tuple(f"CODE-{n}" for n in range(40)))}


@cache
def bundle(shape: Shape) -> Bundle:
    """Two shipped rules and the settings, ready to run. Now is the event clock: no result shows real time."""
    return _of_many(
        bundle_of(
            _settings("rates.push=2/4h", "guard.purchase_silence=30m"),
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
    return _of_many(bundle_of(_settings("clock.lateness=3s"), changed, _asked(shape), pools=POOLS))


def _of_many(alone: Bundle) -> Bundle:
    """The bundle of a lane that asks for its portions of ceilings, although there is no other here."""
    return alone._replace(policy=replace(alone.policy, lanes=8))


def _settings(*further: str) -> Settings:
    given = [
        "kafka.partitions=1",
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


def made_up(seed: int) -> list[Told]:
    """A hundred events of seven people within half a day, some of them a little late, some at one time."""
    chance, at = Random(seed), 5 * SECOND
    found: list[Told] = []
    for _ in range(EVENTS):
        at += chance.choice((0, 0, SECOND, 3 * SECOND, 40 * SECOND, 10 * MINUTE, 33 * MINUTE))
        kind = chance.choices(("view", "add", "remove", "purchase", "checkout"), (6, 4, 1, 1, 1))[0]
        late = chance.choice((0, 0, 0, SECOND, 4 * SECOND))
        found.append((at - late, kind, chance.choice(_PEOPLE), chance.choice(_PRODUCTS)))
    return found


@lru_cache(maxsize=64)
def records(shape: Shape) -> tuple[Record, ...]:
    """The input in its order of arrival, dealt out to the topics in turn."""
    found: list[Record] = []
    arrived = START
    # No two of several topics have the same time: how they come then hangs on how they are fetched.
    apart = 1 if shape.story and len(shape.topics) > 1 else 0
    story = _LOOKS + _TOLD[:6] if shape.listed else _JOINED if shape.joins else _TOLD
    told = [
        _touchpoint(after + number * apart, *one)
        for number, (after, *one) in enumerate(made_up(shape.story) if shape.story else story)
    ]
    if shape.joins and shape.story:
        _disguise(told, Random(shape.story), SHARED if shape.shares else 0)
    asked = _asked(shape)
    if not shape.ticks:
        told.append(Touchpoint(type="heartbeat", time=END))
    for number, event in enumerate(told):
        arrived = max(arrived + apart, event.time)
        topic = asked[number % len(asked)]
        found.append(Record(topic, number // len(asked), arrived, b"", msgspec.json.encode(event)))
    return _mixed(found, _listed()) if shape.listed else tuple(found)


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
    return Touchpoint(
        id=f"{person}-{kind}-{product}-{after}",
        type=kind,
        time=START + after,
        user_id=None if anonymous else person,
        anonymous_id=person if anonymous else None,
        items=[Item(product_id=product, price=20.0, quantity=1.0)],
        order_id="order-1" if kind == "purchase" else None,
        value=20.0 if kind == "purchase" else None,
        currency="EUR",
    )
