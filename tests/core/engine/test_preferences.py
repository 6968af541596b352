"""What a person asks for by `traits.preference`: it shrinks their caps, and nothing else can come of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.policy import Cap
from retarget.journeys.model import Journey
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, parse_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_profile, a_view, an_event


def at_every_view(name: str = "every_view", *tags: str, priority: int = 50) -> Rule:
    """A rule that writes at every view."""
    steps = [{"channels": ["email"], "template": "x"}]
    return a_rule(
        rule=name, subject="person", event="view", description="x", steps=steps, tags=list(tags),
        priority=priority,
    )  # fmt: skip


def sent_of(*events: Event, rules: tuple[Rule, ...] = (at_every_view("every_view", "cart"),), views: int = 10,
            **policy: object) -> list[int]:  # fmt: skip
    """In which of ten hours after these events something was sent, a view in each."""
    seen = [a_view(at=NOON + (n + 1) * HOUR) for n in range(views)]
    shop = Shop(rules, a_policy(**policy)).read(*events, *seen)
    return [(parse_time(message["decided_at"]) - NOON) // HOUR for message in shop.sent()]


def asks(preference: object, at: int = NOON) -> Event:
    """A profile with a preference."""
    return an_event("profile", at=at, traits={"preference": preference})


@pytest.mark.parametrize(
    ("preference", "sent"),
    [
        ({}, [1, 2, 3]),
        ({"max_per_week": 2}, [1, 2]),
        ({"max_per_week": 1}, [1]),
        ({"max_per_week": 0}, []),
        ({"max_per_week": 9}, [1, 2, 3]),
        ({"less": ["cart"]}, [1]),
        ({"less": ["other"]}, [1, 2, 3]),
        ({"less": ["email"]}, [1, 2, 3]),
        ({"less": ["other", "cart"], "max_per_week": 0}, []),
    ],
)
def test_a_person_may_ask_for_less(preference: object, sent: list[int]) -> None:
    """At most so many a week, and of a tag half of the total, but one; never more than before."""
    assert sent_of(asks(preference)) == sent


def test_less_of_a_tag_leaves_the_others_alone() -> None:
    """Messages of other tags neither count towards the halved cap nor are stopped by it."""
    rules = (at_every_view("carts", "cart", priority=90), at_every_view("news", "news", priority=10))
    policy = a_policy(caps_total=(Cap(4, DAY),))
    shop = Shop(rules, policy).read(asks({"less": ["cart"]}), *(a_view(at=NOON + n) for n in range(1, 5)))
    assert [message["rule"] for message in shop.sent()] == ["carts", "news", "carts", "news"]


@pytest.mark.parametrize(("most", "sent"), [(5, [1, 2]), (2, [1]), (1, [1]), (0, [])])
def test_a_tag_with_caps_of_its_own_has_half_of_those(most: int, sent: list[int]) -> None:
    """Rounded down, at least one, unless there was none before."""
    caps = {"cart": (Cap(most, DAY),)}
    assert sent_of(asks({"less": ["cart"]}), caps=caps, caps_total=(Cap(9, DAY),)) == sent


def test_a_week_is_seven_days_even_where_no_cap_looks_that_far_back() -> None:
    """Sends are remembered for the week that a person may ask about, across the journey's tidying."""
    rule, views = at_every_view(), [a_view(at=NOON + n * DAY) for n in range(1, 11)]
    shop = Shop([rule], a_policy(caps_total=(), caps={})).read(asks({"max_per_week": 1}), *views)
    assert [(parse_time(m["decided_at"]) - NOON) // DAY for m in shop.sent()] == [1, 8]


@pytest.mark.parametrize(
    ("preference", "ignored", "sent"),
    [
        ("less", 1, [1, 2]),
        (["cart"], 1, [1, 2]),
        (7, 1, [1, 2]),
        ({"max_per_week": "1"}, 1, [1, 2]),
        ({"max_per_week": -1}, 1, [1, 2]),
        ({"max_per_week": 1.5}, 1, [1, 2]),
        ({"max_per_week": True}, 1, [1, 2]),
        ({"max_per_week": "1", "less": ["cart"]}, 1, [1]),
        ({"less": "cart"}, 1, [1, 2, 3]),
        ({"less": "cart", "max_per_week": 1}, 1, [1]),
        ({"less": [1, None, ["cart"], "cart"]}, 3, [1]),
        ({"max_per_week": 2**63 - 1}, 0, [1, 2, 3]),
        (None, 0, [1, 2, 3]),
        ({"unheard_of": 1}, 0, [1, 2, 3]),
    ],
)
def test_what_cannot_be_read_is_ignored_and_counted(
    preference: object, ignored: int, sent: list[int]
) -> None:
    """A part that cannot be read leaves what the person asked for before; the rest of the word counts."""
    shop = Shop([at_every_view("every_view", "cart")])
    shop.between = shop.through_the_store
    shop.read(asks({"max_per_week": 2}), cuts=[1]).read(asks(preference, at=NOON + MINUTE))
    assert shop.counts["ignored", "preference"] == ignored
    assert shop.dead == []
    assert sent_of(asks({"max_per_week": 2}), asks(preference, at=NOON + MINUTE)) == sent


def test_what_was_stored_before_preferences_were_read_stops_nothing() -> None:
    """A trait of that name may hold anything; what cannot be read in it is no limit."""
    shop = Shop([at_every_view()])
    shop.lane.journeys["u1"] = Journey(person="u1", traits={"preference": {"less": 5, "max_per_week": "x"}})
    assert len(shop.read(*(a_view(at=NOON + n) for n in range(5))).sent()) == 3


def test_the_record_names_what_the_person_asked_for() -> None:
    """Who reads the decision sees that it was the person's own limit, not the shop's."""
    shop = Shop([at_every_view()]).read(asks({"max_per_week": 1}), a_view(at=NOON + 1), a_view(at=NOON + 2))
    gate = shop.final()[-1]["gates"][-1]
    limit = {"scope": "total", "count": 1, "within_ms": 7 * DAY, "asked": True}
    assert gate == {"gate": "cap", "value": 1, "limit": limit}


def test_a_preference_comes_with_the_rest_of_a_profile() -> None:
    """Other traits of the same event are kept as ever."""
    shop = Shop([at_every_view()]).read(a_profile(email="u@example.org", preference={"max_per_week": 1}))
    assert shop.lane.journeys["u1"].traits == {"email": "u@example.org", "preference": {"max_per_week": 1}}


_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["less", "max_per_week", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_WISHES = st.fixed_dictionaries(
    {}, optional={"less": st.lists(st.sampled_from(["cart", "news"])), "max_per_week": st.integers(0, 4)}
)


@given(st.lists(st.tuples(st.integers(1, 20), _WISHES | _ANYTHING), max_size=6), st.lists(st.integers(0, 50)))
def test_nobody_gets_more_than_they_last_asked_for(wishes: list[tuple[int, Any]], cuts: list[int]) -> None:
    """Over any words at any hours nothing raises, and every send keeps within the last readable wish."""
    rules = (at_every_view("carts", "cart", priority=90), at_every_view("news", "news", priority=10))
    hours = [(hour * 8 * HOUR, asks(wish, at=NOON + hour * 8 * HOUR)) for hour, wish in wishes]
    views = [(n * 4 * HOUR + 1, a_view(at=NOON + n * 4 * HOUR + 1)) for n in range(50)]
    events = [event for _, event in sorted(hours + views, key=lambda pair: pair[0])]
    shop = Shop(rules)
    shop.between = shop.through_the_store
    shop.read(*events, cuts=cuts)
    assert shop.dead == []
    sent = [(parse_time(m["decided_at"]), m["rule"]) for m in shop.sent()]
    for at, rule in sent:
        wish = _wish_at(events, at)
        week = [r for t, r in sent if at - 7 * DAY < t <= at]
        if wish["max_per_week"] is not None:
            assert len(week) <= wish["max_per_week"]
        if {"carts": "cart", "news": "news"}[rule] in wish["less"]:
            assert week.count(rule) <= 4
            assert len([r for t, r in sent if at - DAY < t <= at and r == rule]) == 1


def _wish_at(events: list[Event], at: int) -> dict[str, Any]:
    """What had been asked for by then, read once more and differently."""
    wish: dict[str, Any] = {"less": [], "max_per_week": None}
    for event in events:
        if event["type"] != "profile" or event["time"] > at:
            continue
        said = event["traits"]["preference"]
        said = {} if said is None else said
        if not isinstance(said, dict):
            continue
        less, most = said.get("less"), said.get("max_per_week")
        if less is None or isinstance(less, list):
            wish["less"] = less or []
        if most is None or (type(most) is int and most >= 0):
            wish["max_per_week"] = most
    return wish
