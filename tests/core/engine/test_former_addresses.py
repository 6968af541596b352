"""Whoever has changed or deleted their address since leaves an ad audience by the one that put them in."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_rule, shipped
from tests.factories import NOON, Event, a_consent, a_profile, a_purchase, a_view, an_event

FORMER: Final = "t1"
OLD: Final = {"email": "old@mail.example"}
NEW: Final = {"email": "new@mail.example"}
SETS: Final = {"s1": 'product.category == "c1"'}


def _viewed(**changes: object) -> Rule:
    """Joins at every view of a product, until it is bought."""
    step = {"audience": {"add": "viewed"} | changes}
    return a_rule(
        rule="viewed", subject="product", count={"of": "view", "at_least": 1, "within": "1d"}, steps=[step],
        unless=[{"event": "purchase", "same": "subject"}],
    )  # fmt: skip


OUT: Final = a_rule(
    rule="in_store", subject="person", event="store_visit", steps=[{"audience": {"remove": "viewed"}}]
)
VIEWED: Final = _viewed()
STAGE: Final = shipped(frozenset({"ad_stage"}))


def told(traits: dict[str, Any], at: int) -> Event:
    """The person says who they are now."""
    return an_event("profile", at=at, traits=traits)


def said(shop: Shop, operation: str = "remove") -> list[dict[str, Any]]:
    """By which addresses."""
    return [one["to"] for one in shop.sent(operation=operation)]


def joined(*rules: Rule, **traits: Any) -> Shop:  # noqa: ANN401 - any trait
    """Somebody in an audience by their old address."""
    return Shop(rules or [VIEWED]).read(told(OLD | traits, NOON - 1), a_view("p1"))


@pytest.mark.parametrize("now", [NEW, {"email": None}, {"email": None, "phone": "+4915112345678"}])
@pytest.mark.parametrize(
    "event",
    [
        a_purchase("p1", at=NOON + HOUR),
        an_event("store_visit", at=NOON + HOUR),
        a_consent("denied", at=NOON + HOUR),
        an_event("erase", at=NOON + HOUR),
    ],
    ids=["purchase", "removal", "withdrawal", "erasure"],
)
def test_the_address_that_put_them_in_takes_them_out(now: dict[str, Any], event: Event) -> None:
    """A new address, none at all, another kind of one: the platform knows them by the old one."""
    shop = joined(VIEWED, OUT).read(told(now, NOON + MINUTE), event)
    assert said(shop, "add") == said(shop) == [OLD]


def test_it_is_stored_with_the_membership() -> None:
    """A lane that is claimed meanwhile still knows."""
    shop = joined().read(told(NEW, NOON + MINUTE))
    shop.through_the_store()
    assert said(shop.read(a_purchase("p1", at=NOON + HOUR))) == [OLD]


def test_a_state_is_left_by_the_address_of_then() -> None:
    """And the next one joined by that of now."""
    shop = Shop(STAGE).read(told(OLD, NOON - 1), a_view("p1"), told(NEW, NOON + MINUTE))
    shop.read(an_event("add", at=NOON + HOUR, items=[{"product_id": "p1"}]))
    assert (said(shop), said(shop, "add")) == ([OLD], [OLD, NEW])


def test_what_was_looked_up_by_an_id_is_found_by_it() -> None:
    """An address that was told since is not what the service found then."""
    shop = Shop([VIEWED]).read(a_view("p1"), told(NEW, NOON + MINUTE), a_purchase("p1", at=NOON + HOUR))
    assert said(shop, "add") == said(shop) == [{"external": "u1"}]


def test_tokens_are_those_of_now() -> None:
    """They may be large, and no platform knows anybody by them: they are not kept for each audience."""
    shop = joined(push_token=FORMER).read(told(NEW | {"push_token": "t2"}, NOON + MINUTE))
    (membership,) = shop.lane.journeys["u1"].audiences
    assert membership.to == OLD
    assert said(shop.read(a_purchase("p1", at=NOON + HOUR))) == [OLD | {"push_token": "t2"}]


def test_a_membership_of_an_earlier_build_is_left_by_the_address_of_now() -> None:
    """Nothing else is known of it."""
    shop = joined().read(told(NEW, NOON + MINUTE))
    shop.lane.journeys["u1"].audiences[0].to = {}
    assert said(shop.read(a_purchase("p1", at=NOON + HOUR))) == [NEW]


def test_whoever_is_put_in_again_by_another_address_leaves_by_both() -> None:
    """To the platform these are two; each removal names the addition that it takes back."""
    for event in (a_purchase("p1", at=NOON + DAY), an_event("store_visit", at=NOON + DAY)):
        shop = joined(VIEWED, OUT).read(told(NEW, NOON + MINUTE), a_view("p1", at=NOON + HOUR), event)
        left = {one["recall_of"]: one["to"] for one in shop.sent(operation="remove")}
        assert left == {one["message_id"]: one["to"] for one in shop.sent(operation="add")}
        assert len({one["message_id"] for one in shop.messages}) == len(shop.messages) == 4
        assert not shop.lane.journeys["u1"].audiences


def test_an_address_written_otherwise_is_the_same_one() -> None:
    """And what has only been added to it changes nothing: they are in it once, and leave once."""
    again = {"email": "Old@Mail.example ", "phone": "+4915112345678"}
    shop = joined().read(told(again, NOON + MINUTE), a_view("p1", at=NOON + HOUR))
    assert said(shop.read(a_purchase("p1", at=NOON + DAY))) == [again]


def test_an_address_that_is_none_is_not_kept_for_each_audience() -> None:
    """It would be as long as a person's traits may be, two hundred times."""
    shop = Shop([VIEWED]).read(told({"email": "x" * 400}, NOON - 1), a_view("p1"))
    (membership,) = shop.lane.journeys["u1"].audiences
    assert membership.to == {}


def test_in_a_set_another_product_keeps_the_person_by_its_own_address_only() -> None:
    """By the former address nothing keeps them; once nothing does, all is left."""
    shop = joined(_viewed(sets=SETS)).read(a_view("p2", at=NOON + 1))
    shop.read(told(NEW, NOON + MINUTE), a_view("p3", at=NOON + HOUR))
    assert said(shop.read(a_purchase("p1", at=NOON + DAY))) == []
    assert said(shop.read(a_purchase("p2", at=NOON + DAY + 1))) == [OLD]
    assert said(shop.read(a_purchase("p3", at=NOON + DAY + 2))) == [OLD, NEW]
    both = joined(_viewed(sets=SETS)).read(told({"phone": "+4915112345678"}, NOON + MINUTE))
    both.read(a_view("p2", at=NOON + HOUR), a_purchase("p2", at=NOON + DAY))
    assert said(both) == [{"phone": "+4915112345678"}]
    assert said(both.read(a_profile(at=NOON + DAY), a_purchase("p1", at=NOON + DAY)))[1:] == [OLD]
