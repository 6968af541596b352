import json
from collections.abc import Callable
from typing import Any

import pytest

from retarget.dialects import decoder_for, segment
from retarget.dialects.strict import segment as strict
from retarget.errors import Rejected
from retarget.times import DAY
from retarget.touchpoints import MOST_ENTRIES, Item, Touchpoint

_decode = decoder_for("segment")


def _call(**fields: object) -> Touchpoint:
    record = {"type": "track", "userId": "u", "messageId": "m", "timestamp": "1970-01-01T00:00:01Z"} | fields
    return _decode(json.dumps(record).encode())


def _track(event: str, context: dict[str, Any] | None = None, **properties: object) -> Touchpoint:
    return _call(event=event, properties=properties, context=context or {})


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Product Viewed", "view"),
        ("Product List Filtered", "list_view"),
        ("Products Searched", "search"),
        ("Promotion Clicked", "promo"),
        ("product added", "add"),
        ("Wishlist Product Added to Cart", "add"),
        ("Product Removed", "remove"),
        ("Cart Viewed", "cart_view"),
        ("Product Added to Wishlist", "wishlist"),
        ("Product Removed from Wishlist", "wishlist_remove"),
        ("Payment Info Entered", "checkout"),
        ("Order Completed", "purchase"),
        ("Order Refunded", "refund"),
        ("Order Cancelled", "cancel"),
        ("Coupon Denied", "coupon"),
        ("Cart Shared", "share"),
        ("Product Reviewed", "review"),
        ("Email Marked as Spam", "email_spam"),
        ("Unsubscribed", "unsubscribe"),
        ("Push Notification Tapped", "push_open"),
        ("Deep Link Opened", "ad_click"),
        ("Live Chat Message Received", "chat"),
        ("Application Opened", "app_open"),
        ("Quiz Finished", "custom"),
    ],
)
def test_event_names(event: str, kind: str) -> None:
    """Each event name has its type, whatever its case, and stays as the name."""
    found = _track(event)
    assert (found.type, found.name) == (kind, event)


def test_order() -> None:
    """An order keeps its ids, amounts and products; a price sent as text is still a price."""
    found = _track(
        "Order Completed",
        order_id=50,
        checkout_id="c",
        total=27.5,
        revenue=25,
        currency="USD",
        coupon="hasbros",
        products=[
            {
                "product_id": "p1",
                "sku": "s1",
                "price": "19",
                "quantity": 1,
                "category": "Games",
                "variant": "red",
            },
            {"sku": "s2", "price": 3, "quantity": 2},
        ],
    )
    assert found == Touchpoint(
        id="m",
        type="purchase",
        name="Order Completed",
        time=1000,
        user_id="u",
        order_id="50",
        checkout_id="c",
        value=27.5,
        currency="USD",
        coupon="hasbros",
        items=[
            Item(product_id="p1", variant_id="red", category="Games", price=19.0, quantity=1.0),
            Item(product_id="s2", price=3.0, quantity=2.0),
        ],
    )


def test_single_product() -> None:
    """An event about one product has it as its only item, with the address of the page."""
    found = _track(
        "Product Viewed", {"page": {"url": "https://shop/p1"}}, product_id="p1", position=3, price=18.99
    )
    assert found.items == [Item(product_id="p1", price=18.99, url="https://shop/p1")]
    assert found.position == 3


@pytest.mark.parametrize(
    ("moments", "ms"),
    [
        ({"timestamp": "1970-01-01T00:00:07Z", "originalTimestamp": "1970-01-01T00:00:03Z"}, 7000),
        (
            {
                "receivedAt": "1970-01-01T00:01:00Z",
                "sentAt": "1970-01-01T01:00:05Z",
                "originalTimestamp": "1970-01-01T01:00:00Z",
            },
            55_000,
        ),
        ({"originalTimestamp": "1970-01-01T00:00:03Z"}, 3000),
        ({}, -1),
    ],
)
def test_time(moments: dict[str, str], ms: int) -> None:
    """The time is Segment's, else the device's freed of the fault of its clock."""
    assert _call(**({"event": "x", "timestamp": None} | moments)).time == ms


def test_where_it_came_from() -> None:
    """The campaign, its medium, the device, the place and the session come from the context."""
    found = _track(
        "Product Viewed",
        {
            "campaign": {"name": "Spring", "source": "Newsletter", "medium": "Email"},
            "referrer": {"id": "click-1"},
            "device": {"id": "d"},
            "location": {"city": "Kiel"},
            "sessionId": 17,
        },
    )
    assert (found.source, found.medium, found.device_id, found.session_id) == (
        "Newsletter",
        "owned",
        "d",
        "17",
    )
    assert found.campaign is not None
    assert (found.campaign["name"], found.campaign["click_id"]) == ("Spring", "click-1")
    assert found.geo == {"city": "Kiel"}


def test_identify() -> None:
    """Traits get our names; the context gives what they lack."""
    context = {
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
        "device": {"token": "t"},
        "traits": {"plan": "pro"},
    }
    found = _call(
        type="identify", anonymousId="a", traits={"email": "e@x", "firstName": "E"}, context=context
    )
    assert (found.type, found.user_id, found.anonymous_id) == ("identify", "u", "a")
    assert found.traits == {
        "plan": "pro", "email": "e@x", "first_name": "E", "locale": "de-DE", "timezone": "Europe/Berlin",
        "push_token": "t",
    }  # fmt: skip


