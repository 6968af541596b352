"""Offers: whose code it is, how long it is good, what reminders say, and when nothing is promised."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.offers import ALPHABET, code_of
from retarget.engine.policy import QuietHours
from retarget.engine.pools import Pool
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, format_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_listing, a_purchase, a_view, an_add, an_item

TEN: Final = {"percent": 10, "expires": "48h"}
GUARDED: Final = {**TEN, "currency": "EUR", "least_margin": 5}
PEOPLE: Final = [f"u{n}" for n in range(500)]


def at_every_view(offer: object = TEN, **keys: object) -> Rule:
    """A rule that writes at every view, with an offer."""
    steps = [{"channels": ["email"], "template": "x", "offer": offer}]
    return a_rule(
        **{"rule": "every_view", "subject": "product", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def a_series(*offers: object, subject: str = "cart", **keys: object) -> Rule:
    """A cart that was left, with a message each day, each with one of the offers; None: without."""
    steps = [
        {"after": f"{24 * number}h", "channels": ["email"], "template": "x"}
        | ({"offer": offer} if offer is not None else {})
        for number, offer in enumerate(offers)
    ]
    return a_rule(
        **{
            "rule": "left", "subject": subject, "quiet": {"after": "30m", "opens": ["add"]},
            "unless": ["purchase"], "description": "x", "steps": steps,
        } | keys
    )  # fmt: skip


def promised(shop: Shop) -> list[Any]:
    """The offers of all messages."""
    return [m["offer"] for m in shop.sent()]


def codes(shop: Shop) -> list[str]:
    """The codes of all messages that have one."""
    return [offer["code"] for offer in promised(shop) if offer]


def withheld(shop: Shop) -> list[str | None]:
    """Why each message that left promises nothing; None where it does."""
    return [d["offer"]["withheld"] for d in shop.final() if d["outcome"] == "sent" and d["offer"]]


def test_a_message_says_what_it_offers() -> None:
    """Kind, worth, code and end are in the message; the decision says that it was given."""
    offer = {"amount": 5, "currency": "EUR", "expires": "48h", "minimum_basket": 50}
    shop = Shop([at_every_view(offer)]).read(a_view(at=NOON))

    (said,) = promised(shop)
    assert re.fullmatch(rf"([{ALPHABET}]{{4}}-){{3}}[{ALPHABET}]{{4}}", said["code"])
    assert said == {
        "kind": "amount", "percent": None, "amount": 5.0, "currency": "EUR", "code": said["code"],
        "expires_at": format_time(NOON + 48 * HOUR), "minimum_basket": 50.0,
        "not_before": format_time(NOON),
    }  # fmt: skip
    (decision,) = shop.final()
    assert decision["offer"] == {
        "given": True, "withheld": None, "code": said["code"], "expires_at": said["expires_at"],
        "margin": None, "discount": None, "least_margin": None,
    }  # fmt: skip


def test_the_alphabet_can_be_read_out() -> None:
    """No letter can be taken for a digit, and no vowel makes a word."""
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert not set(ALPHABET) & set("01OILZSGBAEU")


def test_every_person_subject_and_episode_has_a_code_of_its_own() -> None:
    """Two views are two decisions; each of them by each person has another code."""
    views = [a_view(product, at=NOON + hour * HOUR, person=who)
             for hour in (0, 1) for who in PEOPLE for product in ("p1", "p2")]  # fmt: skip
    shop = Shop([at_every_view(), at_every_view(rule="another")], a_policy(caps_total=())).read(*views)
    assert len(set(codes(shop))) == len(codes(shop)) == 2 * len(views)


def test_a_reminder_says_the_same_offer() -> None:
    """The same code, which ends when it was first said to, whatever else is in the series."""
    shop = Shop([a_series(None, {**TEN, "expires": "72h"}, None, "same")]).read(an_add(at=NOON))
    shop.until(NOON + 30 * DAY)

    none, first, nothing, again = promised(shop)
    assert none is nothing is None
    assert first == again
    assert first["expires_at"] == format_time(NOON + 30 * MINUTE + 4 * DAY)


def test_two_offers_of_a_series_have_two_codes() -> None:
    """Another offer is another code, and `same` means the last one before it."""
    more = {**TEN, "percent": 20}
    shop = Shop([a_series(TEN, "same", more, "same")], a_policy(caps_total=())).read(an_add(at=NOON))
    shop.until(NOON + 30 * DAY)

    first, first_again, second, second_again = promised(shop)
    assert first == first_again
    assert second == second_again
    assert first["code"] != second["code"]
    assert (first["percent"], second["percent"]) == (10, 20)


def test_what_was_promised_stays_when_the_rule_changes() -> None:
    """The reminder says what the first message said, though the rule offers less by now."""
    shop = Shop([a_series(TEN, "same")]).read(an_add(at=NOON)).until(NOON + HOUR)
    less = shop.under([a_series({**TEN, "percent": 1}, "same")]).until(NOON + 2 * DAY)
    assert promised(shop) == promised(less)


def test_a_reminder_makes_the_offer_when_the_first_message_never_came() -> None:
    """Whoever was paused then gets the whole time now, by the code that they would have had."""
    added = an_add(at=NOON)
    shop = Shop([a_series(TEN, "same")])
    shop.pauses = {"email": 1}
    shop.read(added).until(NOON + HOUR)
    shop.pauses = {}
    shop.until(NOON + 2 * DAY)

    (late,) = promised(shop)
    whole = Shop([a_series(TEN, "same")]).read(added).until(NOON + HOUR)
    assert late["expires_at"] == format_time(NOON + 30 * MINUTE + DAY + 2 * DAY)
    assert [late["code"]] == codes(whole)


def test_a_code_that_has_ended_is_not_said_again() -> None:
    """A reminder that an outage put off by three days goes without the offer, and the record says so."""
    first = NOON + 30 * MINUTE
    shop = Shop([a_series({**TEN, "expires": "50h"}, None, "same")], now=first).read(an_add(at=NOON))
    shop.until(first)
    shop.now = first + 4 * DAY
    shop.until(first + DAY)
    shop.now = first + 5 * DAY
    shop.until(shop.now)

    assert shop.outcomes() == [(1, "sent"), (2, "stale"), (3, "sent")]
    assert [offer is None for offer in promised(shop)] == [False, True]
    assert withheld(shop) == [None, "expired"]


def test_a_code_lasts_from_the_moment_at_which_the_message_leaves() -> None:
    """Whoever sleeps has the whole time from the morning on."""
    shop = Shop([at_every_view()], a_policy(quiet_hours=QuietHours(spread=0)))
    shop.read(a_view(at=NOON + 10 * HOUR)).until(NOON + 2 * DAY)
    (said,) = promised(shop)
    assert said["expires_at"] == format_time(NOON + 20 * HOUR + 48 * HOUR)


@pytest.mark.parametrize(
    ("margin", "reason"),
    [(15.0, None), (14.99, "margin"), (0.0, "margin"), (None, "margin_unknown")],
    ids=["enough", "a cent less", "nothing", "unknown"],
)
def test_the_guard_leaves_the_shop_its_margin(margin: float | None, reason: str | None) -> None:
    """Ten per cent of 100 cost 10; 5 must be left, and what nobody knows is not enough."""
    shop = Shop([at_every_view(GUARDED)])
    shop.with_margins({} if margin is None else {"p1": margin})
    shop.read(a_view(items=[an_item("p1", price=100.0)]))

    assert withheld(shop) == [reason]
    assert (promised(shop)[0] is None) == (reason is not None)
    seen = shop.final()[0]["offer"]
    assert (seen["given"], seen["margin"], seen["discount"], seen["least_margin"]) == (
        reason is None, margin, 10.0, 5.0,
    )  # fmt: skip


def test_the_guard_looks_at_the_whole_cart() -> None:
    """Quantities count, and one product of unknown margin makes the whole unknown."""
    amount = {"amount": 20, "currency": "EUR", "expires": "48h", "least_margin": 4}
    for margins, reason in (
        ({"p1": 10.0, "p2": 4.0}, None),  # 2 * 10 + 4 - 20 = 4
        ({"p1": 10.0, "p2": 3.9}, "margin"),
        ({"p1": 100.0}, "margin_unknown"),
    ):
        shop = Shop([a_series(amount)])
        shop.with_margins(margins)
        shop.read(an_add(at=NOON, items=[an_item("p1", quantity=2)]), an_add("p2", at=NOON)).until(
            NOON + HOUR
        )
        assert withheld(shop) == [reason]


def test_a_guard_without_a_product_is_never_satisfied() -> None:
    """What a person will buy is unknown, and so is its margin."""
    shop = Shop([at_every_view(GUARDED, subject="person")])
    shop.with_margins({"p1": 1000.0})
    assert withheld(shop.read(a_view(items=[an_item("p1", price=1.0)]))) == ["margin_unknown"]


def test_a_reminder_keeps_a_promise_whatever_the_margin_is_now() -> None:
    """The guard is asked once, when the offer is made."""
    shop = Shop([a_series(GUARDED, "same")])
    shop.with_margins({"p1": 50.0})
    shop.read(an_add("p1", at=NOON)).until(NOON + HOUR)
    shop.read(a_listing("p1", at=NOON + HOUR, margin=0)).until(NOON + 2 * DAY)
    assert promised(shop)[0] == promised(shop)[1] is not None


def test_variants_may_differ_in_their_offer() -> None:
    """Some get more, some the step's own; a reminder says each what they were told."""
    rule = a_series(TEN, "same")
    step = {"channels": ["email"], "template": "x", "offer": TEN,
            "variants": {"ten": {}, "twenty": {"offer": {**TEN, "percent": 20}}}}  # fmt: skip
    series = [step, {"after": "24h", "channels": ["email"], "template": "y", "offer": "same"}]
    tried = a_rule(rule="left", subject="cart", quiet={"after": "30m", "opens": ["add"]}, description="x",
                   steps=series)  # fmt: skip
    assert rule.name == tried.name
    shop = Shop([tried]).read(*(an_add(at=NOON, person=who) for who in PEOPLE)).until(NOON + 2 * DAY)
    by_person: dict[str, list[Any]] = {}
    for message in shop.sent():
        by_person.setdefault(message["person"], []).append(message["offer"])
    assert {offers[0]["percent"] for offers in by_person.values()} == {10, 20}
    assert all(first == second for first, second in by_person.values())


