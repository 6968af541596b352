"""`on_change: finish`: an open episode goes on as its own version says, whatever was published since."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from retarget.engine.policy import QuietHours
from retarget.rules.model import Quiet, Rule, Step
from retarget.rules.versions import version_of
from retarget.times import DAY, HOUR, MINUTE
from streams.lanes.rollout import Rollout
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, a_checkout, a_profile, a_purchase, a_view, an_add

(SHIPPED,) = shipped(frozenset({"abandoned_cart"}))


def another(rule: Rule, after: int | None = None, **changes: Any) -> Rule:  # noqa: ANN401 - any key of a rule
    """The rule with another wait or other keys, and the version that it has then."""
    if after is not None:
        assert isinstance(rule.trigger, Quiet)
        changes["trigger"] = replace(rule.trigger, after=after)
    changed = replace(rule, **changes)
    return replace(changed, version=version_of(changed))


FIRST: Final = another(SHIPPED, on_change="finish")
PATIENT: Final = another(FIRST, HOUR)
SHORT: Final = another(FIRST, steps=FIRST.steps[:1])
CARRIED: Final = Rollout(former=(FIRST,))


def versions(shop: Shop) -> list[tuple[int, str, str]]:
    """Step, outcome and version of each message's decision."""
    return [(d["step"], d["outcome"], d["rule_version"]) for d in shop.final() if d["operation"] == "send"]


def test_waits_and_steps_are_those_of_the_version_that_opened() -> None:
    """Also after a touch; and the steps that the new version has not got."""
    before = Shop([FIRST], a_policy()).read(an_add("p1", at=NOON))
    after = before.under([SHORT], rollout=CARRIED).read(an_add("p2", at=NOON + 10 * MINUTE))
    after.until(NOON + 30 * DAY)
    assert versions(after) == [(step, "sent", FIRST.version) for step in (1, 2, 3)]
    assert {m["rule_version"] for m in after.sent()} == {FIRST.version}

    touched = before.under([PATIENT], rollout=CARRIED).read(an_add("p2", at=NOON + 10 * MINUTE))
    assert touched.until(NOON + 45 * MINUTE).outcomes() == [(1, "sent")]


def test_what_opens_afterwards_is_the_new_versions() -> None:
    """Another person, and the same one when the old episode is over."""
    before = Shop([FIRST], a_policy()).read(an_add(at=NOON))
    after = before.under([SHORT], rollout=CARRIED).read(an_add(at=NOON + MINUTE, person="u2"))
    after.read(a_purchase(at=NOON + DAY), an_add(at=NOON + 3 * DAY)).until(NOON + 30 * DAY)
    by_person: dict[str, list[tuple[int, str]]] = {d["person"]: [] for d in after.final()}
    for decision in after.final():
        if decision["operation"] == "send":
            by_person[decision["person"]].append((decision["step"], decision["rule_version"]))
    assert by_person["u2"] == [(1, SHORT.version)]
    assert by_person["u1"] == [(1, FIRST.version), (1, SHORT.version)]


def test_without_the_old_version_it_is_evaluated_anew_and_counted() -> None:
    """A bundle keeps some versions only."""
    before = Shop([FIRST], a_policy()).read(an_add(at=NOON))
    after = before.under([SHORT]).until(NOON + 30 * DAY)
    assert versions(after) == [(1, "sent", SHORT.version)]
    assert after.counts["taken_over", "abandoned_cart"] == 1


def test_a_rule_that_does_not_say_so_is_evaluated_anew() -> None:
    """Even where its old version is at hand."""
    before = Shop([SHIPPED], a_policy()).read(an_add(at=NOON))
    after = before.under([SHORT], rollout=Rollout(former=(SHIPPED,))).until(NOON + 30 * DAY)
    assert versions(after) == [(1, "sent", SHORT.version)]
    assert after.counts["taken_over", "abandoned_cart"] == 0


