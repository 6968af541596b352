"""Variants of a step: who gets which, for good, and what messages and decisions say about it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.policy import QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_view

PLAIN_OR_WARM: Final = {"plain": {"weight": 3}, "warm": {"template": "y", "channels": ["push"]}}
PEOPLE: Final = [f"u{n}" for n in range(1000)]


def at_every_view(variants: object = PLAIN_OR_WARM, **keys: object) -> Rule:
    """A rule that writes at every view, in one of the variants."""
    steps = [{"channels": ["email"], "template": "x", "variants": variants}]
    return a_rule(
        **{"rule": "every_view", "subject": "person", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def arms(shop: Shop) -> dict[str, str]:
    """The arm of each person's latest message."""
    return {m["person"]: m["experiment"]["arm"] for m in shop.messages}


def test_people_are_shared_out_by_weight_and_get_what_their_variant_says() -> None:
    """Three in four get the step as it stands, the others another template on another channel."""
    shop = Shop([at_every_view()]).read(*(a_view(person=who) for who in PEOPLE))
    found = Counter(
        (m["experiment"]["arm"], m["experiment"]["propensity"], m["template"], m["channel"])
        for m in shop.messages
    )
    assert set(found) == {("plain", 0.75, "x", "email"), ("warm", 0.25, "y", "push")}
    assert 200 < found["warm", 0.25, "y", "push"] < 300
    assert {m["experiment"]["id"] for m in shop.messages} == {"every_view.1"}


def test_a_person_keeps_the_arm_when_weights_change() -> None:
    """Drawn once, with the share it had then; only a variant that is gone is drawn anew."""
    shop = Shop([at_every_view()]).read(*(a_view(person=who) for who in PEOPLE))
    shop.through_the_store()
    turned = Shop([at_every_view({"plain": {"weight": 1}, "warm": {"weight": 999, "template": "z"}})])
    turned.lane.journeys = shop.lane.journeys
    turned.read(*(a_view(at=NOON + DAY, person=who) for who in PEOPLE))
    assert arms(turned) == arms(shop)
    assert {m["experiment"]["propensity"] for m in turned.messages} == {0.75, 0.25}
    other = Shop([at_every_view({"warm": {"template": "z"}, "cold": {}})])
    other.lane.journeys = turned.lane.journeys
    other.read(*(a_view(at=NOON + 2 * DAY, person=who) for who in PEOPLE))
    were_warm = {who for who, arm in arms(shop).items() if arm == "warm"}
    kept = {m["person"] for m in other.messages if m["experiment"] == {"id": "every_view.1", "arm": "warm", "propensity": 0.25}}  # fmt: skip  # noqa: E501
    assert kept == were_warm
    assert set(arms(other).values()) == {"warm", "cold"}


def test_another_salt_and_another_step_draw_anew() -> None:
    """Two experiments do not always give the same people the same place."""
    shops = [
        Shop([at_every_view({"a": {}, "b": {}}, rule=rule)], a_policy(hold_out_salt=salt)).read(
            *(a_view(person=who) for who in PEOPLE)
        )
        for rule, salt in (("one", "s"), ("one", "t"), ("two", "s"))
    ]
    first, salted, other = (arms(shop) for shop in shops)
    for one in (salted, other):
        assert 400 < sum(first[who] == one[who] for who in PEOPLE) < 600


def test_every_candidate_has_its_arm_in_the_record() -> None:
    """Also where a gate stopped it: who compares arms must see what became of each."""
    shop = Shop([at_every_view()]).read(a_consent("denied", at=NOON - HOUR), a_view())
    (decision,) = shop.final()
    assert decision["reason"] == "no_consent"
    assert decision["experiment"]["id"] == "every_view.1"


def test_with_a_control_group_the_propensities_of_all_arms_are_one() -> None:
    """Held out with h, else a variant with its share of 1 - h; the record of the held out says control."""
    shop = Shop([at_every_view(hold_out=0.2)]).read(*(a_view(person=who) for who in PEOPLE))
    said = {(d["experiment"]["arm"], d["experiment"]["propensity"]) for d in shop.final()}
    assert said == {("control", 0.2), ("plain", 0.6), ("warm", 0.2)}
    assert {d["outcome"] for d in shop.final() if d["experiment"]["arm"] == "control"} == {"control"}
    assert set(arms(shop).values()) == {"plain", "warm"}


def test_a_rule_without_experiments_says_none() -> None:
    """Nothing is drawn and nothing is kept for it."""
    plain = a_rule(
        rule="plain", subject="person", event="view", description="x",
        steps=[{"channels": ["email"], "template": "x"}],
    )  # fmt: skip
    shop = Shop([plain]).read(a_view())
    assert (shop.messages[0]["experiment"], shop.final()[0]["experiment"]) == (None, None)
    assert shop.lane.journeys["u1"].arms == {}


def test_what_waits_for_the_morning_keeps_its_arm() -> None:
    """The look after the night is at the same variant."""
    policy = a_policy(quiet_hours=QuietHours(spread=0))
    views = [a_view(at=NOON + 10 * HOUR, person=who) for who in PEOPLE[:50]]
    shop = Shop([at_every_view()], policy).read(*views).until(NOON + DAY)
    waiting = {d["person"]: d["experiment"] for d in shop.decisions if d["outcome"] == "deferred"}
    final = {d["person"]: d["experiment"] for d in shop.final()}
    assert waiting == final
    assert {m["person"]: m["experiment"] for m in shop.messages} == final


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=2),
    st.lists(st.tuples(st.sampled_from(PEOPLE[:5]), st.integers(0, 100)), max_size=30),
    st.lists(st.integers(0, 30)),
)
def test_nobody_ever_sees_two_arms(
    weights: dict[str, int], looks: list[tuple[str, int]], cuts: list[int]
) -> None:
    """Over any history, through the store at any place, a person's messages are all of one variant."""
    variants: dict[str, Any] = {name: {"weight": weight} for name, weight in weights.items()}
    views = [
        a_view(at=NOON + hours * HOUR, person=who) for who, hours in sorted(looks, key=lambda look: look[1])
    ]
    shop = Shop([at_every_view(variants)])
    shop.between = shop.through_the_store
    shop.read(*views, cuts=cuts)
    seen = {(d["person"], d["experiment"]["arm"]) for d in shop.decisions}
    assert len(seen) == len({who for who, _ in looks})
    total = sum(weights.values())
    for decision in shop.decisions:
        found = decision["experiment"]
        assert abs(found["propensity"] - weights[found["arm"]] / total) < 1e-6
