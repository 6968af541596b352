"""Double opt-in: a grant counts when whoever owns the address has confirmed it."""

from __future__ import annotations

from typing import Final

import pytest

from retarget.engine import reach
from retarget.engine.policy import Policy
from retarget.journeys.model import Consent
from retarget.times import HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_profile, an_event

ASK: Final = a_rule(
    rule="confirm_consent", subject="person", event="consent", purpose="transactional", description="x",
    again="1h", steps=[{"channels": ["email"], "template": "confirm"}],
    **{"if": '"email" in person.unconfirmed'},
)  # fmt: skip
POLICY: Final = a_policy(
    consent_assumed=False, double_opt_in=frozenset({"email"}), confirmed_by="confirm_consent"
)


def word(state: str, at: int = NOON, channel: str | None = "email", purpose: str = "marketing") -> Event:
    """A word of consent with its grounds."""
    said = {"purpose": purpose, "channel": channel, "state": state, "basis": "form", "text_version": "v3"}
    return an_event("consent", at=at, consent={k: v for k, v in said.items() if v is not None})


def a_shop(policy: Policy = POLICY) -> Shop:
    """Somebody with an address, who is asked by mail."""
    return Shop([ASK], policy).read(a_profile(at=NOON - 1, email="u@example.org"))


def may(shop: Shop, channel: str = "email") -> bool:
    """Whether marketing may use the channel."""
    return reach.may_address(shop.lane.journeys["u1"], "marketing", channel, shop.policy)


@pytest.mark.parametrize(
    ("state", "policy"), [("granted", POLICY), ("pending", a_policy(consent_assumed=False))]
)
def test_a_grant_asks_first(state: str, policy: Policy) -> None:
    """With the setting, or where the producer says that it is pending: a mail asks, nothing else is sent."""
    shop = a_shop(policy).read(word(state))
    assert [m["rule"] for m in shop.sent()] == ["confirm_consent"]
    assert not may(shop)
    assert shop.counts["ignored", "consent"] == 0


def test_a_click_in_that_mail_confirms_with_its_grounds() -> None:
    """Its own time, the basis and the text of the form; another mail's click confirms nothing."""
    shop = a_shop().read(word("granted"))
    (mail,) = shop.sent()
    shop.read(an_event("email_click", at=NOON + MINUTE, campaign={"message_id": "another"}))
    assert not may(shop)
    shop.read(an_event("email_click", at=NOON + HOUR, campaign={"message_id": mail["message_id"]}))
    assert may(shop)
    journey = shop.lane.journeys["u1"]
    assert journey.consents == {
        "marketing|email": Consent(granted=True, at=NOON + HOUR, basis="form", text_version="v3")
    }
    assert journey.asked == {}


def test_a_confirmation_by_the_producer_counts_if_something_was_asked() -> None:
    """And only then: it is counted as unread otherwise."""
    shop = a_shop().read(word("confirmed", NOON - HOUR))
    assert (may(shop), shop.counts["ignored", "consent"]) == (False, 1)
    assert may(shop.read(word("granted"), word("confirmed", NOON + MINUTE)))


@pytest.mark.parametrize("kind", ["consent", "unsubscribe", "email_spam"])
def test_a_withdrawal_ends_the_asking(kind: str) -> None:
    """A click in the mail of before confirms nothing any more, in whichever way they said no."""
    shop = a_shop().read(word("granted"))
    (mail,) = shop.sent()
    shop.read(word("denied", NOON + MINUTE) if kind == "consent" else an_event(kind, at=NOON + MINUTE))
    shop.read(an_event("email_click", at=NOON + HOUR, campaign={"message_id": mail["message_id"]}))
    assert not may(shop)


def test_what_is_confirmed_stays_so_and_other_channels_need_none() -> None:
    """A form that is filled in once more does not take back what holds; a word on all channels is asked."""
    shop = a_shop().read(word("granted"), word("confirmed", NOON + 1), word("granted", NOON + 2))
    assert may(shop)
    assert may(shop.read(word("pending", NOON + 3)))
    assert may(shop.read(word("granted", NOON + 4, "sms")), "sms")
    assert not may(a_shop().read(word("granted", channel=None)), "push")


def test_service_mail_is_not_asked_for() -> None:
    """The setting is about marketing."""
    assert not a_shop().read(word("granted", purpose="service")).lane.journeys["u1"].asked
