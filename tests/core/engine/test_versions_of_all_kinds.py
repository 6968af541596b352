"""Canaries and former versions of rules that bid, offer, fail, are guarded, yearly or of the catalogue."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from retarget.engine.policy import QuietHours
from retarget.rules.conditions import Condition
from retarget.rules.model import Catalogue, Rule
from retarget.times import DAY, HOUR, MINUTE, parse_time
from streams.lanes.rollout import Rollout, part
from tests.core.engine.test_canary import PEOPLE, SALT
from tests.core.engine.test_on_change import another
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, a_listing, a_purchase, a_view, an_event, an_item

STEPS: Final = [{"channels": ["email"], "template": "x"}]
(DROP,) = shipped(frozenset({"price_drop"}))


def at_a_view(**keys: object) -> Rule:
    """A rule that writes at every view."""
    named = {"rule": "every_view", "subject": "person", "event": "view", "steps": STEPS}
    return a_rule(**named | keys)


def someone(rules: list[Rule], rollout: Rollout, *, canary: bool) -> str:
    """Somebody in the canary, or outside."""
    drawn = part(rules, rollout.canary, rollout.share)
    return next(person for person in PEOPLE if drawn.has(person, SALT) is canary)


def told(shop: Shop) -> list[tuple[str, str, bool]]:
    """Each decision on a message as (rule, reason or outcome, in shadow)."""
    return [
        (d["rule"], d["reason"] or d["outcome"], d["shadow"])
        for d in shop.decisions
        if d["operation"] == "send"
    ]


def _fails(_scene: object) -> bool:
    raise RuntimeError("it cannot stand this")


def test_what_fails_in_shadow_is_told_under_its_version() -> None:
    """The version in force decides as if nothing were beside it."""
    live = at_a_view()
    new = replace(live, version="new", condition=Condition("bad", _fails))
    rollout = Rollout(canary=(new,), share=0.1)
    shop = Shop([live], rollout=rollout).read(a_view(person=someone([live], rollout, canary=False)))
    assert told(shop) == [("every_view", "sent", False)]
    assert [letter["rules"] for letter in shop.dead] == [["every_view~new"]]
    assert (shop.counts["failed", "every_view~new"], shop.counts["failed", "every_view"]) == (1, 0)


def test_half_a_decision_in_shadow_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a record nor a count is left of the step's message when its audience fails."""
    live = at_a_view()
    new = at_a_view(
        steps=[{"channels": ["push"], "template": "t", "audience": {"add": "seen", "expires": "7d"}}]
    )
    rollout = Rollout(canary=(new,), share=0.1)
    record = "retarget.engine.deciding._record"
    from retarget.engine import deciding

    kept = deciding._record  # noqa: SLF001

    def failing(journey: Any, candidate: Any, *rest: Any) -> Any:  # noqa: ANN401
        if candidate.shadow and candidate.audience is not None:
            raise RuntimeError("half done")
        return kept(journey, candidate, *rest)

    monkeypatch.setattr(record, failing)
    shop = Shop([live], rollout=rollout).read(a_view(person=someone([live], rollout, canary=False)))
    assert told(shop) == [("every_view", "sent", False)]
    assert [key for key, count in shop.counts.items() if key[0] == "shadow" and count] == []
    assert shop.counts["decision", "every_view", "sent", ""] == 1


def test_a_shadow_does_not_bid() -> None:
    """Worth a hundred times as much, it takes nothing from the version in force, and waits beside it."""
    live, new = at_a_view(value=1), at_a_view(value=100)
    rollout = Rollout(canary=(new,), share=0.1)
    person = someone([live], rollout, canary=False)
    shop = Shop([live], a_policy(arbitration=HOUR), rollout=rollout).read(a_view(person=person))
    assert [one.shadow for one in shop.lane.journeys[person].deferred] == [False, True]
    shop.until(NOON + DAY)
    assert told(shop) == [
        ("every_view", "outbid", False), ("every_view", "outbid", True),
        ("every_view", "sent", False), ("every_view", "sent", True),
    ]  # fmt: skip


def test_a_shadow_gives_no_code() -> None:
    """It would send, and promises nothing by that."""
    live = at_a_view()
    new = at_a_view(steps=[{**STEPS[0], "offer": {"percent": 10, "expires": "48h"}}])
    rollout = Rollout(canary=(new,), share=0.1)
    person = someone([live], rollout, canary=False)
    shop = Shop([live], rollout=rollout).read(a_view(person=person))
    assert told(shop) == [("every_view", "sent", False), ("every_view", "sent", True)]
    assert shop.lane.journeys[person].offers == []
    assert [d["offer"] for d in shop.decisions] == [None, None]


