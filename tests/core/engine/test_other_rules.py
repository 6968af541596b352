"""Journeys under rules other than those that opened their episodes: nothing fails, nothing comes twice."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from retarget.engine.policy import QuietHours
from retarget.rules.model import Quiet, Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, a_wish, an_add

(CART,) = shipped(frozenset({"abandoned_cart"}))
(WISH,) = shipped(frozenset({"wishlist_reminder"}))
NIGHT: Final = QuietHours(spread=1)


def patient(rule: Rule, after: int) -> Rule:
    """The rule with another wait."""
    assert isinstance(rule.trigger, Quiet)
    return replace(rule, trigger=replace(rule.trigger, after=after), version="patient")


def test_an_open_wait_stays_and_the_next_touch_begins_the_new_one() -> None:
    """Half an hour was promised when the episode opened; whoever touches the cart again waits an hour."""
    before = Shop([CART], a_policy()).read(an_add("p1", at=NOON))
    untouched = before.under([patient(CART, HOUR)]).until(NOON + 45 * MINUTE)
    assert untouched.outcomes() == [(1, "sent")]
    assert {d["rule_version"] for d in untouched.final()} == {"patient"}

    touched = before.under([patient(CART, HOUR)]).read(an_add("p2", at=NOON + 10 * MINUTE))
    assert touched.until(NOON + 65 * MINUTE).outcomes() == []
    assert touched.until(NOON + 75 * MINUTE).outcomes() == [(1, "sent")]


def test_a_series_goes_on_with_the_steps_there_are() -> None:
    """Step 1 was sent under one version, the rest comes under the other; nothing is sent once more."""
    before = Shop([CART], a_policy()).read(an_add(at=NOON)).until(NOON + HOUR)
    longer = replace(CART, steps=(*CART.steps, replace(CART.steps[-1], after=5 * DAY)), version="longer")
    after = before.under([longer]).until(NOON + 30 * DAY)
    assert before.outcomes() + after.outcomes() == [(1, "sent"), (2, "sent"), (3, "sent"), (4, "sent")]


def test_a_step_that_is_gone_ends_the_series_and_nothing_else() -> None:
    """Step 2 waits when the rule is cut to one step; another rule's episode, due just then, stays."""
    wish = patient(WISH, 24 * HOUR)
    before = Shop([CART, wish], a_policy()).read(an_add(at=NOON), a_wish("p2", at=NOON + 30 * MINUTE))
    assert before.until(NOON + HOUR).outcomes() == [(1, "sent")]
    after = before.under([replace(CART, steps=CART.steps[:1], version="short"), wish]).until(NOON + 30 * DAY)
    assert after.dead == []
    assert [d["rule"] for d in after.final() if d["operation"] == "send"] == ["wishlist_reminder"]
    assert not after.lane.journeys["u1"].episodes


def test_a_deferred_step_that_is_gone_is_not_released() -> None:
    """Step 2 waits for the morning when the rule is cut to one step."""
    two = replace(CART, steps=(CART.steps[0], replace(CART.steps[1], after=10 * HOUR)), version="two")
    before = Shop([two], a_policy(quiet_hours=NIGHT)).read(an_add(at=NOON)).until(NOON + 12 * HOUR)
    assert [d["step"] for d in before.decisions if d["outcome"] == "deferred"] == [2]
    after = before.under([replace(two, steps=two.steps[:1])]).until(NOON + 3 * DAY)
    assert (after.dead, after.decisions) == ([], [])


def test_the_episodes_of_a_rule_that_is_gone_are_over() -> None:
    """Nothing is sent for them, also when the rule comes back; the next touch then opens a new one."""
    before = Shop([CART, WISH], a_policy()).read(a_wish("p2", at=NOON))
    without = before.under([CART]).until(NOON + 10 * DAY)
    assert (without.dead, without.decisions) == ([], [])
    back = without.under([CART, WISH]).until(NOON + 20 * DAY)
    assert back.decisions == []
    again = back.read(a_wish("p2", at=NOON + 20 * DAY)).until(NOON + 30 * DAY)
    assert [d["rule"] for d in again.final()] == ["wishlist_reminder"]
