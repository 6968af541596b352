"""A word of consent on an event about something else: it may take back, and only an account's may give."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.engine import reach
from retarget.times import HOUR
from tests.core.shop import Shop, a_policy
from tests.factories import NOON, Event, a_consent, an_event

_POLICY: Final = a_policy(consent_assumed=False)


def stamped(kind: str, **said: Any) -> Event:  # noqa: ANN401 - JSON
    """An event, an hour later, with a word about marketing."""
    return an_event(kind, at=NOON + HOUR, consent={"purpose": "marketing"} | said)


def allowed(*events: Event) -> list[str]:
    """The channels on which marketing may be sent after these events."""
    journey = Shop([], _POLICY).read(*events).lane.journeys["u1"]
    return [one for one in ("email", "push", "ads") if reach.may_address(journey, "marketing", one, _POLICY)]


@pytest.mark.parametrize("kind", ["view", "page", "identify", "profile", "purchase"])
@pytest.mark.parametrize("state", ["denied", "revoked"])
def test_a_no_is_heard_wherever_it_stands(kind: str, state: str) -> None:
    """A banner's denial comes with every event of the site."""
    assert allowed(a_consent("granted"), stamped(kind, state=state, channel="ads")) == ["email", "push"]


@pytest.mark.parametrize(
    ("kind", "heard"), [("identify", True), ("profile", True), ("view", False), ("page", False)]
)
def test_a_yes_is_heard_of_an_account_only(kind: str, heard: bool) -> None:  # noqa: FBT001 - of the table
    """What a banner knows must not override the link in a mail with which somebody unsubscribed."""
    no = a_consent("revoked", purpose="marketing", channel="email")
    assert allowed(no, stamped(kind, state="granted", channel="email")) == (["email"] if heard else [])


@pytest.mark.parametrize("said", [{}, {"state": "analytics"}, {"state": None}, {"state": 7}])
def test_what_says_no_state_says_nothing(said: dict[str, Any]) -> None:
    """On a `consent` event it would be a no; elsewhere it may be about anything."""
    assert allowed(a_consent("granted"), stamped("view", **said)) == ["email", "push", "ads"]


def test_a_score_speaks_of_itself() -> None:
    """Its consent is about what the third party may hand on."""
    assert allowed(a_consent("granted"), stamped("score", state="revoked")) == ["email", "push", "ads"]


@pytest.mark.parametrize("kind", ["consent", "identify"])
def test_each_channel_has_a_state_of_its_own(kind: str) -> None:
    """As producers keep them."""
    said = {"channels": {"email": "granted", "push": "revoked", "ads": "granted"}}
    assert allowed(a_consent("granted", channel="push"), stamped(kind, **said)) == ["email", "ads"]


@pytest.mark.parametrize("channels", [{}, "email", 7, ["email"], {str(n): "granted" for n in range(21)}])
def test_channels_that_cannot_be_read_allow_nothing(channels: object) -> None:
    """Nor as many as nobody has; that is a no to everything, as any word that is unclear."""
    assert allowed(a_consent("granted"), stamped("consent", channels=channels)) == []
