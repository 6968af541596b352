"""Running figures of long tallies: the same journey gives the same answer, whatever was asked before."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import nextafter
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retarget.engine import merging
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.rules import tallies
from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.expressions import nearness
from retarget.rules.running import Long
from retarget.rules.scene import Scene
from retarget.rules.tallies import (
    COUNT,
    DAYS_WITH,
    DISTINCT,
    KEPT,
    SUM,
    Look,
    count_beside,
    distinct_beside,
    reader,
    sum_beside,
)
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE
from retarget.touchpoints import Touchpoint
from tests.factories import NOON

PLAIN: Final = "view.person"
VALUED: Final = "view.person:product"
SUMMED: Final = "view.person:value"
FINE: Final = "view.person:dwell"
NAMES: Final = (PLAIN, VALUED, SUMMED, FINE)
LIMITS: Final = (-2, -0.5, 0, 1, 2.5, 3, 31, 100)
WINDOWS: Final = (HOUR, DAY, 5 * DAY)
KEEP: Final = 5 * DAY
# Amounts, and what is finer than any.
NUMBERS: Final = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**8), 10**8).map(lambda cents: cents / 100), st.just(1e-40)
)
# As nearness has them.
TESTS: Final = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


class Act(NamedTuple):
    """Something that happens to a person: `many` times, `step` ms apart, `back` ms before the latest."""

    kind: str
    many: int = 1
    step: int = 0
    back: int = 0


ACTS: Final = st.lists(
    st.one_of(
        st.builds(Act, st.just("add"), st.integers(1, 90), st.sampled_from([0, 1, MINUTE, 3 * HOUR])),
        st.builds(Act, st.just("late"), st.integers(1, 3), st.sampled_from([0, 1]), st.integers(0, 2 * DAY)),
        st.builds(Act, st.just("look"), back=st.sampled_from([0, 0, 0, 1, HOUR, 2 * DAY])),
        st.builds(Act, st.just("wait"), step=st.sampled_from([HOUR, DAY, 7 * DAY])),
        st.builds(Act, st.sampled_from(["merge", "tidy", "store", "copy"]), st.integers(1, 60)),
    ),
    min_size=1,
    max_size=14,
)


class Person:
    """Somebody to whom it happens, who is looked at in between or not."""

    def __init__(self, seed: int, *, looked_at: bool) -> None:
        self.journey, self.now, self.number = Journey(person="u"), NOON, seed
        self.looked_at = looked_at

    def live(self, act: Act) -> None:
        """Let one thing happen."""
        match act.kind:
            case "add":
                self._count(self.journey, [self.now + (one + 1) * act.step for one in range(act.many)])
                self.now += act.many * act.step
            case "late":
                late = self.now - act.back
                self._count(self.journey, [late - one * act.step for one in range(act.many)])
            case "look" if self.looked_at:
                answers(self.journey, self.now - act.back)
            case "wait":
                self.now += act.step
            case "merge":
                other = Journey(person="a")
                self._count(other, [self.now - one * HOUR for one in range(act.many)])
                merging._tallies(self.journey, other)  # noqa: SLF001 - of the journeys only this part
            case "tidy":
                tallies.tidy(self.journey, dict.fromkeys(NAMES, KEEP), self.now)
            case "store":
                self.journey = wire.decode(wire.encode(self.journey))
            case "copy":
                self.journey = copy.deepcopy(self.journey)

    def _count(self, journey: Journey, times: list[int]) -> None:
        for time in times:
            self.number += 1
            self._count_one(journey, time)

    def _count_one(self, journey: Journey, time: int) -> None:
        event = Touchpoint(id=f"e{self.number}", type="view", user_id="u", time=time)
        tallies.add(journey, PLAIN, "u", event, "", KEEP)
        for item in range(1 + self.number % 3):
            value = self.number * 7919 % (3 if self.number % 200 < 100 else 400) + item
            tallies.add(journey, VALUED, "u", event, f"p{value}", KEEP)
        price = (value - 50) / 100 or 0.3
        tallies.add(journey, SUMMED, "u", event, price, KEEP)
        tallies.add(journey, FINE, "u", event, 1e-9 if self.number % 97 == 0 else price, KEEP)


def answers(journey: Journey, at: int) -> list[Any]:
    """What is asked of each tally, for every window."""
    asked = ((COUNT, PLAIN), (DAYS_WITH, PLAIN), (DISTINCT, VALUED), (SUM, SUMMED), (SUM, FINE))
    compared = [one for _, ones in sorted(comparisons(journey, at).items()) for one in ones]
    return [look_at(look, within, journey, name, at) for look, name in asked for within in WINDOWS] + compared


def comparisons(journey: Journey, at: int) -> dict[str, list[int]]:
    """By tally how what stands for its number compares with the limits, for every window."""
    beside = {PLAIN: count_beside, VALUED: distinct_beside, SUMMED: sum_beside}
    return {
        name: [
            _compared(look_at(look(limit), within, journey, name, at), limit)
            for within in WINDOWS
            for limit in LIMITS
        ]
        for name, look in beside.items()
    }


def _compared(number: float, limit: float) -> int:
    return (number > limit) - (number < limit)


def look_at(look: Look, within: int, journey: Journey, name: str, at: int) -> Any:  # noqa: ANN401 - a number
    """One look at the tally of that name."""
    scene = Scene(journey)
    scene.subject, scene.at = "u", at
    return reader(look, within, {"person": name})(scene)


def plain_answers(journey: Journey, at: int) -> list[Any]:
    """The same as the words say it, event by event."""
    found: list[Any] = []
    counts: list[tuple[str, Callable[[list[tuple[Any, int]]], float]]] = [
        (PLAIN, len),
        (PLAIN, lambda events: len({time // DAY for _, time in events})),
        (VALUED, lambda events: len({value for value, _ in events})),
        (SUMMED, lambda events: _exactly(value for value, _ in events)),
        (FINE, lambda events: _exactly(value for value, _ in events)),
    ]
    for name, count in counts:
        tally, wide = journey.tallies.get(name, {}).get("u", []), tallies.width(name)
        events = [(tally[place], tally[place + wide - 1]) for place in range(0, len(tally), wide)]
        found += [count([one for one in events if at - within < one[1] <= at]) for within in WINDOWS]
    numbers = {PLAIN: found[:3], VALUED: found[6:9], SUMMED: found[9:12]}
    for _, of_windows in sorted(numbers.items()):
        found += [_compared(number, limit) for number in of_windows for limit in LIMITS]
    return found


def _exactly(numbers: Iterable[float]) -> float:
    return float(sum(map(Fraction, numbers)))


@settings(max_examples=150, deadline=None)
@given(ACTS, st.integers(0, 1_000))
@example([Act("add", 60, HOUR), Act("look"), Act("late", 1, 0, 30 * HOUR)], 0)
@example([Act("add", 60, MINUTE), Act("look"), Act("add", 60, MINUTE)], 0)
@example([Act("add", 150, MINUTE), Act("look"), Act("add", 60, MINUTE)], 100)
@example([Act("add", 250, MINUTE), Act("look"), Act("add", 9, MINUTE), Act("late", 1, 0, HOUR)], 100)
def test_whatever_was_asked_before_the_answers_are_the_same(acts: list[Act], seed: int) -> None:
    """Late ones, forgotten ones, merges, tidying, stored and copied journeys; what is stored is the same."""
    asked, unasked = Person(seed, looked_at=True), Person(seed, looked_at=False)
    for act in acts:
        asked.live(act)
        unasked.live(act)
        assert wire.encode(asked.journey) == wire.encode(unasked.journey)
    for at in (asked.now, asked.now + DAY, asked.now - HOUR):
        assert answers(asked.journey, at) == plain_answers(unasked.journey, at)
    assert wire.encode(asked.journey) == wire.encode(unasked.journey)


@given(
    st.lists(NUMBERS.filter(bool), min_size=40, max_size=300),
    st.integers(0, 299),
    st.integers(-2, 2),
)
def test_a_sum_compares_as_if_nothing_were_rounded_but_the_sum(
    numbers: list[float], more: int, near: int
) -> None:
    """With limits that it meets, or misses by the last bit, or by a cent: by every sign."""
    journey = Journey(person="u")
    for place, number in enumerate(numbers):
        event = Touchpoint(id=f"e{place}", type="view", user_id="u", time=NOON + place * HOUR)
        tallies.add(journey, SUMMED, "u", event, number, 100 * DAY)
        if place == more:
            look_at(sum_beside(0.0), DAY, journey, SUMMED, event.time)
    within = (more + 1) * HOUR
    limit = added = _exactly(numbers[-KEPT:][-(more + 1) :])
    for _ in range(abs(near)):
        limit = nextafter(limit, near * float("inf"))
    for asked in (limit, limit + 0.01, limit - 0.01):
        told = look_at(sum_beside(asked), within, journey, SUMMED, event.time)
        assert [test(told, asked) for test in TESTS] == [
            test(added, asked) for test in nearness.TESTS.values()
        ]


def test_long_tallies_alone_have_figures_and_no_copy_shares_them() -> None:
    """A few events are gone through; a copy that goes its own way knows nothing of the other."""
    person = Person(0, looked_at=True)
    person.live(Act("add", 5, MINUTE))
    answers(person.journey, person.now)
    assert not any(isinstance(tally["u"], Long) for tally in person.journey.tallies.values())
    person.live(Act("add", 40, MINUTE))
    before = answers(person.journey, person.now)
    assert all(isinstance(tally["u"], Long) for tally in person.journey.tallies.values())
    twin = copy.copy(person.journey.tallies[VALUED]["u"])
    assert (type(twin), twin) == (list, person.journey.tallies[VALUED]["u"])
    person.journey.tallies[VALUED] = {"u": twin}
    assert answers(person.journey, person.now) == before


def test_figures_are_made_at_the_second_look() -> None:
    """Whoever comes seldom is loaded for one look, for which they are not worth while."""
    person = Person(0, looked_at=False)
    person.live(Act("add", 60, MINUTE))
    looks = [look_at(DISTINCT, KEEP, person.journey, VALUED, person.now) for _ in range(2)]
    known = person.journey.tallies[VALUED]["u"]
    assert isinstance(known, Long)
    assert known.knows
    assert looks[0] == looks[1]
    person.journey.tallies[VALUED] = {"u": list(known)}
    assert look_at(DISTINCT, KEEP, person.journey, VALUED, person.now) == looks[0]
    once = person.journey.tallies[VALUED]["u"]
    assert isinstance(once, Long)
    assert not once.knows


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e308])
def test_numbers_that_cannot_be_added_up_compare_as_they_would(odd: float) -> None:
    """Nothing is concluded from sums that are no numbers any more."""
    journey = Journey(person="u")
    for place in range(60):
        number = odd if place in (20, 21) else 1.5
        event = Touchpoint(id=f"e{place}", type="view", user_id="u", time=NOON + place * HOUR)
        tallies.add(journey, SUMMED, "u", event, number, 100 * DAY)
        for within in (10 * HOUR, 50 * HOUR):
            told = look_at(sum_beside(3.0), within, journey, SUMMED, event.time)
            added: Any = SUM.plain(list(journey.tallies[SUMMED]["u"]), within, event.time)
            assert [test(told, 3.0) for test in TESTS] == [test(added, 3.0) for test in TESTS]


def test_a_sum_is_looked_for_in_a_list_of_numbers() -> None:
    """What stands for a sum compares with one number, not with several."""
    condition = parse_condition('sum("value", "view", within=days(7)) in [59.5, 60]', VOCABULARY, "person")
    assert isinstance(condition, Condition)
    journey = Journey(person="u")
    scene = Scene(journey)
    scene.subject, found = "u", []
    for place in range(41):
        event = Touchpoint(id=f"e{place}", type="view", user_id="u", time=NOON + place)
        tallies.add(journey, SUMMED, "u", event, 1.5, KEEP)
        scene.at = event.time
        found.append(condition.evaluate(scene))
    assert [place for place, is_in in enumerate(found) if is_in] == [39]
