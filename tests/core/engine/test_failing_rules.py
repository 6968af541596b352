"""A rule that fails is set aside with its event or wait; all other rules decide as if it were not there."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from retarget.engine import deciding
from retarget.engine.policy import QuietHours
from retarget.rules.conditions import Condition
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_profile, a_purchase, a_view, an_add, an_event

STEPS: Final = [{"channels": ["push"], "template": "t"}]
BOTH: Final = [{"channels": ["push"], "template": "t", "audience": {"add": "seen", "expires": "7d"}}]
STATES: Final = {"becomes": {"seen": "session.events > 0"}}
BY_STATE: Final = [{"audience": {"by_state": {"seen": "seen"}}}]
TRIGGERS: Final[dict[str, dict[str, Any]]] = {
    "at an event": {"event": "view"},
    "at a count": {"count": {"of": "view", "at_least": 1, "within": "1h"}},
    "at a sequence": {"sequence": {"first": "profile", "then": "view", "within": "1h"}},
    "at the end of a wait": {"quiet": {"after": "30m", "opens": ["view"]}},
    "at a date": {"date": {"trait": "day"}},
}
TELLS: Final[dict[str, Any]] = {"push_token": "t", "day": "2024-03-01T12:30:00Z"}


def _fails(_scene: object) -> bool:
    raise RuntimeError("it cannot stand this")


FAILS: Final = Condition("bad", _fails)


def _bad(**keys: Any) -> Rule:  # noqa: ANN401 - as its author would write them
    return a_rule(**({"rule": "bad", "subject": "person", "steps": STEPS, "priority": 90} | keys))


def _good(**keys: Any) -> Rule:  # noqa: ANN401
    return _bad(**({"rule": "good", "priority": 50} | keys))


@pytest.mark.parametrize("priority", [90, 10])
@pytest.mark.parametrize("where", TRIGGERS)
def test_the_other_rules_still_decide(where: str, priority: int) -> None:
    """Whichever comes first: one dead letter, one message of the other, and no wait for the bad one."""
    bad = replace(_bad(priority=priority, **TRIGGERS[where]), condition=FAILS)
    shop = Shop([bad, _good(**TRIGGERS[where])], a_policy())
    shop.read(a_profile(**TELLS), a_view()).until(NOON + HOUR)
    assert [(d["reason"], d["rules"]) for d in shop.dead] == [("rule_failed", ["bad"])]
    assert shop.dead[0]["detail"] == "rule bad: RuntimeError: it cannot stand this"
    assert shop.outcomes("good") == [(1, "sent")]
    assert shop.lane.journeys["u1"].episodes == {}
    assert shop.counts["failed", "bad"] == shop.counts["dead", "rule_failed"] == 1


def test_a_touch_that_fails_leaves_the_bad_ones_wait_as_it_was() -> None:
    """It has not seen the second view: its reminder comes half an hour after the first."""
    bad = _bad(quiet={"after": "30m", "opens": ["view"], "when": "event.value > 1"})
    fails_once = Condition("once", lambda scene: scene.event.value == 1 or _fails(scene))
    bad = replace(bad, trigger=replace(bad.trigger, when=fails_once))
    good = _good(**TRIGGERS["at the end of a wait"])
    shop = Shop([bad, good], a_policy()).read(a_view(value=1), a_view(at=NOON + HOUR // 4, value=2))
    assert shop.dead[0]["rules"] == ["bad"]
    shop.until(NOON + DAY)
    due = [(d["rule"], d["due"]) for d in shop.decisions]
    assert due == [("bad", "2024-03-01T12:30:00.000Z"), ("good", "2024-03-01T12:45:00.000Z")]
    assert len(shop.dead) == 1


def test_a_becoming_that_fails_does_not_stop_the_next() -> None:
    """Two rules of states, the first of which fails."""
    bad = replace(_bad(steps=BY_STATE, **STATES), condition=FAILS)
    shop = Shop([bad, _good(steps=BY_STATE, **STATES)], a_policy()).read(a_view())
    assert [letter["rules"] for letter in shop.dead] == [["bad"]]
    assert len(shop.sent("good", operation="add")) == 1


def test_all_that_fail_at_one_event_share_a_dead_letter() -> None:
    """It names both, each with its first error, in the order in which they failed."""
    rules = [
        replace(_bad(rule=name, priority=p, event="view"), condition=FAILS)
        for name, p in (("a", 1), ("b", 2))
    ]
    shop = Shop([*rules, _good(event="view")], a_policy()).read(a_profile(**TELLS), a_view())
    assert [letter["rules"] for letter in shop.dead] == [["b", "a"]]
    assert shop.dead[0]["detail"].count("it cannot stand this") == 2


def _audiences_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of a step's two candidates fails after the first was sent."""
    settle = deciding._settle  # noqa: SLF001 - a bug is planted there

    def failing(journey: Any, candidate: Any, moment: Any) -> None:  # noqa: ANN401
        if candidate.rule.name == "bad" and candidate.audience is not None:
            raise RuntimeError(f"half done, {object()}")
        settle(journey, candidate, moment)

    monkeypatch.setattr(deciding, "_settle", failing)