@pytest.mark.parametrize("guarded", [(True, False), (False, True)])
def test_whoever_buys_tells_the_guards_of_both_sides(guarded: tuple[bool, bool]) -> None:
    """A purchase inside keeps the rules outside going, and one outside those inside."""
    rules = [at_a_view(guarded=guarded[0])]
    rollout = Rollout(canary=(at_a_view(guarded=guarded[1]),), share=0.5)
    inside, outside = (someone(rules, rollout, canary=canary) for canary in (True, False))
    buyer, looker = (inside, outside) if guarded[0] else (outside, inside)
    shop = Shop(rules, a_policy(purchase_silence=2 * HOUR), rollout=rollout)
    assert shop.lane.engine.guarded
    shop.read(a_purchase(at=NOON, person=buyer), a_view(at=NOON + HOUR, person=looker))
    assert [reason for _, reason, shadow in told(shop) if not shadow] == ["sent"]
    shop.read(a_view(at=NOON + 3 * HOUR, person=looker))
    assert [reason for _, reason, shadow in told(shop) if not shadow] == ["sent", "paused"]


def test_what_does_not_fit_a_condition_is_counted_on_both_sides() -> None:
    """Traits of another type than the rules ask for."""
    live = at_a_view(**{"if": 'trait_number("age") > 3'})
    rollout = Rollout(canary=(at_a_view(priority=60, **{"if": 'trait_number("age") > 3'}),), share=0.5)
    inside, outside = (someone([live], rollout, canary=canary) for canary in (True, False))
    shop = Shop([live], rollout=rollout)
    for person in (inside, outside):
        shop.read(an_event("profile", person=person, traits={"age": "old"}), a_view(person=person))
    assert shop.counts["misfit", "every_view"] == 3  # outside once more in shadow


def priced(person: str, price: float, at: int = NOON) -> dict[str, Any]:
    """A view of a product at a price."""
    return a_view(at=at, person=person, items=[an_item("p1", price=price)])


def test_each_hears_of_the_catalogue_under_their_own_rules() -> None:
    """A new rule of the catalogue decides inside, and in shadow outside, where nobody would have heard."""
    rollout = Rollout(canary=(at_a_view(), DROP), share=0.1)
    rules = [at_a_view()]
    inside, outside = (someone(rules, rollout, canary=canary) for canary in (True, False))
    shop = Shop(rules, rollout=rollout).read(priced(inside, 100), priced(outside, 100))
    shop.read(a_listing(at=NOON + HOUR, price=50)).until(NOON + 2 * HOUR)
    heard = {(d["person"], d["shadow"]) for d in shop.decisions if d["rule"] == "price_drop"}
    assert heard == {(inside, False), (outside, True)}
    assert {m["person"] for m in shop.sent("price_drop")} == {inside}


def test_a_rule_of_the_catalogue_that_goes_is_heard_outside_only() -> None:
    """The canary does without it; nobody inside hears of the price."""
    rules, rollout = [at_a_view(), DROP], Rollout(canary=(at_a_view(),), share=0.1)
    inside, outside = (someone(rules, rollout, canary=canary) for canary in (True, False))
    shop = Shop(rules, rollout=rollout).read(priced(inside, 100), priced(outside, 100))
    shop.read(a_listing(at=NOON + HOUR, price=50)).until(NOON + 2 * HOUR)
    assert {(d["person"], d["shadow"]) for d in shop.final("price_drop")} == {(outside, False)}


def test_a_former_rule_of_the_catalogue_keeps_its_later_steps_only() -> None:
    """Step 2 of the old version comes; news are for the version in force."""
    later = replace(DROP.steps[0], after=DAY)
    first = another(DROP, on_change="finish", steps=(DROP.steps[0], later), again=0)
    assert isinstance(first.trigger, Catalogue)
    second = another(first, steps=first.steps[:1], trigger=replace(first.trigger, within=DAY))
    before = Shop([first]).read(priced("u1", 100), a_listing(at=NOON + HOUR, price=50))
    after = before.until(NOON + HOUR).under([second], rollout=Rollout(former=(first,)))
    after.read(priced("u2", 100, NOON + 2 * HOUR), a_listing(at=NOON + 3 * HOUR, price=20)).until(
        NOON + 2 * DAY
    )
    sent = sorted((m["person"], m["step"], m["rule_version"]) for m in after.sent())
    assert sent == [("u1", 2, first.version), ("u2", 1, second.version)]


