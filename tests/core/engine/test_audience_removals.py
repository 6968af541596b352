"""A rule that takes people out of an ad audience (`remove`), whichever rule has put them in."""

from __future__ import annotations

from typing import Final

import pytest

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from streams.lanes.rollout import Rollout
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_profile, a_view, an_event


def _looked(name: str, audience: str, **changes: object) -> Rule:
    """Joins an audience at every view of a product."""
    step = {"audience": {"add": audience, "expires": "14d"}}
    return a_rule(**{"rule": name, "subject": "product", "event": "view", "steps": [step], **changes})


def _out(**changes: object) -> Rule:
    """Leaves it at every visit to the store."""
    step = {"audience": {"remove": "looked"}}
    kept = {"rule": "in_store", "subject": "person", "event": "store_visit", "steps": [step], **changes}
    return a_rule(**kept)


LOOKED: Final = _looked("looked", "looked")
OUT: Final = _out()
VISITED: Final = NOON + HOUR


def visit(at: int = VISITED) -> Event:
    """The person comes to the store."""
    return an_event("store_visit", at=at)


def left(shop: Shop) -> list[tuple[str, str, str]]:
    """By which rule which audience was left, and when that was due."""
    return [(m["rule"], m["audience"], m["due"][11:16]) for m in shop.sent(operation="remove")]


def test_the_audience_is_left_at_the_decision_and_by_a_decision_of_its_own() -> None:
    """The message names what it takes back; the record has the rule's event and both gates that it passed."""
    shop = Shop([LOOKED, OUT]).read(a_profile(email="u@x.org", at=NOON - 1), a_view("p1"), visit())
    joined, message = shop.messages
    assert left(shop) == [("in_store", "looked", "13:00")]
    assert (message["recall_of"], message["channel"]) == (joined["message_id"], "ads")
    assert message["to"] == joined["to"] != {}
    (record,) = [one for one in shop.decisions if one["operation"] == "remove"]
    assert (record["decision_id"], record["outcome"]) == (message["decision_id"], "sent")
    assert [gate["gate"] for gate in record["gates"]] == ["closed", "again"]
    assert len(record["evidence"]) == 1
    assert not shop.lane.journeys["u1"].audiences


def test_whoever_is_in_it_by_several_rules_and_subjects_leaves_once() -> None:
    """The audience is a place to be in, whatever led there; other audiences stay."""
    rules = [LOOKED, _looked("looked_too", "looked"), _looked("other", "others"), OUT]
    shop = Shop(rules).read(a_view("p1"), a_view("p2", at=NOON + 1), visit())
    assert len(left(shop)) == 1
    assert {one.audience for one in shop.lane.journeys["u1"].audiences} == {"others"}


@pytest.mark.parametrize("events", [[visit()], [a_view("p1"), visit(NOON + 15 * DAY)], [visit(NOON - 1)]])
def test_of_whom_no_rule_has_put_in_nothing_is_told(events: list[Event]) -> None:
    """Nor of whom the platform has let go by now: its owner would learn of a person for nothing."""
    shop = Shop([LOOKED, OUT]).read(*events)
    assert left(shop) == []
    assert [one for one in shop.decisions if one["operation"] == "remove"] == []


def test_no_gate_keeps_a_person_in_an_audience() -> None:
    """Neither a kill switch nor the control group; consent that is gone has taken them out before."""
    shop = Shop([LOOKED, OUT]).read(a_view("p1"))
    shop.pauses = {"all": 1, "ads": 1}
    assert left(shop.read(visit())) == [("in_store", "looked", "13:00")]
    held_out = Shop([LOOKED, _out(hold_out=1)]).read(a_view("p1"), visit())
    assert left(held_out) == [("in_store", "looked", "13:00")]


def test_an_ending_stops_it_and_so_does_again() -> None:
    """They say whether the rule has come due at all."""
    wait = {"after": "1h", "opens": ["store_visit"]}
    waiting = a_rule(
        rule="in_store", subject="person", quiet=wait, unless=["chat"], again="7d",
        steps=[{"audience": {"remove": "looked"}}],
    )  # fmt: skip
    shop = Shop([LOOKED, waiting]).read(a_view("p1"), visit(), an_event("chat", at=VISITED + MINUTE))
    assert left(shop.until(NOON + DAY)) == []
    shop.read(visit(NOON + DAY)).until(NOON + 2 * DAY)
    assert left(shop) == [("in_store", "looked", "13:00")]
    shop.read(a_view("p2", at=NOON + 2 * DAY), visit(NOON + 2 * DAY)).until(NOON + 3 * DAY)
    assert len(left(shop)) == 1
    assert [one["reason"] for one in shop.decisions if one["operation"] == "remove"] == [None, "again"]


def test_a_rule_on_trial_leaves_nothing() -> None:
    """In shadow there is a record and no effect."""
    shop = Shop([LOOKED, OUT], rollout=Rollout(canary=(_out(event="chat"),), share=1e-9))
    shop.read(a_view("p1"), an_event("chat", at=NOON + 1))
    assert left(shop) == []
    assert [one["shadow"] for one in shop.decisions if one["operation"] == "remove"] == [True]
    assert len(left(shop.read(visit()))) == 1