@pytest.mark.parametrize("where", ["at an event", "at the end of a wait"])
def test_half_a_decision_is_taken_back(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bad one had sent is not sent, counts for no cap, rate or ceiling, and is in no metric."""
    _audiences_fail(monkeypatch)
    bad, good = _bad(steps=BOTH, ceiling="9/1h", **TRIGGERS[where]), _good(**TRIGGERS[where])
    policy = a_policy(pace={"push": 1_000_000}, lanes=1)
    shop = Shop([bad, good], policy).read(a_profile(**TELLS), a_view()).until(NOON + HOUR)
    alone = Shop([good], policy).read(a_profile(**TELLS), a_view()).until(NOON + HOUR)
    assert [letter["rules"] for letter in shop.dead] == [["bad"]]
    assert {m["rule"] for m in shop.messages} == {d["rule"] for d in shop.decisions} == {"good"}
    assert [m["not_before"] for m in shop.messages] == [m["not_before"] for m in alone.messages]
    mine, theirs = shop.lane.journeys["u1"], alone.lane.journeys["u1"]
    assert [s.rule for s in mine.sends] == [s.rule for s in theirs.sends] == ["good"]
    assert (mine.audiences, mine.marks, shop.lane.risen, shop.lane.paced) == ([], {}, {}, alone.lane.paced)
    assert (
        not +shop.counts & {("message", "bad", "push", "send"): 1, ("decision", "bad", "sent", ""): 1}.keys()
    )


def test_a_dead_letter_has_no_addresses_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay comes to the same bytes."""
    _audiences_fail(monkeypatch)
    letters = []
    for _ in range(2):
        shop = Shop([_bad(steps=BOTH, event="view")], a_policy())
        letters.append(shop.read(a_profile(**TELLS, id="p"), a_view(id="v")).dead)
    assert letters[0] == letters[1]
    assert letters[0][0]["detail"] == "rule bad: RuntimeError: half done, <object object at 0x>"


def test_an_audience_is_kept_when_the_next_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always exactly one: the old one is left only with the decision for the new one."""
    states = {"becomes": {"bought": "person.purchases > 0", "seen": "session.events > 0"}}
    steps = [{"audience": {"by_state": {"seen": "seen", "bought": "bought"}}}]
    shop = Shop([_bad(steps=steps, **states)], a_policy()).read(a_profile(**TELLS), a_view())
    _audiences_fail(monkeypatch)
    shop.read(a_purchase("p1"))
    journey = shop.lane.journeys["u1"]
    assert ([m.audience for m in journey.audiences], journey.states["bad"]) == (["seen"], "seen")
    assert shop.sent("bad", operation="remove") == []
    monkeypatch.undo()
    shop.read(a_view())
    assert [m.audience for m in journey.audiences] == ["bought"]


def test_an_ending_that_cannot_be_judged_ends_what_is_open() -> None:
    """Nobody is written to after what may have been an ending; other rules' endings hold as ever."""
    quiet = {
        "quiet": {"after": "30m", "opens": ["add"]},
        "subject": "cart",
        "unless": [{"when": "cart.size == 0"}],
    }
    bad, good = _bad(**quiet), _good(**quiet)
    bad = replace(bad, unless=(replace(bad.unless[0], when=FAILS),))
    shop = Shop([bad, good], a_policy()).read(a_profile(**TELLS), an_add(), a_view())
    assert [letter["rules"] for letter in shop.dead] == [["bad"]]
    assert set(shop.lane.journeys["u1"].episodes) == {"good"}
    shop.until(NOON + HOUR)
    assert {d["rule"] for d in shop.decisions} == {"good"}


def test_erasure_is_done_whatever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event changes the facts although a message that waits for the morning cannot be closed."""
    night = a_policy(quiet_hours=QuietHours(start=0, end=24 * 60 - 1))
    shop = Shop([_bad(event="view")], night).read(a_profile(**TELLS), a_view())
    assert len(shop.lane.journeys["u1"].deferred) == 1

    def failing(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(deciding, "_settle", failing)
    shop.read(an_event("erase"))
    journey = shop.lane.journeys["u1"]
    assert (journey.erased, journey.traits, journey.deferred) == (True, {}, [])
    assert [letter["rules"] for letter in shop.dead] == [["bad"]]


def test_the_event_of_a_failing_rule_changes_the_facts() -> None:
    """Consent that comes with an event that a rule cannot stand is heard."""
    bad = replace(_bad(event="consent"), condition=FAILS)
    shop = Shop([bad]).read(a_consent("denied"))
    assert shop.lane.journeys["u1"].consents["*|*"].granted is False
