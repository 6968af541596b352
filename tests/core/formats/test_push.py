"""Pushes: how long they are kept, what replaces them, what is left out where there is no room."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from retarget.engine.compose import RECALLABLE
from retarget.errors import Unsendable
from retarget.formats import apns, fcm, push, web_push
from retarget.formats.devices import Device, devices_of, origin_of
from retarget.formats.push import Notice
from retarget.formats.reading import LASTS
from retarget.times import DAY, HOUR, format_time
from tests.core.formats.cases import AUTH, NOTICE, P256DH, a_message
from tests.factories import NOON

PHONE = Device(platform="fcm", token="t1")  # noqa: S106 - no secret
TABLET = Device(platform="apns", token="ab" * 32)
BROWSER = Device(platform="webpush", token="https://push.example/1", p256dh=P256DH, auth=AUTH)  # noqa: S106
RECALL: dict[str, Any] = {"operation": "recall", "recall_of": "0f" * 16, "expires_at": None}


def ttl(**fields: Any) -> int:  # noqa: ANN401 - any field of a message
    """How long, in seconds, FCM is asked to keep a message that is formatted at noon."""
    request = fcm.request_of(a_message(**fields), PHONE, NOTICE, now=NOON, project="shop")
    return int(request.body["message"]["android"]["ttl"].removesuffix("s"))


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://fcm.googleapis.com/fcm/send/a:b?c=\\@d", "https://fcm.googleapis.com"),
        ("https://FCM.googleapis.com:443/x", "https://fcm.googleapis.com"),
        ("https://push.example:8443/x", "https://push.example:8443"),
        ("https://push.example?x", "https://push.example"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9"),
        ("https://[fcm.googleapis.com/x", None), ("https://[::1]/x", None),
        ("https://FCM.googleapis.com:abc/x", None), ("https://fcm.googleapis.com:99999/x", None),
        ("https://fcm.googleapis.com:0/x", None), ("https://fcm.googleapis.com:/x", None),
        ("https://127.0.0.1:9\\@fcm.googleapis.com/x", None), ("https://a@fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com\\@evil.example/x", None), ("https://fcm.googleapis.com./x", None),
        ("https://a..fcm.googleapis.com/x", None), (f"https://{'a' * 64}.googleapis.com/x", None),
        (f"https://{'a.' * 130}googleapis.com/x", None), ("http://push.example/x", None),
        ("https://münchen.example/x", None), ("https:///x", None), ("https://", None),
    ],
)  # fmt: skip
def test_only_what_every_reader_reads_alike_is_an_endpoint(endpoint: str, origin: str | None) -> None:
    """Its host is asked, and signed for; one that is none keeps the message from no other device."""
    told = {"endpoint": endpoint, "keys": {"p256dh": P256DH, "auth": AUTH}}
    found = origin_of(endpoint)

    assert (found.text if found else None) == origin
    assert [one.token for one in devices_of({"push_tokens": [told, "t1"]})] == (
        [endpoint, "t1"] if origin else ["t1"]
    )


def test_a_push_is_kept_as_long_as_it_is_worth_something() -> None:
    """Until it expires; four weeks at most, which is what FCM allows; without an expiry a week."""
    assert ttl(expires_at=format_time(NOON + HOUR)) == 3_600
    assert ttl(expires_at=format_time(NOON + 90 * DAY)) == 28 * 86_400
    assert ttl(expires_at=None) == 7 * 86_400


def test_a_push_is_kept_no_longer_than_its_code_is_good() -> None:
    """Who sees it afterwards would be promised what there is no more."""
    offer = {"kind": "percent", "percent": 10, "code": "C", "expires_at": format_time(NOON + HOUR)}

    assert ttl(offer=offer) == 3_600


def test_what_has_expired_is_refused() -> None:
    """In the moment it expires."""
    with pytest.raises(Unsendable, match="expired"):
        ttl(expires_at=format_time(NOON))


def test_in_its_last_second_a_push_is_tried_once() -> None:
    """Which APNs is told by 0, not by a time."""
    last = a_message(expires_at=format_time(NOON + 999))

    assert apns.request_of(last, TABLET, NOTICE, now=NOON, topic="t").headers["apns-expiration"] == "0"
    assert web_push.request_of(last, BROWSER, NOTICE, now=NOON).headers["TTL"] == "0"


def test_without_an_expiry_a_push_is_kept_as_long_as_it_can_be_called_back() -> None:
    """Else it would come when nobody can take it back any more."""
    assert LASTS == RECALLABLE


@pytest.mark.parametrize("fields", [{}, RECALL, {"purpose": "transactional"}])
def test_whatever_device_fcm_knows_by_a_token_is_told_the_same(fields: dict[str, Any]) -> None:
    """Android, Apple's and browsers' blocks have one key and one time to live; Apple wakes for a recall."""
    message = a_message(**fields)
    told = fcm.request_of(message, PHONE, NOTICE, now=NOON, project="shop").body["message"]
    key, left = push.collapse_key(message), push.seconds(message, NOON)
    assert told["android"]["collapse_key"] == key
    assert told["apns"]["headers"]["apns-collapse-id"] == key
    assert told["webpush"]["headers"]["Topic"] == key
    assert told["android"]["ttl"] == f"{left}s"
    assert told["apns"]["headers"]["apns-expiration"] == str(NOON // 1_000 + left)
    assert told["webpush"]["headers"]["TTL"] == str(left)
    silent = message.operation == "recall"
    assert told["apns"]["headers"]["apns-push-type"] == ("background" if silent else "alert")
    assert told["apns"].get("payload") == ({"aps": {"content-available": 1}} if silent else None)
    shown = None if silent else {"tag": key}
    assert told["android"].get("notification") == told["webpush"].get("notification") == shown
    assert all(
        isinstance(one, str) for block in ("apns", "webpush") for one in told[block]["headers"].values()
    )


def test_a_recall_replaces_what_it_recalls() -> None:
    """By the same key, for at least as long, and without anything to be shown."""
    send, recall = a_message(), a_message(**RECALL)
    request = apns.request_of(recall, TABLET, None, now=NOON, topic="t")

    assert push.collapse_key(send) == push.collapse_key(recall)
    assert push.seconds(recall, NOON) == push.LONGEST_S
    assert request.headers["apns-push-type"] == "background"
    assert request.headers["apns-priority"] == "5"
    assert request.body["aps"] == {"content-available": 1}


def test_a_recall_finds_what_was_sent_before_a_merge() -> None:
    """The person of both is another, and of a rule about the person the subject may be too."""
    before = a_message(person="a1", user_id=None, subject={"kind": "person", "id": "a1"})
    after = a_message(person="u1", subject={"kind": "person", "id": "u1"}, **RECALL)

    assert push.collapse_key(before) == push.collapse_key(after)


def test_other_subjects_and_rules_replace_nothing() -> None:
    """Two carts, a cart and a product of the same id, two rules: four keys."""
    subjects = [{"kind": "cart", "id": "k1"}, {"kind": "cart", "id": "k2"}, {"kind": "product", "id": "k1"}]
    keys = {push.collapse_key(a_message(subject=subject)) for subject in subjects}

    assert len({*keys, push.collapse_key(a_message(rule="price_drop"))}) == 4


def test_what_is_least_needed_is_left_out_first() -> None:
    """Products first; title, text and link never."""
    products = [{"product_id": f"p{'9' * 400}{n}"} for n in range(10)]
    message = a_message(products=products, purl="https://go.shop.example/p/1")
    data = web_push.request_of(message, BROWSER, NOTICE, now=NOON).body

    assert "products" not in data
    assert data["why"] == message.why
    assert data["url"] == message.purl


@pytest.mark.parametrize("size", [3_000, 5_000])
def test_a_text_that_does_not_fit_is_refused_and_not_cut(size: int) -> None:
    """What 4,096 bytes do not hold is `too_large` everywhere: nobody reads half a sentence."""
    notice = Notice("Title", "x" * size)

    tries: list[Callable[[], object]] = [
        lambda: fcm.request_of(a_message(), PHONE, notice, now=NOON, project="shop"),
        lambda: apns.request_of(a_message(), TABLET, notice, now=NOON, topic="t"),
        lambda: web_push.request_of(a_message(), BROWSER, notice, now=NOON),
    ]

    for attempt in tries:
        with pytest.raises(Unsendable, match="too_large") if size > 4_000 else nullcontext():
            attempt()


def test_each_device_has_its_own_notification_id() -> None:
    """Of a form that APNs takes; the same at every try."""
    other = Device(platform="apns", token="cd" * 32)
    ids = [
        apns.request_of(a_message(), device, NOTICE, now=NOON, topic="t").headers["apns-id"]
        for device in (TABLET, other, TABLET)
    ]

    assert [len(part) for part in ids[0].split("-")] == [8, 4, 4, 4, 12]
    assert ids[0] == ids[2] != ids[1]


def test_devices_are_read_as_producers_write_them() -> None:
    """A text, an object, a browser's subscription, alone or in a list; each device once."""
    browser = {"endpoint": BROWSER.token, "keys": {"p256dh": P256DH, "auth": AUTH}}

    assert devices_of({"push_token": "t1"}) == [PHONE]
    assert devices_of({"push_tokens": ["t1", {"platform": "iOS", "token": TABLET.token}, browser, "t1"]}) == [
        PHONE, TABLET, BROWSER,
    ]  # fmt: skip


def test_one_device_that_is_no_good_keeps_the_message_from_no_other() -> None:
    """But where none is left the message says so."""
    bad = [
        {"platform": "pager", "token": "1"},
        {"platform": "ios", "token": "no hex"},
        "https://push.example/1",
        7,
    ]

    assert devices_of({"push_tokens": [*bad, "t1"]}) == [PHONE]
    with pytest.raises(Unsendable, match="bad_address"):
        devices_of({"push_tokens": bad})
    with pytest.raises(Unsendable, match="no_address"):
        devices_of({})
