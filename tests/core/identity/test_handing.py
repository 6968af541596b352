"""A device in other hands: nobody is pushed to where somebody else is signed in."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.journeys import tokens
from retarget.times import DAY, HOUR, MINUTE
from tests.core.identity.test_joining import an_identify
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_purchase, a_view, an_event

HELLO = a_rule(
    rule="hello", subject="product", event="view", steps=[{"channels": ["push", "email"], "template": "t"}]
)
PHONE, TABLET = "token-of-the-phone", "token-of-the-tablet"


def told(at: int, user: str, token: object = PHONE, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Somebody signs in, and the app tells where it can be pushed to."""
    traits = {"email": f"{user}@mail.example"} | ({"push_token": token} if token else {})
    return an_identify(at, user=user, traits=traits, **fields)


def where(messages: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """To whom, by what, and to which address."""
    return [(message["person"], message["channel"], message["to"]) for message in messages]


def mail(user: str) -> tuple[str, str, dict[str, Any]]:
    """What reaches them by mail."""
    return user, "email", {"email": f"{user}@mail.example"}


def push(user: str, token: object = PHONE) -> tuple[str, str, dict[str, Any]]:
    """What reaches them by push."""
    return user, "push", {"push_token": token}


@pytest.mark.parametrize("external", [frozenset[str](), frozenset({"push", "email"})])
@pytest.mark.parametrize("token", [PHONE, "", "another-token"])
def test_the_former_owner_is_not_pushed_to(token: str, external: frozenset[str]) -> None:
    """Whatever the next one's app tells: the former owner has mails, also where others look tokens up."""
    lanes = Lanes([HELLO], a_policy(external=external)).read(told(NOON, "u1")).cross()
    lanes.read(a_view("p1", at=NOON + MINUTE, person="u1"))
    lanes.read(told(NOON + HOUR, "u2", token)).cross().stored()
    lanes.read(a_view("p2", at=NOON + 2 * HOUR, person="u1"))
    assert where(lanes.sent()) == [push("u1"), mail("u1")]
    assert lanes.sent()[1]["anonymous_id"] is None


def test_a_replay_does_the_same() -> None:
    """In one lane, on the spot."""
    shop = Shop([HELLO]).read(
        told(NOON, "u1"), a_view("p1", at=NOON + MINUTE, person="u1"), told(NOON + HOUR, "u2"),
        a_view("p2", at=NOON + 2 * HOUR, person="u1"), a_view("p3", at=NOON + 2 * HOUR + 1, person="a1"),
    ).end()  # fmt: skip
    assert where(shop.sent()) == [push("u1"), mail("u1"), push("u2")]


def test_a_token_that_the_app_tells_later_is_the_next_ones_too() -> None:
    """The first owner told it under their own id alone; the app tells it again when somebody else is in."""
    own = an_event("profile", at=NOON, person="u1", traits={"email": "u1@mail.example", "push_token": PHONE})
    lanes = Lanes([HELLO]).read(own, told(NOON + 1, "u1", "")).cross()
    lanes.read(told(NOON + HOUR, "u2", "")).cross()
    app = an_event("profile", at=NOON + HOUR + MINUTE, person="a1", traits={"push_token": PHONE})
    lanes.read(app).cross().read(a_view("p1", at=NOON + 2 * HOUR, person="u1"))
    assert where(lanes.sent()) == [mail("u1")]


def test_tokens_of_an_anonymous_past_are_the_devices() -> None:
    """The app told its token before anybody had signed in."""
    app = an_event("profile", at=NOON, person="a1", traits={"push_token": PHONE})
    lanes = Lanes([HELLO]).read(app, told(NOON + 1, "u1", "")).cross()
    lanes.read(a_view("p1", at=NOON + MINUTE, person="u1"), told(NOON + HOUR, "u2", "")).cross()
    lanes.read(a_view("p2", at=NOON + 2 * HOUR, person="u1"))
    assert where(lanes.sent()) == [push("u1"), mail("u1")]


def test_other_devices_stay() -> None:
    """Who has a tablet of their own is pushed to there, and only there."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross()
    both = {"push_tokens": [{"platform": "android", "token": PHONE}, {"token": TABLET}], "push_token": None}
    lanes.read(an_event("profile", at=NOON + 1, person="u1", traits=both)).read(told(NOON + HOUR, "u2"))
    lanes.cross().read(a_view("p1", at=NOON + 2 * HOUR, person="u1"))
    assert where(lanes.sent()) == [("u1", "push", {"push_tokens": [{"token": TABLET}]})]


def test_who_signs_in_once_more_has_it_back() -> None:
    """A phone that two people share is pushed to for whoever was the last to sign in."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross().read(told(NOON + HOUR, "u2")).cross()
    lanes.read(told(NOON + 2 * HOUR, "u1")).cross()
    lanes.read(a_view("p1", at=NOON + 3 * HOUR, person="u1"), a_view("p2", at=NOON + 3 * HOUR, person="u2"))
    assert where(lanes.sent()) == [push("u1"), mail("u2")]


def test_a_word_that_comes_late_takes_nothing_from_who_is_back() -> None:
    """The first owner has signed in again before their lane hears that the second did."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross().read(told(NOON + HOUR, "u2"))
    lanes.read(told(NOON + 2 * HOUR, "u1")).cross()
    lanes.read(a_view("p1", at=NOON + 3 * HOUR, person="u1"), a_view("p2", at=NOON + 3 * HOUR, person="u2"))
    assert where(lanes.sent()) == [push("u1"), mail("u2")]


def test_who_had_it_between_two_others_loses_it_too() -> None:
    """Their word comes after that of the next one."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross().read(told(NOON + 2 * HOUR, "u3")).cross()
    lanes.read(told(NOON + HOUR, "u2")).cross()
    for user in ("u1", "u2", "u3"):
        lanes.read(a_view(f"p-{user}", at=NOON + 3 * HOUR, person=user))
    assert where(lanes.sent()) == [mail("u1"), mail("u2"), push("u3")]


def test_a_shared_browser_takes_no_phone_away() -> None:
    """Signing in on the family's laptop says nothing of tokens that were told on the phone."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross()
    for hour, user in enumerate(("u1", "u2")):
        lanes.read(told(NOON + HOUR + hour * MINUTE, user, "", anonymous="a2")).cross()
    lanes.read(a_view("p1", at=NOON + 2 * HOUR, person="u1"))
    assert where(lanes.sent()) == [push("u1")]


def test_the_erased_leave_no_token_at_the_device() -> None:
    """What was told while it was theirs is forgotten with them; the next owner's stay where they are."""
    lanes = Lanes([HELLO]).read(told(NOON, "u1")).cross().read(told(NOON + HOUR, "u2", TABLET)).cross()
    lanes.read(an_event("erase", at=NOON + 2 * HOUR, person="u1")).until(NOON + DAY)
    assert lanes.lanes[0].redirects["a1"].traits == {}
    assert lanes.lanes[1].journeys["u2"].traits["push_token"] == TABLET


@pytest.mark.parametrize("said", [None, "", {}, [], 5, [5, None], {"token": 7}, {"endpoint": ""}, "x" * 3000])
def test_what_is_no_token_is_none(said: object) -> None:
    """Whatever a producer writes there."""
    assert tokens.told({"push_token": said, "push_tokens": said}) == []
    assert tokens.told(None) == []


def test_what_lies_on_the_phone_is_called_back_from_there() -> None:
    """From the phone alone, once, and only while it is worth something; a mail that was sent before stays."""
    reminder = a_rule(
        rule="hello", subject="product", quiet={"opens": "view", "after": "1m"}, unless=["purchase"],
        steps=[{"channels": {"all": ["push", "email"]}, "template": "t"}],
    )  # fmt: skip
    lanes = Lanes([reminder]).read(told(NOON - 9 * DAY, "u1")).cross()
    both = an_event("profile", at=NOON - 9 * DAY + 1, person="u1", traits={"push_tokens": [TABLET]})
    lanes.read(both, a_view("p0", at=NOON - 8 * DAY, person="u1"), a_view("p1", at=NOON, person="u1"))
    lanes.read(told(NOON + HOUR, "u2")).cross().read(a_purchase("p1", at=NOON + 2 * HOUR, person="u1"))
    recalls = lanes.sent(operation="recall")
    assert where(recalls) == [push("u1"), mail("u1")]
    assert [one["due"][11:16] for one in recalls] == ["13:00", "14:00"]
    assert [d["regretted"] for d in lanes.decisions if d["operation"] == "recall"] == [False, False]