def test_what_was_given_is_forgotten_when_it_has_ended() -> None:
    """Codes that nobody can use and nothing says again leave the journey."""
    shop = Shop([at_every_view()], a_policy(caps_total=()))
    shop.read(*(a_view(at=NOON + day * DAY) for day in range(60)))
    assert 1 <= len(shop.lane.journeys["u1"].offers) <= 4


def test_the_secret_chooses_the_codes() -> None:
    """Another secret, another code; nothing of the secret can be read in it."""
    said = [
        code_of(a_policy(offer_secret=secret), "u1", "r", "s", "e", 1) for secret in ("", "a", "b", "a" * 99)
    ]
    assert len(set(said)) == 4


def test_parts_of_a_code_do_not_run_into_each_other() -> None:
    """A person `a` with the rule `bc` is not the person `ab` with the rule `c`."""
    policy = a_policy()
    assert code_of(policy, "a", "bc", "s", "e", 1) != code_of(policy, "ab", "c", "s", "e", 1)


Act = tuple[str, str, int]
ACTS: Final = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "purchase"]), st.sampled_from(PEOPLE[:4]), st.integers(0, 200)
    ),
    max_size=25,
)


def acted(acts: list[Act]) -> list[Event]:
    """The events of these acts, in order of time."""
    make = {"add": an_add, "purchase": a_purchase}
    return [
        make[kind](at=NOON + hour * HOUR, person=who) for kind, who, hour in sorted(acts, key=lambda a: a[2])
    ]


