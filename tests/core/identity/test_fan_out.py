"""What one merge, and one batch, may write for other lanes at most."""

from __future__ import annotations

import json
from typing import Final

import pytest

from retarget.engine.moment import Moment
from retarget.lane.batch import Batch
from retarget.lane.crossing import History, Joins, Parts, Strayed, unpack
from retarget.lane.intake import Arrival
from retarget.lane.joining import LED_AT_ONCE
from retarget.times import HOUR, MINUTE
from tests.core.lanes import CROSSING, Lanes
from tests.core.shop import ALL, a_policy
from tests.factories import NOON, Event, a_view, an_event

LIMIT: Final = 10


class Fan(Lanes):
    """The same with batches that are cut as in a worker."""

    def arrivals(self, number: int, *events: Event) -> list[Arrival]:
        """Events as a batch has them."""
        return [self._arrival(number, "t", json.dumps(event).encode()) for event in events]

    def crossed(self, number: int) -> list[Arrival]:
        """All that is on its way to a lane."""
        found = [self._arrival(number, CROSSING, value) for to, value in self.on_the_way if to == number]
        self.on_the_way.clear()
        return found

    def batch(self, number: int, arrivals: list[Arrival], limit: int = LIMIT) -> Batch:
        """One batch by itself."""
        return self.lanes[number].work(arrivals, Moment(self.policy), advance_to=-1, limit=limit)

    def after(self, *events: Event) -> Fan:
        """Read them; what they lead to is on its way."""
        self.read(*events)
        return self


def words(count: int) -> list[Event]:
    """So many people say who they are."""
    return [an_event("identify", at=NOON + n, person=f"u{n}", anonymous_id=f"a{n}") for n in range(count)]


def written(batch: Batch) -> list[object]:
    """What a batch has for other lanes."""
    return [unpack(result.value) for result in batch.results if result.kind == "merge"]


def in_batches(lanes: Fan, number: int, arrivals: list[Arrival], limit: int = LIMIT) -> list[list[object]]:
    """What each batch has for other lanes, until all is read."""
    found = []
    while arrivals:
        batch = lanes.batch(number, arrivals, limit)
        assert batch.consumed > 0
        assert batch.worked <= limit
        arrivals = arrivals[batch.consumed :]
        found.append(written(batch))
    return found


def test_an_event_tells_of_one_person_at_most() -> None:
    """A word for each event with two ids, no more in a batch than it works off."""
    lanes = Fan()
    found = in_batches(lanes, 1, lanes.arrivals(1, *words(35)))
    assert [len(one) for one in found] == [10, 10, 10, 5]
    assert {type(one) for batch in found for one in batch} == {Joins}


def test_words_are_acted_on_within_the_limit_of_a_batch() -> None:
    """However many come at once: each lets one history go, and the rest waits for the next batch."""
    lanes = Fan().after(*(a_view("p1", at=NOON - 1, person=f"a{n}") for n in range(35)))
    lanes.read(*words(35))
    found = in_batches(lanes, 0, lanes.crossed(0))
    assert [len(one) for one in found] == [10, 10, 10, 5]
    assert {type(one) for batch in found for one in batch} == {History}


def test_histories_are_taken_within_the_limit_of_a_batch() -> None:
    """The lane of the known people does no more at once, either; and nobody is forgotten."""
    lanes = Fan().after(*(a_view("p1", at=NOON - 1, person=f"a{n}") for n in range(35)))
    lanes.read(*words(35))
    lanes.cross(35)
    found = in_batches(lanes, 1, lanes.crossed(1))
    assert [len(one) for one in found] == [0] * 4
    assert all("p1" in lanes.lanes[1].journeys[f"u{n}"].products for n in range(35))


@pytest.mark.parametrize("before", [5, LED_AT_ONCE, LED_AT_ONCE + 700])
def test_one_word_leads_on_so_much_of_what_is_held(before: int) -> None:
    """A robot's thousands of events of the last seconds do not all leave in one batch, but all leave."""
    lanes = Fan(lateness=HOUR).after(a_view("p1", at=NOON, person="a0"))
    lanes.read(*words(1), {"type": "heartbeat", "time": NOON + HOUR}, lane=1, beats=False)
    word = lanes.crossed(0)
    lanes.batch(0, lanes.arrivals(0, a_view("p1", at=NOON + HOUR, person="a9")), ALL)
    held = [a_view(f"p{n}", at=NOON + MINUTE + n, person="a0") for n in range(before)]
    lanes.batch(0, lanes.arrivals(0, *held), ALL)
    first = lanes.batch(0, word, ALL)
    assert [type(one) for one in written(first)] == [History] + [Strayed] * min(before, LED_AT_ONCE)
    late = lanes.lanes[0].work([], Moment(lanes.policy), advance_to=NOON + 2 * HOUR, limit=ALL)
    assert sum(isinstance(one, Strayed) for one in written(late)) == max(before - LED_AT_ONCE, 0)
    assert len(lanes.lanes[0].hold) == 0


def test_an_erasure_parts_from_so_many_as_one_may_have() -> None:
    """One record for each anonymous id, of which there are `identity.most` at most."""
    policy = a_policy(most_joined=3)
    lanes = Fan(policy=policy)
    for n in range(5):
        lanes.read(an_event("identify", at=NOON + n, person="u0", anonymous_id=f"a{n}"))
    lanes.cross()
    batch = lanes.batch(1, lanes.arrivals(1, an_event("erase", at=NOON + HOUR, person="u0")))
    assert [type(one) for one in written(batch)] == [Parts] * 3