def test_endings_are_those_of_the_version_that_opened() -> None:
    """A purchase is no ending of the new version, and a new ending none of the old one."""
    other = another(FIRST, unless=another(SHIPPED, unless=SHIPPED.unless[1:]).unless)
    before = Shop([FIRST], a_policy()).read(an_add(at=NOON))
    bought = before.under([other], rollout=CARRIED).read(a_purchase(at=NOON + MINUTE))
    assert bought.until(NOON + 30 * DAY).outcomes() == []

    endless = another(FIRST, unless=())
    opened = Shop([endless], a_policy()).read(an_add(at=NOON))
    carried = Rollout(former=(endless,))
    after = opened.under([FIRST], rollout=carried).read(a_checkout("p1", at=NOON + MINUTE))
    assert after.until(NOON + HOUR).outcomes() == [(1, "sent")]


def test_what_is_known_early_is_judged_by_the_version_that_opened() -> None:
    """A purchase that is read and held closes what the old version ends by it, and only that."""
    endless = another(FIRST, unless=())
    before = Shop([FIRST], a_policy(), lateness=HOUR)
    before.read(an_add(at=NOON), a_view(at=NOON + HOUR, person="u9"))
    after = before.under([endless], HOUR, CARRIED)
    after.read(a_purchase(at=NOON + 40 * MINUTE), a_view(at=NOON + 95 * MINUTE, person="u9"))
    assert after.outcomes() == [(1, "closed")]


def test_what_waits_for_the_morning_goes_on_as_it_was() -> None:
    """The message of the night is the old version's, though the new one has no such step."""
    two = another(FIRST, steps=(FIRST.steps[0], replace(FIRST.steps[1], after=10 * HOUR)))
    before = Shop([two], a_policy(quiet_hours=QuietHours(spread=1))).read(an_add(at=NOON))
    before.until(NOON + 12 * HOUR)
    assert [d["step"] for d in before.decisions if d["outcome"] == "deferred"] == [2]
    after = before.under([SHORT], rollout=Rollout(former=(two,))).until(NOON + 3 * DAY)
    assert versions(after) == [(2, "sent", two.version)]

    again = before.under([SHORT], rollout=Rollout(former=(two,))).read(a_purchase(at=NOON + 13 * HOUR))
    assert again.until(NOON + 3 * DAY).outcomes() == [(2, "closed")]


def test_a_count_goes_on_while_an_old_series_does() -> None:
    """Step 2 of the old version; the new version begins its count afresh at an ending."""
    later = Step(after=DAY, channels=("email",), template="b")
    first = a_rule(
        rule="looks", subject="product", count={"of": "view", "at_least": 2, "within": "24h"},
        on_change="finish", steps=[{"channels": ["email"], "template": "a"}],
    )  # fmt: skip
    first = another(first, steps=(*first.steps, later))
    second = another(first, steps=first.steps[:1])
    before = Shop([first], a_policy()).read(a_view(at=NOON), a_view(at=NOON + MINUTE))
    after = before.under([second], rollout=Rollout(former=(first,)))
    after.read(a_view(at=NOON + HOUR)).until(NOON + 3 * DAY)
    assert versions(before) == [(1, "sent", first.version)]
    assert versions(after) == [(2, "sent", first.version)]


def test_a_date_moves_the_episodes_that_wait_for_it() -> None:
    """By the shift of the version that opened them."""
    first = a_rule(
        rule="warranty", subject="person", date={"trait": "warranty_until", "before": "14d"},
        on_change="finish", steps=[{"channels": ["email"], "template": "a"}],
    )  # fmt: skip
    second = another(first, trigger=replace(first.trigger, shift=-DAY))
    before = Shop([first], a_policy()).read(a_profile(at=NOON, warranty_until="2024-04-30T00:00:00Z"))
    after = before.under([second], rollout=Rollout(former=(first,)))
    after.read(a_profile(at=NOON + HOUR, warranty_until="2024-04-20T00:00:00Z")).until(NOON + 90 * DAY)
    assert [(d["due"], d["rule_version"]) for d in after.final()] == [
        ("2024-04-06T00:00:00.000Z", first.version)
    ]


def test_a_rule_that_is_gone_finishes_nothing() -> None:
    """Whoever takes a rule out wants it to stop."""
    before = Shop([FIRST], a_policy()).read(an_add(at=NOON))
    after = before.under([], rollout=CARRIED).until(NOON + 30 * DAY)
    assert (after.dead, after.decisions) == ([], [])