def test_alias_joins_the_previous_id() -> None:
    """The previous id of an alias is the anonymous one that is joined."""
    found = _call(type="alias", previousId="old", anonymousId="browser")
    assert (found.type, found.user_id, found.anonymous_id) == ("alias", "u", "old")


def test_group_does_not_rename_the_person() -> None:
    """A group's traits are kept apart from the person's."""
    found = _call(type="group", groupId="g", traits={"name": "Initech"})
    assert (found.type, found.traits) == ("identify", {"group_id": "g", "group": {"name": "Initech"}})


@pytest.mark.parametrize("call", ["page", "screen"])
def test_pages(call: str) -> None:
    """Pages and screens are pages with their name."""
    found = _call(type=call, name="Home")
    assert (found.type, found.name) == ("page", "Home")


def test_consent() -> None:
    """A change of the preferences is a consent when it speaks of marketing, else an event like others."""
    event = "Segment Consent Preference Updated"
    granted = _track(event, {"consent": {"categoryPreferences": {"Advertising": True, "Analytics": False}}})
    assert (granted.type, granted.consent) == ("consent", {"purpose": "marketing", "state": "granted"})
    other = _track(event, {"consent": {"categoryPreferences": {"Analytics": False}}})
    assert (other.type, other.consent) == ("custom", None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"userId": None}, "no_person"),
        ({"timestamp": "soon"}, "bad_time"),
        ({"properties": []}, "bad_field"),
        ({"properties": {"products": {}}}, "bad_field"),
        ({"properties": {"products": [1]}}, "bad_field"),
        ({"properties": {"product_id": "p", "price": "nan"}}, "bad_field"),
        ({"properties": {"product_id": "p", "price": "cheap"}}, "bad_field"),
        ({"type": "batch"}, "unknown_dialect"),
        ({"type": ["track"]}, "unknown_dialect"),
    ],
)
def test_bad_calls(fields: dict[str, object], reason: str) -> None:
    """What cannot be used is rejected with its reason."""
    with pytest.raises(Rejected) as caught:
        _call(**({"event": "x"} | fields))
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["segment", "auto"])
@pytest.mark.parametrize(
    ("type_", "more"),
    [
        (
            "track",
            lambda n: {"event": "Order Completed", "properties": {"products": [{"product_id": "p"}] * n}},
        ),
        ("identify", lambda n: {"traits": {f"k{one}": "v" for one in range(n)}}),
    ],
    ids=["items", "traits"],
)
def test_an_event_has_so_many_items_and_traits_at_most(
    name: str, type_: str, more: Callable[[int], dict[str, object]]
) -> None:
    """The strict reader leaves more to the tolerant one, which refuses them."""
    call = {"type": type_, "userId": "u", "messageId": "m", "timestamp": "2026-01-31T09:30:00Z"}
    decode = decoder_for(name)
    assert decode(json.dumps(call | more(MOST_ENTRIES)).encode())
    with pytest.raises(Rejected, match="1,001 entries") as refused:
        decode(json.dumps(call | more(MOST_ENTRIES + 1)).encode())
    assert refused.value.reason == "bad_field"


@pytest.mark.parametrize(
    ("received", "sent", "original", "wanted"),
    [
        ("1970-01-02T00:00:01Z", "1970-01-05T00:00:00.5Z", "1970-01-05T00:00:00Z", DAY + 500),
        ("1970-01-02T00:00:01+00:00", "1970-01-05T02:00:00+02:00", "1970-01-05T00:00:00Z", DAY + 1000),
        ("1970-01-02T00:00:01", "1970-01-05T00:00:00", "1970-01-05T00:00:00", DAY + 1000),
        ("1970-01-02T00:00:01Z", "1970-01-05T00:00:00", "1970-01-05T00:00:00Z", DAY + 1000),
        ("1970-01-02t00:00:01z", "1970-01-05T00:00:00Z", "1970-01-05T00:00:00Z", DAY + 1000),
        ("1970-01-02T00:00:01Z", "1960-01-05T00:00:01Z", "1960-01-05T00:00:00Z", DAY),
        (DAY, "1970-01-05T00:00:01Z", "1970-01-05T00:00:00Z", DAY - 1000),
    ],
)
def test_a_wrong_clock_is_put_right(received: object, sent: str, original: str, wanted: int) -> None:
    """By when it was received, in whatever form the three times are; a clock may even be before 1970."""
    found = _call(timestamp=None, receivedAt=received, sentAt=sent, originalTimestamp=original)
    assert found.time == wanted


@pytest.mark.parametrize(
    ("event", "properties"),
    [
        ("session", {"consent": {}, "traits": {}}),
        ("consent", {"consent": {}, "state": "denied"}),
        ("Product Viewed", {"products": [], "sku": "s1"}),
    ],
)
def test_what_is_empty_says_the_same_to_both_readers(event: str, properties: dict[str, Any]) -> None:
    """An empty object is no consent, and of no products none is meant by the event's own fields."""
    call = {"type": "track", "event": event, "userId": "u", "messageId": "m", "properties": properties}
    value = json.dumps(call | {"timestamp": "2026-03-01T10:00:00Z"}).encode()
    assert strict.read(value) in (None, segment.from_record(json.loads(value)))


@pytest.mark.parametrize(("given", "wanted"), [("home_banner_top", None), ("3", 3.0), (3, 3.0)])
def test_the_place_of_a_promotion_is_no_rank(given: object, wanted: float | None) -> None:
    """As in Segment's own example; a number that is text is one."""
    event = _track("Promotion Viewed", promotion_id="p", position=given)
    assert (event.type, event.position) == ("promo", wanted)
