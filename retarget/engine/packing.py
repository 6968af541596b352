"""A journey on its way to another lane: one record, which no robot makes too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.journeys.model import Journey

#: Bytes; Kafka takes records of 4 MB.
MOST: Final = 3 * 1024 * 1024
#: The latest, where there is no room for all: episodes of each rule, ids beside the last, what is put off.
LEFT: Final = 10


def packed(journey: Journey, moment: Moment) -> bytes:
    """Its bytes; what is too much is left out, the least important first, and counted. The journey stays.

    Only ids and texts of the greatest length, hundreds of them, make one so large.
    """
    data = wire.encode(journey)
    for kind, leave_out in _LEAST_FIRST:
        if len(data) <= MOST:
            break
        journey = wire.decode(data)
        leave_out(journey)
        moment.counts["dropped", kind] += 1
        data = wire.encode(journey)
    return data


def _counted(journey: Journey) -> None:
    journey.tallies = {}
    journey.ended = {}


def _looked_at(journey: Journey) -> None:
    journey.products = {name: one for name, one in journey.products.items() if one.carted}


def _waiting(journey: Journey) -> None:
    for rule, episodes in journey.episodes.items():
        latest = sorted(episodes, key=lambda name: (episodes[name].touched, name))[-LEFT:]
        journey.episodes[rule] = {name: episodes[name] for name in latest}


def _applied(journey: Journey) -> None:
    journey.earlier = dict(list(journey.earlier.items())[-LEFT:])


def _put_off(journey: Journey) -> None:
    journey.deferred = journey.deferred[-LEFT:]
    journey.carts = {}
    journey.products = {}


_LEAST_FIRST: Final[tuple[tuple[str, Callable[[Journey], None]], ...]] = (
    ("tally", _counted),
    ("product", _looked_at),
    ("episode", _waiting),
    ("id", _applied),
    ("deferred", _put_off),
)
