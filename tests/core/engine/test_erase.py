"""Erasure: what is forgotten, what is not, and what comes after."""

from __future__ import annotations

from typing import Final

import pytest

from retarget.engine.policy import QuietHours
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_profile, a_purchase, a_view, an_add, an_event

EVERY_VIEW: Final = a_rule(
    rule="every_view", subject="person", event="view", description="x",
    steps=[{"channels": ["email"], "template": "x"}],
)  # fmt: skip


def test_erase_forgets_all_that_a_person_did() -> None:
    """Nothing that the person did, said or got is left in the journey."""
    life = [a_profile(email="u@example.org"), an_add(), a_view(), a_purchase("p1"), a_consent("granted")]
    shop = Shop().read(*life, an_event("erase", at=NOON + HOUR))
    journey = shop.lane.journeys["u1"]
    blank = Journey(person="u1")
    for name in (
        "traits",
        "carts",
        "products",
        "orders",
        "sends",
        "audiences",
        "deferred",
        "consents",
        "first",
    ):
        assert getattr(journey, name) == getattr(blank, name), name
    assert journey.erased


def test_what_waited_is_not_sent() -> None:
    """An open episode is gone with the rest."""
    shop = Shop().read(an_add(), an_event("erase", at=NOON + 1)).until(NOON + 30 * DAY)
    assert not shop.sent()


def test_what_was_deferred_has_its_final_record() -> None:
    """A message that waits for the morning is closed at once."""
    rule, late = EVERY_VIEW, NOON + 10 * HOUR
    shop = Shop([rule], a_policy(quiet_hours=QuietHours())).read(a_view(at=late))
    shop.read(an_event("erase", at=late + 1)).until(NOON + DAY)
    assert [d["outcome"] for d in shop.decisions] == ["deferred", "suppressed"]
    assert {d["decision_id"] for d in shop.decisions} == {shop.decisions[0]["decision_id"]}


def test_the_erased_leave_every_audience_at_once() -> None:
    """No ad service keeps somebody whom we have forgotten."""
    shop = Shop().read(an_add(at=NOON)).until(NOON + HOUR).read(an_event("erase", at=NOON + 2 * HOUR))
    joined = [m["audience"] for m in shop.sent(operation="add")]
    assert sorted(joined) == ["cart-left", "stage-carted"]
    assert sorted(m["audience"] for m in shop.sent(operation="remove")) == sorted(joined)


def test_the_erased_get_no_marketing_until_they_ask_for_it() -> None:
    """Consent that is only assumed does not hold for them; their own new word does."""
    shop = Shop([EVERY_VIEW], a_policy(consent_assumed=True))
    shop.read(an_event("erase", at=NOON), a_view(at=NOON + 1))
    assert shop.outcomes() == [(1, "no_consent")]
    shop.read(a_consent("granted", at=NOON + 2), a_view(at=NOON + 3))
    assert shop.outcomes() == [(1, "no_consent"), (1, "sent")]


def test_a_purchase_after_erasure_is_not_a_first_one_again() -> None:
    """What may come once per subject has come: marks of `again: never` outlive erasure."""
    once = a_rule(
        rule="once", subject="person", event="view", again="never", purpose="service", description="x",
        steps=[{"channels": ["service"], "template": "x"}],
    )  # fmt: skip
    shop = Shop([once]).read(a_view(at=NOON), an_event("erase", at=NOON + 1), a_view(at=NOON + 2))
    assert shop.outcomes() == [(1, "sent"), (1, "again")]


def test_what_is_left_of_the_erased_waits_for_nothing() -> None:
    """Neither is a wait stored for them, nor what they had to do with which product."""
    shop = Shop().read(a_view(), a_view(), a_view(), an_add("p2"))
    assert shop.waits["u1"]
    shop.read(an_event("erase", at=NOON + 1))
    left = shop.lane.journeys["u1"]
    assert left == Journey(person="u1", erased=True, erased_at=left.erased_at)
    assert shop.waits == {"u1": None}
    assert shop.until(NOON + 500 * DAY).lane.journeys["u1"].erased