@given(ACTS, st.lists(st.integers(0, 25)))
def test_no_two_people_share_a_code_and_an_episode_has_one(acts: list[Act], cuts: list[int]) -> None:
    """Over any history, cut anywhere and stored in between: an episode has one code, a code has one end."""
    rules = [a_series(TEN, "same"), a_series(TEN, rule="other", subject="product")]
    events = acted(acts)
    whole = Shop(rules).read(*events).until(NOON + 20 * DAY)
    shop = Shop(rules)
    shop.between = shop.through_the_store
    shop.read(*events, cuts=cuts).until(NOON + 20 * DAY)

    assert promised(shop) == promised(whole)
    by_code: dict[str, set[tuple[str, ...]]] = {}
    episodes: dict[tuple[str, ...], set[str]] = {}
    for message in shop.sent():
        evidence = next(d["evidence"][0] for d in shop.final() if d["message_id"] == message["message_id"])
        who = (message["person"], message["rule"], message["subject"]["id"], evidence)
        by_code.setdefault(message["offer"]["code"], set()).add((*who, message["offer"]["expires_at"]))
        episodes.setdefault(who, set()).add(message["offer"]["code"])
    assert all(len(found) == 1 for found in by_code.values())
    assert all(len(found) == 1 for found in episodes.values())


