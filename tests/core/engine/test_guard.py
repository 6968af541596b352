"""The heartbeat guard: rules about unfinished purchases pause while purchases are not heard of."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, format_time, parse_time
from streams.lanes import positions
from streams.lanes.positions import Positions
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, a_cart, a_purchase, a_view

SILENCE: Final = 2 * HOUR
PAUSED: Final = frozenset(
    {"abandoned_cart", "abandoned_checkout", "browse_abandonment", "search_abandonment"}
)


def at_every_view(**keys: object) -> Rule:
    """A guarded rule that writes at every view."""
    steps = [{"channels": ["email"], "template": "x"}]
    named = {"rule": "every_view", "subject": "person", "event": "view", "steps": steps}
    return a_rule(**{"guarded": True} | named | keys)


def watched(*rules: Rule, **changes: object) -> Shop:
    """A shop with the guard on."""
    return Shop(rules or [at_every_view()], a_policy(purchase_silence=SILENCE, caps_total=(), **changes))


def told(shop: Shop) -> list[str]:
    """The reason of each decision, or `sent`."""
    return [d["reason"] or "sent" for d in shop.final()]


def test_the_abandonment_rules_are_guarded() -> None:
    """Of the rules that ship, those about what was left unfinished."""
    assert {rule.name for rule in shipped() if rule.guarded} == PAUSED


def test_a_guarded_rule_pauses_after_a_silence_and_goes_on_by_itself() -> None:
    """Anybody's purchase counts; two hours are not longer than two hours; the record has the last one."""
    bought = NOON - HOUR
    shop = watched().read(
        a_purchase("p1", at=bought, person="u2"),
        a_view(at=bought + SILENCE),
        a_view(at=bought + SILENCE + 1),
        a_purchase("p1", at=bought + SILENCE + 2, person="u3"),
        a_view(at=bought + SILENCE + 3),
    )
    assert told(shop) == ["sent", "paused", "sent"]
    gate = next(g for g in shop.decisions[1]["gates"] if g["gate"] == "paused")
    assert gate == {"gate": "paused", "value": [f"no purchase since {format_time(bought)}"], "limit": []}


def test_other_rules_and_a_guard_that_is_off_pause_nobody() -> None:
    """A rule opts in, and so does whoever runs it."""
    assert told(watched(at_every_view(guarded=False)).read(a_view(at=NOON))) == ["sent"]
    assert told(Shop([at_every_view()]).read(a_view(at=NOON))) == ["sent"]


def test_a_lane_that_never_heard_of_a_purchase_is_silent() -> None:
    """Nobody knows yet whether purchases arrive."""
    shop = watched().read(a_view(at=NOON))
    assert told(shop) == ["paused"]
    assert any(g["value"] == ["no purchase yet"] for g in shop.decisions[0]["gates"])


def test_a_purchase_counts_by_its_own_time() -> None:
    """Old purchases that come late do not tell that those of now would."""
    shop = watched().read(
        a_purchase("p1", at=NOON, person="u2"),
        a_view(at=NOON + 4 * HOUR),
        a_purchase("p1", at=NOON + HOUR, person="u2"),
        a_view(at=NOON + 4 * HOUR + 1),
        a_purchase("p1", at=NOON + 3 * HOUR, person="u2"),
        a_view(at=NOON + 4 * HOUR + 2),
    )
    assert told(shop) == ["paused", "paused", "sent"]


def test_later_steps_look_afresh() -> None:
    """A series goes on when purchases are heard of again: what was paused is not made up for."""
    cart = next(rule for rule in shipped() if rule.name == "abandoned_cart")
    shop = (
        watched(cart)
        .read(a_cart("p1", at=NOON), a_purchase("p9", at=NOON + DAY, person="u2"))
        .until(NOON + 2 * DAY)
    )
    sends = [(d["step"], d["reason"]) for d in shop.final() if d["operation"] == "send"]
    assert sends == [(1, "paused"), (2, None)]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=40),
    st.lists(st.integers(0, 40)),
)
def test_nobody_is_written_to_in_a_silence(steps: list[tuple[int, bool]], cuts: list[int]) -> None:
    """Before each message lies a purchase, wherever the input is cut and the lane taken over."""
    times = [
        (NOON + place * 20 * MINUTE, buys)
        for place, buys in sorted(steps, key=lambda step: (step[0], not step[1]))
    ]
    events = [a_purchase("p1", at=time, person="u2") if buys else a_view(at=time) for time, buys in times]
    whole, parts = watched().read(*events), watched()

    def take_over() -> None:
        parts.lane.heard = positions.decode(positions.encode(Positions(heard=parts.lane.heard))).heard

    parts.between = take_over
    parts.read(*events, cuts=cuts)
    assert (parts.messages, parts.decisions) == (whole.messages, whole.decisions)
    bought = [time for time, buys in times if buys]
    for decision in whole.decisions:
        at = parse_time(decision["due"])
        assert (decision["outcome"] == "sent") == any(at - SILENCE <= time <= at for time in bought)
