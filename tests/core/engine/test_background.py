"""What a channel is told beside the message: the word it rests on, tags, how the person got here."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.times import DAY, HOUR, format_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_consent, a_profile, a_purchase, a_view, a_wish, an_add, an_event


def sent(*events: Event, channel: str = "chat", **keys: Any) -> dict[str, Any]:  # noqa: ANN401
    """The message to somebody who opens a page at noon, after these events."""
    rule = a_rule(
        rule="r", subject="person", event="page", steps=[{"channels": [channel], "template": "t"}], **keys
    )
    [found] = Shop([rule], a_policy()).read(*events, an_event("page")).end().sent()
    return found


def test_whoever_talks_with_the_person_knows_the_journey() -> None:
    """The last two weeks in numbers, and the stage that they have led to."""
    found = sent(
        a_view("p0", at=NOON - 16 * DAY), a_purchase("p0", at=NOON - 15 * DAY),
        a_view("p1", "p2", at=NOON - DAY), a_wish("p3", at=NOON - HOUR), an_add("p4", at=NOON - HOUR),
    )  # fmt: skip

    assert found["context"]["journey"] == {
        "known_since": format_time(NOON - 16 * DAY), "stage": "carted",
        "viewed": 2, "wished": 1, "in_carts": 1,
    }  # fmt: skip
    assert "journey" not in sent(an_event("profile", traits={"email": "a@b.c"}), channel="email")["context"]


def test_who_has_only_looked_around_has_no_stage() -> None:
    """Nor is one made up of a purchase long ago."""
    assert "stage" not in sent(a_purchase("p1", at=NOON - 20 * DAY))["context"]["journey"]


def test_a_message_says_on_which_word_it_rests() -> None:
    """When it was given, on what ground, to which text; what is assumed, or needs no word, rests on none."""
    word = a_consent("granted", at=NOON - HOUR)
    word["consent"] |= {"basis": "double_opt_in", "text_version": "2024-02"}

    assert sent(word)["context"]["consent"] == {
        "said_at": format_time(NOON - HOUR), "basis": "double_opt_in", "text_version": "2024-02",
    }  # fmt: skip
    assert "consent" not in sent()["context"]
    assert "consent" not in sent(word, purpose="service")["context"]


@pytest.mark.parametrize(
    ("purpose", "leaves"), [("marketing", True), ("service", False), ("transactional", False)]
)
def test_a_mail_says_whether_it_has_to_name_a_way_out(purpose: str, leaves: bool) -> None:  # noqa: FBT001
    """One that rests on a consent does: who takes that back gets service and receipts all the same."""
    address = a_profile(email="ann@mail.example")

    assert sent(address, channel="email", purpose=purpose)["context"]["list_unsubscribe"] is leaves


def test_tags_are_those_that_caps_count() -> None:
    """So that a channel can count them too."""
    assert sent(tags=["advice", "video"])["context"]["tags"] == ["advice", "video"]
    assert "tags" not in sent()["context"]


def test_a_recall_says_whom_it_reaches() -> None:
    """By the address of then, so that a service without memory can take a push away."""
    rule = a_rule(
        rule="r", subject="person", quiet={"opens": ["page"], "after": "30m"}, unless=["purchase"],
        steps=[{"channels": ["push"], "template": "t"}],
    )  # fmt: skip
    told = an_event("profile", traits={"push_tokens": ["t1"]}, at=NOON - 1)
    shop = Shop([rule], a_policy()).read(told, an_event("page"), a_purchase(at=NOON + HOUR)).end()
    [recall] = [one for one in shop.messages if one["operation"] == "recall"]

    assert recall["to"] == {"push_tokens": ["t1"]}


def test_a_locale_that_is_no_text_is_none() -> None:
    """A message's locale is text, or it is not known."""
    assert sent(an_event("profile", traits={"locale": ["de"]}))["locale"] is None


def test_whoever_takes_a_chat_over_finds_what_was_said() -> None:
    """The latest conversation, by its own number where it has one; mails do not tell of it."""
    steps = [{"channels": {"all": ["chat", "email"]}, "template": "x"}]
    rule = a_rule(rule="looked", subject="person", event="view", description="x", steps=steps)
    said = an_event("chat", at=NOON, session_id="chat-7")
    shop = Shop([rule]).read(a_profile(email="u@example.org", at=NOON - 1), said, a_view(at=NOON + 1))
    shop.read(an_event("chat", at=NOON + 2 * DAY, id="e-9"), a_view(at=NOON + 3 * DAY))
    told = [(m["channel"], m["context"].get("transcript")) for m in shop.sent()]
    assert told == [("chat", "chat-7"), ("email", None), ("chat", "e-9"), ("email", None)]


@pytest.mark.parametrize(
    ("locale", "lacks"),
    [
        ("de-AT", []), (None, []), ("", []), ("en", []),
        ("tlh", ["unknown_locale"]), ("sv-SE", ["unknown_locale"]), ("deutsch", ["unknown_locale"]),
        (7, ["unknown_locale"]),
    ],
)  # fmt: skip
def test_whose_locale_is_unknown_is_written_to_and_that_is_told(locale: object, lacks: list[str]) -> None:
    """Neutrally and in the shop's language, which is better than no message; the decision says why."""
    steps = [{"channels": ["email"], "template": "x"}]
    rule = a_rule(rule="looked", subject="person", event="view", description="x", steps=steps)
    ann = a_profile(email="a@example.org", locale=locale, first_name="Ann", at=NOON - 1)
    shop = Shop([rule], a_policy(language="de")).read(ann, a_view(at=NOON))
    [message], [decided] = shop.sent(), shop.final()
    assert decided["lacks"] == lacks
    assert shop.counts["lacking", "looked", "unknown_locale"] == len(lacks)
    if lacks:
        greeted = message["context"]["salutation"]
        assert (greeted["neutral"], greeted["language"]) == (True, "de")
