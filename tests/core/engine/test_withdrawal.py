"""Consent that is withdrawn: what is open on that channel ends, and audiences are left, at once."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.engine.policy import QuietHours
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event, a_consent, a_profile, a_view, an_add, an_event

EVERY_VIEW: Final = a_rule(
    rule="every_view", subject="person", event="view", description="x",
    steps=[{"channels": ["email"], "template": "x"}],
)  # fmt: skip
SERVICE: Final = a_rule(
    rule="any_service", subject="person", event="view", description="x", purpose="service",
    steps=[{"channels": ["email"], "template": "x"}],
)  # fmt: skip
CART: Final = frozenset({"abandoned_cart"})


def said(at: int, state: str, channel: str | None = None, person: str = "u1") -> Event:
    """A word of consent for marketing, on one channel or all."""
    consent = {"purpose": "marketing", "state": state} | ({"channel": channel} if channel else {})
    return an_event("consent", at=at, person=person, consent=consent)


def undone(shop: Shop) -> list[tuple[str, str]]:
    """What was called back, and which audiences were left."""
    wanted = ("recall", "remove")
    return [
        (m["operation"], m.get("audience") or m["rule"]) for m in shop.messages if m["operation"] in wanted
    ]


@pytest.mark.parametrize("channel", ["ads", None])
def test_audiences_are_left_at_the_word(channel: str | None) -> None:
    """In the very batch, with its time, and no other one is joined."""
    shop = Shop(shipped(CART)).read(an_add(at=NOON)).until(NOON + HOUR)
    assert shop.sent(operation="add")
    shop.read(said(NOON + 2 * HOUR, "revoked", channel))
    left: list[dict[str, Any]] = shop.sent(operation="remove")
    assert [(m["audience"], m["due"]) for m in left] == [("cart-left", "2024-03-01T14:00:00.000Z")]
    assert not shop.lane.journeys["u1"].audiences
    shop.read(an_add("p2", at=NOON + 2 * DAY)).until(NOON + 3 * DAY)
    assert len(shop.sent(operation="add")) == 1


@pytest.mark.parametrize("kind", ["unsubscribe", "email_spam", "consent"])
def test_what_may_not_have_been_handed_over_is_called_back(kind: str) -> None:
    """On that channel only, and only what needed the consent; once."""
    shop = Shop([EVERY_VIEW, SERVICE]).read(a_profile(email="u@example.org"), a_view(at=NOON + 1))
    assert len(shop.sent()) == 2
    word = said(NOON + MINUTE, "denied", "email") if kind == "consent" else an_event(kind, at=NOON + MINUTE)
    shop.read(word, said(NOON + HOUR, "denied", "email"))
    assert undone(shop) == [("recall", "every_view")]


def test_another_channel_stays() -> None:
    """Whoever wants no mail still gets pushes, and stays in audiences."""
    shop = Shop(shipped(CART)).read(an_add(at=NOON)).until(NOON + HOUR)
    shop.read(said(NOON + 2 * HOUR, "denied", "sms"), said(NOON + 2 * HOUR, "granted", "email"))
    assert undone(shop) == []


def test_what_waits_for_the_morning_is_judged_anew() -> None:
    """Granted in the evening, withdrawn in the night: consent is judged at decision and release."""
    late = NOON + 10 * HOUR
    shop = Shop([EVERY_VIEW], a_policy(quiet_hours=QuietHours(), consent_assumed=False))
    shop.read(a_consent("granted", at=late), a_profile(email="u@example.org", at=late), a_view(at=late + 1))
    shop.read(said(late + HOUR, "revoked", "email")).until(NOON + 2 * DAY)
    assert [(d["outcome"], d["reason"]) for d in shop.decisions] == [
        ("deferred", "quiet_hours"),
        ("suppressed", "no_consent"),
    ]


def test_a_word_of_the_other_side_counts_at_a_merge() -> None:
    """Said on the phone before anybody knew whose it is: the known person leaves their audiences too."""
    shop = Shop(shipped(CART)).read(an_add(at=NOON)).until(NOON + HOUR)
    shop.read(said(NOON + 2 * HOUR, "denied", person="a1"))
    assert undone(shop) == []
    shop.read(an_event("identify", at=NOON + 3 * HOUR, anonymous_id="a1"))
    assert ("remove", "cart-left") in undone(shop)
