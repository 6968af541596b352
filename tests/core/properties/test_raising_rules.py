"""A rule that raises, wherever in it, changes nothing for all the others, whatever stands in an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.rules.conditions import Condition
from retarget.rules.model import Becomes, Quiet, Rule
from retarget.rules.scene import Scene
from retarget.times import DAY
from tests.core.properties.test_garbage import events
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event

_TYPES: Final = ("profile", "identify", "custom", "view", "add", "consent", "purchase")
_AT_A_WAIT: Final = {"quiet": {"after": "30m", "opens": ["view", "add"]}}
_PLACES: Final[Mapping[str, dict[str, Any]]] = {
    "event": {"event": [*_TYPES]},
    "count": {"count": {"of": "view", "at_least": 1, "within": "7d"}, "subject": "product"},
    "quiet": _AT_A_WAIT,
    "touch": {"quiet": {**_AT_A_WAIT["quiet"], "when": "session.events > 0"}},
    "ending": {**_AT_A_WAIT, "unless": [{"when": "session.events > 1000"}]},
    "step": {"event": "view"},
    "becomes": {"becomes": {"some": "session.events > 0"}},
}


def _raising(place: str, sometimes: bool) -> Rule:  # noqa: FBT001
    """A rule of the uncapped kind in which one condition raises: always, or at about every second event."""

    def raises(scene: Scene) -> bool:
        if not sometimes or scene.journey.session.events % 2:
            raise KeyError(scene.subject)
        return True

    condition = Condition("raises", raises)
    by_state = {"audience": {"by_state": {"some": "some"}}}
    sends = {"channels": ["email", "service"], "template": "t", "audience": {"add": "bad"}}
    step = by_state if place == "becomes" else sends
    keys = {"rule": "raises", "subject": "person", "purpose": "service", "priority": 99, "steps": [step]}
    rule = a_rule(**(keys | _PLACES[place]))
    match rule.trigger:
        case Quiet() if place == "touch":
            return replace(rule, trigger=replace(rule.trigger, when=condition))
        case Becomes():
            return replace(rule, trigger=replace(rule.trigger, states={"some": condition}))
    if place == "ending":
        return replace(rule, unless=(replace(rule.unless[0], when=condition),))
    if place == "step":
        return replace(rule, steps=(replace(rule.steps[0], condition=condition),))
    return replace(rule, condition=condition)


RAISING: Final = {(place, often): _raising(place, often) for place in _PLACES for often in (False, True)}


@given(events(), st.sampled_from(sorted(RAISING)))
@settings(max_examples=150)
def test_the_others_decide_as_if_a_rule_that_raises_were_not_there(
    history: list[Event], which: tuple[str, bool]
) -> None:
    """Garbage in every field, the rules that ship: their records are the same, and letters name the other."""
    alone, beside = Shop(shipped(), a_policy()), Shop([*shipped(), RAISING[which]], a_policy())
    for shop in (alone, beside):
        shop.between = shop.through_the_store
        shop.read(*history, cuts=range(len(history))).until(NOON + 100 * DAY)
    others = [d for d in beside.decisions if d["rule"] != "raises"]
    assert others == alone.decisions
    assert [m for m in beside.messages if m["rule"] != "raises"] == alone.messages
    assert all((d["reason"], d["rules"]) == ("rule_failed", ["raises"]) for d in beside.dead)
    assert len({d["offset"] for d in beside.dead if d["offset"] >= 0}) == sum(
        d["offset"] >= 0 for d in beside.dead
    )
    ours = beside.lane.journeys["u1"].episodes.get("raises", {})
    assert all(episode.due > NOON + 100 * DAY for episode in ours.values())