def test_what_was_told_of_the_time_before_stays_forgotten() -> None:
    """An old topic that is read once more, or a late copy, brings nobody back; what is new counts."""
    shop = Shop().read(an_add(at=NOON), an_event("erase", at=NOON + HOUR))
    shop.read(an_add("p2", at=NOON + 1), a_profile(at=NOON + 2, email="u@example.org"))
    journey = shop.lane.journeys["u1"]
    assert (journey.products, journey.traits, journey.alarm) == ({}, {}, 0)
    assert shop.counts["ignored", "erased"] == 2
    shop.read(a_view("p3", at=NOON + 2 * HOUR))
    assert set(shop.lane.journeys["u1"].products) == {"p3"}


def test_what_may_not_have_been_handed_over_is_called_back() -> None:
    """Nobody is written to once they are forgotten; what has run out is left alone, and no address told."""
    short = a_rule(
        rule="short", subject="person", event="view", description="x", expires="1h", priority=90,
        steps=[{"channels": ["email"], "template": "x"}],
    )  # fmt: skip
    shop = Shop([EVERY_VIEW, short]).read(a_profile(email="u@example.org"), a_view(at=NOON + 1))
    first, second = shop.sent()
    assert {first["rule"], second["rule"]} == {"short", "every_view"}
    shop.read(an_event("erase", at=NOON + 2 * HOUR))
    (recall,) = shop.sent(operation="recall")
    assert (recall["rule"], recall["recall_of"]) == (
        "every_view",
        next(m["message_id"] for m in (first, second) if m["rule"] == "every_view"),
    )
    assert (recall["to"], recall["products"], recall["context"]) == ({}, [], {})
    left = shop.lane.journeys["u1"]
    assert left == Journey(person="u1", erased=True, erased_at=left.erased_at)
    shop.read(an_event("erase", at=NOON + 3 * HOUR))
    assert len(shop.sent(operation="recall")) == 1


def test_a_notice_is_taken_away_from_where_it_is_shown() -> None:
    """A push that has come can be found by its device alone."""
    by_push = a_rule(
        rule="by_push", subject="person", event="view", description="x",
        steps=[{"channels": ["push"], "template": "x"}],
    )  # fmt: skip
    shop = Shop([by_push]).read(a_profile(push_token="t"), a_view(at=NOON + 1))  # noqa: S106 - no secret
    shop.read(an_event("erase", at=NOON + HOUR))
    assert [m["to"] for m in shop.sent(operation="recall")] == [{"push_token": "t"}]


@pytest.mark.parametrize(
    "kind", ["email_delivered", "email_open", "email_bounce", "push_received", "push_bounce"]
)
def test_what_came_of_messages_brings_nobody_back(kind: str) -> None:
    """A service tells of what it sent before; whoever has done something since is known by it again."""
    shop = Shop().read(an_add(at=NOON), an_event("erase", at=NOON + HOUR))
    shop.read(an_event(kind, at=NOON + 2 * HOUR, campaign={"message_id": "m"}))
    left = shop.lane.journeys["u1"]
    assert left == Journey(person="u1", erased=True, erased_at=left.erased_at)
    assert shop.counts["ignored", "erased"] == 1
    shop.read(a_view(at=NOON + 3 * HOUR), an_event(kind, at=NOON + 4 * HOUR))
    assert len(shop.lane.journeys["u1"].recent_marks) == 2


@pytest.mark.parametrize("kind", ["email_click", "push_open", "unsubscribe", "email_spam", "view"])
def test_what_the_erased_do_themselves_counts(kind: str) -> None:
    """They are there again, as somebody new."""
    shop = Shop().read(an_add(at=NOON), an_event("erase", at=NOON + HOUR))
    shop.read(an_event(kind, at=NOON + 2 * HOUR))
    assert len(shop.lane.journeys["u1"].recent_marks) == 1
