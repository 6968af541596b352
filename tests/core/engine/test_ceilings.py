"""Ceilings: what a rule may send to everybody together, as a bound on what a mistake can do."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from retarget.rules.model import Rule
from retarget.times import HOUR, parse_time
from streams.lanes import positions
from streams.lanes.positions import Positions
from streams.lanes.rollout import Rollout
from streams.stores.memory import MemoryStore
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_view

PEOPLE: Final = [f"u{n}" for n in range(9)]


def at_every_view(ceiling: str | None = "3/1h", **keys: object) -> Rule:
    """A rule that writes at every view."""
    limited = {} if ceiling is None else {"ceiling": ceiling}
    steps = [{"channels": ["email"], "template": "x"}]
    said = {"rule": "every_view", "subject": "person", "event": "view", "description": "x", "steps": steps}
    return a_rule(**{key: value for key, value in (said | limited | keys).items() if value is not None})


def test_a_rule_stops_at_its_ceiling_and_goes_on_in_the_next_window() -> None:
    """Everybody counts; the record has the number and the share of the lane."""
    views = [a_view(at=NOON + HOUR - 5 + n, person=who) for n, who in enumerate(PEOPLE)]
    shop = Shop([at_every_view()]).read(*views)
    assert [d["reason"] for d in shop.decisions] == [None] * 3 + ["ceiling"] * 2 + [None] * 3 + ["ceiling"]
    assert shop.decisions[3]["gates"][-1] == {"gate": "ceiling", "value": 3, "limit": 3}


def test_a_ceiling_is_of_one_rule() -> None:
    """Another rule goes on; in a backtest, where there are no lanes, there is none."""
    rules = [at_every_view("2/1h", priority=90), at_every_view(None, rule="free", priority=10)]
    shop = Shop(rules).read(*(a_view(person=who) for who in PEOPLE))
    assert [m["rule"] for m in shop.sent()].count("every_view") == 2
    assert [m["rule"] for m in shop.sent()].count("free") == 9
    assert len(Shop(rules, a_policy(lanes=0)).read(*(a_view(person=who) for who in PEOPLE)).sent()) == 18


def lanes_of(rule: Rule, number: int) -> list[Shop]:
    """So many lanes, which share what there is."""
    shops = [Shop([rule], a_policy(lanes=number)) for _ in range(number)]
    for place, shop in enumerate(shops):
        shop.number, shop.pool = place, shops[0].pool
    return shops


def test_one_busy_lane_may_have_all_of_a_ceiling() -> None:
    """What the others do not need is not kept for them; beyond it there is nothing for anybody."""
    busy, *others = lanes_of(at_every_view("5/1h"), 8)
    busy.read(*(a_view(person=who) for who in PEOPLE))
    assert [d["reason"] for d in busy.decisions] == [None] * 5 + ["ceiling"] * 4
    assert busy.decisions[-1]["gates"][-1] == {"gate": "ceiling", "value": 5, "limit": 5}
    assert [d["reason"] for d in others[0].read(a_view()).decisions] == ["ceiling"]
    assert [d["reason"] for d in others[0].read(a_view(at=NOON + HOUR)).decisions[1:]] == [None]


def test_what_waits_for_more_leaves_one_record_and_passes_the_other_gates_anew() -> None:
    """Nobody hears of the wait; whoever takes their word back meanwhile gets nothing."""
    (shop, _) = lanes_of(at_every_view("9/1h"), 2)
    shop.read(*(a_view(person=who) for who in PEOPLE))
    assert [(d["person"], d["outcome"]) for d in shop.decisions] == [(who, "sent") for who in PEOPLE]
    assert not any(journey.deferred for journey in shop.lane.journeys.values())


def test_a_version_in_shadow_asks_for_nothing() -> None:
    """It would send; what has no effect takes nothing from the others."""
    shop = Shop([at_every_view()], a_policy(lanes=2), rollout=Rollout(canary=(at_every_view(priority=1),)))
    shop.read(a_view())
    assert sorted((d["shadow"], d["outcome"]) for d in shop.decisions) == [(False, "sent"), (True, "sent")]
    assert shop.lane.granted["every_view"].most == 1


def test_what_another_gate_stops_does_not_count() -> None:
    """Only what was sent brings the rule nearer to its ceiling."""
    no = [a_consent("denied", at=NOON - 1, person=who) for who in PEOPLE[:5]]
    shop = Shop([at_every_view()]).read(*no, *(a_view(person=who) for who in PEOPLE))
    assert [m["person"] for m in shop.sent()] == PEOPLE[5:8]


def test_a_lane_that_is_short_looks_once_and_asks() -> None:
    """What comes due at one time: each message is looked at again only when there is more to be had."""
    rule = at_every_view("9/1h", event=None, quiet={"opens": "view", "after": "30m"})
    shop, _ = lanes_of(rule, 2)
    shop.read(*(a_view(person=who) for who in PEOPLE)).until(NOON + HOUR, limit=40)
    assert len(shop.sent()) == len(PEOPLE)
    assert shop.counts["applied",] <= 3 * len(PEOPLE)


def test_what_the_store_has_lost_is_brought_back() -> None:
    """The lane goes on with what it has, and is not given it once more."""
    shop, other = lanes_of(at_every_view("9/1h"), 2)
    shop.read(*(a_view(person=who) for who in PEOPLE[:5]))
    shop.pool = other.pool = MemoryStore()
    shop.read(*(a_view(at=NOON + 1, person=who) for who in PEOPLE[5:8]))
    other.read(*(a_view(person=who) for who in PEOPLE))
    assert (len(shop.sent()), len(other.sent())) == (8, 1)


def test_a_window_that_is_over_has_nothing_left() -> None:
    """A lane that becomes one of more may go back in time; what it sent then it no longer knows."""
    shop, _ = lanes_of(at_every_view("9/1h"), 2)
    shop.read(a_view(at=NOON), a_view(at=NOON + HOUR, person="u2"))
    shop.lane.clock = NOON + 1
    assert [d["reason"] for d in shop.read(a_view(at=NOON + 1, person="u3")).decisions[2:]] == ["ceiling"]


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 2), st.sampled_from(PEOPLE)), max_size=60),
    st.integers(1, 12),
)
def test_all_lanes_together_send_what_there_is_and_no_more(
    looks: list[tuple[int, int, str]], most: int
) -> None:
    """However they take turns; nobody is stopped before all has been granted, to whomever."""
    shops = lanes_of(at_every_view(f"{most}/1h"), 3)
    for seconds, lane, who in sorted(looks):
        shops[lane].read(a_view(at=NOON + seconds * 1000, person=who))
    held = sum(granted.most for shop in shops for granted in shop.lane.granted.values())
    assert sum(len(shop.sent()) for shop in shops) <= held <= most
    if any(d["reason"] == "ceiling" for shop in shops for d in shop.decisions):
        assert held == most


@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(PEOPLE)), max_size=40),
    st.integers(1, 4),
    st.lists(st.integers(0, 40)),
)
def test_no_lane_rises_above_its_ceiling(looks: list[tuple[int, str]], most: int, cuts: list[int]) -> None:
    """In no window, however the input is cut, and wherever the lane is taken over from what is stored."""
    rule = at_every_view(f"{most}/1h")
    views = [a_view(at=NOON + 3 * minutes * 60_000, person=who) for minutes, who in sorted(looks)]
    whole, parts = Shop([rule]).read(*views), Shop([rule])

    def take_over() -> None:
        kept = Positions(risen=parts.lane.risen, granted=parts.lane.granted, short=parts.lane.short)
        read = positions.decode(positions.encode(kept))
        parts.lane.risen, parts.lane.granted, parts.lane.short = read.risen, read.granted, read.short

    parts.between = take_over
    parts.read(*views, cuts=cuts)
    assert (parts.messages, parts.decisions) == (whole.messages, whole.decisions)
    windows = [parse_time(m["decided_at"]) // HOUR for m in whole.sent()]
    assert all(windows.count(window) <= most for window in windows)
