"""Ceilings: what a rule may send to everybody together, as a bound on what a mistake can do."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from retarget.rules.model import Rule
from retarget.times import HOUR, parse_time
from streams.lanes import positions
from streams.lanes.positions import Positions
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_view

PEOPLE: Final = [f"u{n}" for n in range(9)]


def at_every_view(ceiling: str | None = "3/1h", **keys: object) -> Rule:
    """A rule that writes at every view."""
    limited = {} if ceiling is None else {"ceiling": ceiling}
    steps = [{"channels": ["email"], "template": "x"}]
    return a_rule(
        **{"rule": "every_view", "subject": "person", "event": "view", "description": "x", "steps": steps}
        | limited
        | keys
    )


def test_a_rule_stops_at_its_ceiling_and_goes_on_in_the_next_window() -> None:
    """Everybody counts; the record has the number and the share of the lane."""
    views = [a_view(at=NOON + HOUR - 5 + n, person=who) for n, who in enumerate(PEOPLE)]
    shop = Shop([at_every_view()]).read(*views)
    assert [d["reason"] for d in shop.decisions] == [None] * 3 + ["ceiling"] * 2 + [None] * 3 + ["ceiling"]
    assert shop.decisions[3]["gates"][-1] == {"gate": "ceiling", "value": 3, "limit": 3}


def test_a_ceiling_is_of_one_rule_and_shared_by_the_lanes() -> None:
    """Another rule goes on; of ten for four lanes each has two; of ten for eleven none has any."""
    rules = [at_every_view("10/1h", priority=90), at_every_view(None, rule="free", priority=10)]
    shop = Shop(rules, a_policy(lanes=4)).read(*(a_view(person=who) for who in PEOPLE))
    assert [m["rule"] for m in shop.sent()].count("every_view") == 2
    assert [m["rule"] for m in shop.sent()].count("free") == 9
    assert not Shop(rules[:1], a_policy(lanes=11)).read(a_view()).sent()
    assert (
        len(Shop(rules[:1], a_policy(lanes=0)).read(*(a_view(person=f"u{n}") for n in range(20))).sent())
        == 20
    )


def test_what_another_gate_stops_does_not_count() -> None:
    """Only what was sent brings the rule nearer to its ceiling."""
    no = [a_consent("denied", at=NOON - 1, person=who) for who in PEOPLE[:5]]
    shop = Shop([at_every_view()]).read(*no, *(a_view(person=who) for who in PEOPLE))
    assert [m["person"] for m in shop.sent()] == PEOPLE[5:8]


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
        parts.lane.risen = positions.decode(positions.encode(Positions(risen=parts.lane.risen))).risen

    parts.between = take_over
    parts.read(*views, cuts=cuts)
    assert (parts.messages, parts.decisions) == (whole.messages, whole.decisions)
    windows = [parse_time(m["decided_at"]) // HOUR for m in whole.sent()]
    assert all(windows.count(window) <= most for window in windows)