def test_a_message_of_the_night_is_checked_as_its_own_version_says() -> None:
    """Its price has gone up again by the morning, though the rule in force no longer asks for one."""
    first = another(DROP, on_change="finish")
    second = replace(at_a_view(subject="product"), name=DROP.name)
    night = NOON + 9 * HOUR
    before = Shop([first], a_policy(quiet_hours=QuietHours(spread=1)))
    before.read(priced("u1", 100), a_listing(at=night, price=50)).until(night)
    assert [d["outcome"] for d in before.decisions] == ["deferred"]
    after = before.under([second], rollout=Rollout(former=(first,)))
    after.read(a_listing(at=night + MINUTE, price=100)).until(night + DAY)
    assert [(d["reason"], d["rule_version"]) for d in after.final()] == [("stale", first.version)]


def birthday(**keys: object) -> Rule:
    """A rule for each year's birthday, which is finished as it began."""
    said = {"rule": "birthday", "subject": "person", "steps": STEPS, "on_change": "finish"}
    return a_rule(**said | {"date": {"trait": "birthday", "every": "year"}} | keys)


def born(day: str, at: str = "2024-03-01", **traits: object) -> dict[str, Any]:
    """A profile with a birthday."""
    return an_event("profile", at=parse_time(at), traits={"birthday": day, **traits})


def visits() -> list[dict[str, Any]]:
    """Signs of life, without which nobody is kept."""
    return [an_event("page", at=parse_time(f"{year}-01-02")) for year in (2025, 2026)]


def turns(shop: Shop) -> list[tuple[str, str]]:
    """Day and version of what was sent."""
    return [
        (d["due"][:10], d["rule_version"])
        for d in shop.final()
        if d["message_id"] and d["operation"] == "send"
    ]


FIRST: Final = birthday()
EARLIER: Final = birthday(date={"trait": "birthday", "every": "year", "before": "7d"})


def test_the_year_that_is_waited_for_is_the_old_versions_and_the_next_the_new_ones() -> None:
    """A former version opens no other year."""
    before = Shop([FIRST]).read(born("1990-05-31"))
    after = before.under([EARLIER], rollout=Rollout(former=(FIRST,))).read(*visits())
    after.until(parse_time("2026-07-01"))
    assert turns(after) == [
        ("2024-05-31", FIRST.version), ("2025-05-24", EARLIER.version), ("2026-05-24", EARLIER.version)
    ]  # fmt: skip


def test_a_day_that_is_told_anew_moves_the_old_versions_turn_within_its_year() -> None:
    """Into another year, it is the turn of the version in force."""
    before, rollout = Shop([FIRST]).read(born("1990-05-31")), Rollout(former=(FIRST,))
    moved = before.under([EARLIER], rollout=rollout).read(born("1990-06-30", "2024-04-01"), *visits())
    moved.until(parse_time("2025-12-01"))
    assert turns(moved) == [("2024-06-30", FIRST.version), ("2025-06-23", EARLIER.version)]
    over = before.under([EARLIER], rollout=rollout).read(born("1990-02-20", "2024-04-01"), *visits())
    over.until(parse_time("2025-12-01"))
    assert turns(over) == [("2025-02-13", EARLIER.version)]


def test_a_year_ends_with_its_later_steps_and_goes_on_with_the_version_in_force() -> None:
    """A purchase ends the old version's series; the next year is the new one's."""
    series = [*STEPS, {**STEPS[0], "after": "3d"}]
    first, second = birthday(steps=series, unless=["purchase"]), birthday(priority=60)
    before = Shop([first]).read(born("1990-05-31")).until(parse_time("2024-06-01"))
    after = before.under([second], rollout=Rollout(former=(first,)))
    after.read(a_purchase(at=parse_time("2024-06-02")), *visits()).until(parse_time("2025-12-01"))
    assert turns(after) == [("2025-05-31", second.version)]


@pytest.mark.parametrize("bought", [True, False])
def test_a_rule_that_is_yearly_no_longer_has_no_next_year(*, bought: bool) -> None:
    """The turn of the year is finished, and that is all."""
    series = [*STEPS, {**STEPS[0], "after": "3d"}]
    first = birthday(steps=series, unless=["purchase"])
    second = birthday(date={"trait": "warranty"})
    before = Shop([first]).read(born("1990-05-31")).until(parse_time("2024-06-01"))
    after = before.under([second], rollout=Rollout(former=(first,)))
    if bought:
        after.read(a_purchase(at=parse_time("2024-06-02")))
    after.until(parse_time("2024-07-01"))
    assert after.lane.journeys["u1"].episodes == {}
    assert turns(after) == ([] if bought else [("2024-06-03", first.version)])


def test_a_former_wait_for_next_year_keeps_nobody_for_ever() -> None:
    """Of whom nothing is heard for 400 days, they are forgotten under any version."""
    before = Shop([FIRST]).read(born("1990-05-31")).until(parse_time("2024-07-01"))
    after = before.under([birthday(date={"trait": "warranty"})], rollout=Rollout(former=(FIRST,)))
    assert after.until(parse_time("2025-05-01")).lane.journeys == {}