ONE: Final = a_policy(open_codes=1, caps_total=())


def test_a_person_has_one_open_code() -> None:
    """The second message goes without, and says why; when the first code has ended, the next has one."""
    views = [a_view("p1", at=NOON), a_view("p2", at=NOON + HOUR), a_view("p3", at=NOON + 2 * DAY)]
    shop = Shop([at_every_view()], ONE).read(*views)
    assert [offer is None for offer in promised(shop)] == [False, True, False]
    assert withheld(shop) == [None, "open_code", None]
    assert len(set(codes(shop))) == 2
    assert withheld(Shop([at_every_view()], a_policy(open_codes=2)).read(*views)) == [None, None, None]
    assert withheld(Shop([at_every_view()], a_policy(open_codes=0)).read(*views)) == [None, None, None]


def test_two_people_have_one_each() -> None:
    """Nobody's code keeps another one from theirs."""
    shop = Shop([at_every_view()], ONE).read(a_view("p1", at=NOON), a_view("p1", at=NOON + 1, person="u2"))
    assert len(set(codes(shop))) == 2


def test_the_codes_of_a_series_are_one() -> None:
    """Its author knows of the first; and another rule's message goes without."""
    more = {**TEN, "percent": 20}
    first = {**TEN, "expires": "72h"}
    shop = Shop([a_series(first, "same", more), at_every_view()], ONE).read(an_add(at=NOON))
    shop.read(a_view("p1", at=NOON + HOUR)).until(NOON + 30 * DAY)
    assert withheld(shop) == [None, "open_code", None, None]


def test_a_reminder_makes_the_offer_when_the_other_code_has_ended() -> None:
    """What was withheld at first is not lost for the series."""
    shop = Shop([at_every_view({**TEN, "expires": "1h"}), a_series(TEN, "same")], ONE)
    shop.read(a_view("p1", at=NOON), an_add(at=NOON + 1)).until(NOON + 2 * DAY)
    assert withheld(shop) == [None, "open_code", None]


@pytest.mark.parametrize("told", [str.lower, lambda code: f" {code.replace('-', '')} ", lambda code: code])
def test_an_order_uses_a_code_up(told: Callable[[str], str]) -> None:
    """However the person has typed it: no reminder says it again, and there is room for another."""
    shop = Shop([at_every_view(), a_series(None, TEN, "same", unless=["review"])], ONE)
    shop.read(an_add(at=NOON)).until(NOON + DAY + HOUR)
    bought = a_purchase("p9", at=NOON + DAY + 2 * HOUR, coupon=told(codes(shop)[0]))
    shop.read(bought, a_view("p1", at=NOON + DAY + 3 * HOUR)).until(NOON + 3 * DAY)
    assert withheld(shop) == [None, None, "expired"]


def test_other_coupons_use_nothing_up() -> None:
    """A code of somebody else's, or of the shop's own, leaves the person theirs."""
    shop = Shop([at_every_view()], ONE).read(a_view("p1", at=NOON))
    shop.read(a_purchase("p9", at=NOON + 1, coupon="SUMMER"), a_view("p2", at=NOON + 2))
    assert withheld(shop) == [None, "open_code"]


def test_a_pool_keeps_its_code_while_another_is_open() -> None:
    """None is taken that is not said."""
    pool = Pool("f", ("A-1", "A-2"))
    policy = a_policy(open_codes=1, pools={"spring": pool}, caps_total=())
    shop = Shop([at_every_view({**TEN, "codes": "spring"})], policy)
    shop.read(a_view("p1", at=NOON), a_view("p2", at=NOON + 1), a_view("p3", at=NOON + 3 * DAY))
    assert codes(shop) == ["A-1", "A-2"]
