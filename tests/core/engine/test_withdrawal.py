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


@pytest.mark.parametrize("word", ["consent", "erase"])
def test_what_a_rule_did_that_is_gone_is_taken_back_too(word: str) -> None:
    """Audiences and messages outlive their rule; nobody stays there who has withdrawn, or is forgotten."""
    shop = Shop([EVERY_VIEW, *shipped(CART)]).read(a_profile(email="u@example.org"), an_add(at=NOON))
    shop.read(a_view(at=NOON + 1)).until(NOON + HOUR)
    later = shop.under([SERVICE])
    event = said(NOON + 2 * HOUR, "revoked") if word == "consent" else an_event(word, at=NOON + 2 * HOUR)
    later.read(event).until(NOON + DAY)
    mails = [("recall", send["rule"]) for send in shop.sent()]
    assert {("recall", "every_view"), ("recall", "abandoned_cart")} >= {*mails} >= {("recall", "every_view")}
    assert sorted(undone(later)) == sorted([*mails, ("remove", "cart-left")])
    assert {m["to"]["email"] for m in later.sent(operation="remove")} == {"u@example.org"}
    assert {m["subject"]["kind"] for m in later.messages} == {"person"}


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


def told(shop: Shop, rule: str = "abandoned_cart") -> list[tuple[Any, ...]]:
    """What came of each step's message in the end."""
    final = [d for d in shop.final(rule) if d["operation"] == "send"]
    return [(d["step"], d["outcome"], d["reason"] or d["channel"]) for d in final]


def a_cart_of_one_who_is_reached() -> Shop:
    """By mail and by push, an hour before the reminder's second step at least."""
    reached = a_profile(email="u@example.org", push_token="t", at=NOON - 1)  # noqa: S106 - no secret
    return Shop(shipped(CART)).read(reached, an_add(at=NOON))


def test_whoever_agrees_again_does_not_get_what_was_open() -> None:
    """The cart of before the withdrawal is not told of; what is put in after it is."""
    shop = a_cart_of_one_who_is_reached()
    shop.read(said(NOON + 10 * MINUTE, "revoked"), said(NOON + 15 * MINUTE, "granted"))
    shop.until(NOON + 4 * DAY)
    assert told(shop) == [(step, "suppressed", "no_consent") for step in (1, 2, 3)]
    assert not shop.sent()
    shop.read(an_add("p2", at=NOON + 5 * DAY)).until(NOON + 6 * DAY)
    assert [m["step"] for m in shop.sent(operation="send")] == [1]


def test_a_touch_after_the_withdrawal_opens_anew() -> None:
    """Who goes on putting things into the cart, and agrees, is reminded of it."""
    shop = a_cart_of_one_who_is_reached()
    shop.read(said(NOON + 10 * MINUTE, "revoked"), an_add("p2", at=NOON + 12 * MINUTE))
    shop.read(said(NOON + 15 * MINUTE, "granted")).until(NOON + HOUR)
    assert told(shop) == [(1, "sent", "push")]


def test_later_steps_go_on_over_another_channel() -> None:
    """Pushes were withdrawn, and allowed again: what was open leaves by mail; a touch opens nothing."""
    shop = a_cart_of_one_who_is_reached().until(NOON + HOUR)
    shop.read(said(NOON + 2 * HOUR, "revoked", "push"), said(NOON + 3 * HOUR, "granted", "push"))
    shop.read(an_add("p2", at=NOON + 4 * HOUR)).until(NOON + 4 * DAY)
    assert told(shop) == [(1, "sent", "push"), (2, "sent", "email"), (3, "sent", "email")]
    gates = {gate["gate"]: gate for gate in shop.final("abandoned_cart")[-1]["gates"]}
    seen = gates["no_consent"]
    assert (seen["value"], seen["limit"]) == (["email"], {"marketing": {"withdrawn": ["push"]}})


def test_what_waits_for_the_morning_does_not_come_back() -> None:
    """Withdrawn in the night, and granted again before the morning."""
    late = NOON + 10 * HOUR
    shop = Shop([EVERY_VIEW], a_policy(quiet_hours=QuietHours(), consent_assumed=False))
    shop.read(a_consent("granted", at=late), a_profile(email="u@example.org", at=late), a_view(at=late + 1))
    shop.read(said(late + HOUR, "revoked"), said(late + 2 * HOUR, "granted", "email")).until(NOON + 2 * DAY)
    assert told(shop, "every_view") == [(1, "suppressed", "no_consent")]


def test_a_no_that_comes_late_has_ended_it_all_the_same() -> None:
    """The yes after it was heard first."""
    shop = a_cart_of_one_who_is_reached()
    shop.read(said(NOON + 15 * MINUTE, "granted", "push"), said(NOON + 15 * MINUTE, "granted", "email"))
    shop.read(said(NOON + 10 * MINUTE, "denied", "push")).until(NOON + HOUR)
    assert told(shop) == [(1, "sent", "email")]


def test_what_is_taken_back_in_the_same_moment_is_no_withdrawal() -> None:
    """A form that tells every channel: a no to all, and a yes to one."""
    shop = a_cart_of_one_who_is_reached()
    shop.read(said(NOON + MINUTE, "denied"), said(NOON + MINUTE, "granted", "email")).until(NOON + HOUR)
    assert told(shop) == [(1, "sent", "email")]


def test_a_stored_day_is_not_open_before_it_comes() -> None:
    """Whoever has agreed again by then is greeted."""
    greeting = a_rule(
        rule="greeting", subject="person", date={"trait": "birthday", "every": "year"}, description="x",
        steps=[{"channels": ["email"], "template": "x"}],
    )  # fmt: skip
    shop = Shop([greeting]).read(a_profile(email="u@example.org", birthday="1990-03-05", at=NOON))
    shop.read(said(NOON + HOUR, "revoked"), said(NOON + 2 * HOUR, "granted")).until(NOON + 5 * DAY)
    assert told(shop, "greeting") == [(1, "sent", "email")]


def test_a_withdrawal_is_known_after_a_merge() -> None:
    """The no was said on one side, the yes on the other."""
    shop = a_cart_of_one_who_is_reached()
    shop.read(said(NOON + 5 * MINUTE, "denied", person="a1"), said(NOON + 10 * MINUTE, "granted"))
    shop.read(an_event("identify", at=NOON + 15 * MINUTE, anonymous_id="a1")).until(NOON + HOUR)
    assert told(shop) == [(1, "suppressed", "no_consent")]
