"""Retention: what the brokers have dropped, and whether somebody still needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from retarget.errors import LaneRefused
from streams import topics
from streams.kafka.journal import Arbiter
from streams.lanes import positions
from tests.protocol.broker import Broker, Gone, decoded
from tests.protocol.faults import Fault
from tests.protocol.store import Image

_NOTHING: Final[Mapping[str, int]] = {}


class Needs(NamedTuple):
    """The first offset of each topic that an image of the store still needs."""

    firsts: Mapping[str, int]

    @classmethod
    def of(cls, image: Image, broker: Broker) -> Needs:
        """Whoever begins with this image repeats the journal behind it, and reads what nobody has read."""
        if not image.sequence:
            counted = Arbiter(0).take(decoded(broker.visible(topics.JOURNAL)))
            return cls({**(counted[0][1].first if counted else _NOTHING), topics.JOURNAL: 0})
        held = positions.decode(image.meta)
        firsts = {
            topic: min([first, *(start for start, _ in held.held.get(topic, ()))])
            for topic, first in held.frontier.items()
        }
        # The record that was applied last tells whose claim stands before what follows.
        return cls({**firsts, topics.JOURNAL: held.journal - 1})

    def gone(self, broker: Broker) -> list[str]:
        """The topics that do not reach back so far any more."""
        return sorted(topic for topic, first in self.firsts.items() if first < broker.beginnings[topic])


def possible(image: Image, broker: Broker, ends: Mapping[str, int]) -> tuple[Fault, ...]:
    """What can be dropped, once a lane has begun: what is older than that, it has never promised to see."""
    if not image.sequence:
        return ()
    found = (Fault.DROP_DONE, Fault.DROP_JOURNAL)
    return (*found, Fault.DROP_UNREAD) if _unread(image, broker, ends) else found


def drop(fault: Fault, image: Image, broker: Broker, ends: Mapping[str, int]) -> None:
    """Let the brokers drop what is done, or the first record that is not, or the whole journal."""
    if fault is Fault.DROP_JOURNAL:
        broker.drop(topics.JOURNAL, len(broker.logs[topics.JOURNAL]))
    elif fault is Fault.DROP_UNREAD:
        topic = _unread(image, broker, ends)[0]
        broker.drop(topic, positions.decode(image.meta).frontier[topic] + 1)
    else:
        for topic, first in Needs.of(image, broker).firsts.items():
            broker.drop(topic, first)


def _unread(image: Image, broker: Broker, ends: Mapping[str, int]) -> list[str]:
    """The inputs of which the store knows no record behind its frontier, although there are some."""
    frontier = positions.decode(image.meta).frontier
    return [t for t, end in ends.items() if max(frontier.get(t, end), broker.beginnings[t]) < end]


def is_for_want(refused: LaneRefused) -> bool:
    """Whether a lane has refused because something was dropped."""
    return isinstance(refused, Gone) or isinstance(refused.__cause__, Gone)
